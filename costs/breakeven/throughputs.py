"""Copies the throughputs of the price sheets into a table of `providers`, which may not import `costs`."""

from __future__ import annotations

from collections.abc import Iterator

from costs.models import PriceSheet
from costs.price_sheets import sheets
from costs.price_sheets.sheets import Sheet
from providers.connectors.gpus import MEMORY_GB
from providers.models import Throughput
from providers.offers import gpus_called

FIELDS = ("name", "low", "high", "basis", "source", "source_url")
KEY = ("model", "gpu", "gpu_count", "engine")


def publish() -> int:
    """Make the table of throughputs equal to the stored sheets, of which the newest wins; returns how many rows."""
    rows: dict[tuple[object, ...], Throughput] = {}
    for stored in PriceSheet.objects.order_by("dated"):
        for row in throughputs(sheets.parse(stored.figures)):
            rows[tuple(getattr(row, name) for name in KEY)] = row
    Throughput.objects.bulk_create(rows.values(), update_conflicts=True, unique_fields=KEY, update_fields=FIELDS)
    gone = [row.pk for row in Throughput.objects.all() if tuple(getattr(row, name) for name in KEY) not in rows]
    Throughput.objects.filter(pk__in=gone).delete()
    return len(rows)


def throughputs(sheet: Sheet) -> Iterator[Throughput]:
    """Unsaved rows, one for each GPU that the sheet's hardware can mean: "A100" is both sizes. CPUs are left out."""
    names = {model.slug: model.name for model in sheet.models}
    for row in sheet.throughputs:
        source = sheet.sources[row.source]
        for gpu in gpus_called(row.hardware.replace("-", " "), MEMORY_GB):
            yield Throughput(
                model=row.model,
                name=names.get(row.model, row.model),
                gpu=gpu,
                gpu_count=row.hardware_count,
                engine=row.engine,
                low=float(row.tokens_per_second.low),
                high=float(row.tokens_per_second.high),
                basis=row.basis,
                source=source.title,
                source_url=source.url,
            )
