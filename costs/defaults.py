"""What every installation starts with: the research's reference sheet, and what it says of speeds."""

from __future__ import annotations

from costs.breakeven import throughputs
from costs.models import PriceSheet
from costs.price_sheets import sheets


def ensure_defaults() -> None:
    """Load reference sheets that are not in the database yet; one that a person has edited stays as it is."""
    for name in sheets.names():
        sheet = sheets.load(name)
        PriceSheet.objects.get_or_create(
            slug=name,
            defaults={
                "title": sheet.title,
                "dated": sheet.dated,
                "source": "; ".join(str(source.title) for source in sheet.sources.values()),
                "figures": sheets.raw(name),
            },
        )
    throughputs.publish()
