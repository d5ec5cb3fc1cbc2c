"""What offers know of speeds, as the stored sheets say it."""

from __future__ import annotations

import pytest

from costs.breakeven import throughputs
from costs.defaults import ensure_defaults
from costs.models import PriceSheet
from providers.models import Throughput

pytestmark = pytest.mark.django_db


def test_the_sheets_throughputs_stand_at_the_gpus_that_offers_name() -> None:
    ensure_defaults()
    row = Throughput.objects.get(model="mistral-7b", gpu="RTX 4090")
    assert (row.low, row.high, row.basis, row.name) == (80.0, 90.0, "single_stream", "Mistral 7B")
    assert row.source.startswith("Research note of 10 January 2026")
    assert set(Throughput.objects.filter(model="mistral-7b", engine="vllm").values_list("gpu", flat=True)) == {
        "RTX 4090", "A100 40GB", "A100 80GB",
    }  # fmt: skip
    assert not Throughput.objects.filter(gpu__icontains="ryzen").exists()


def test_what_a_person_edits_in_the_sheet_is_published_and_what_is_gone_goes() -> None:
    ensure_defaults()
    sheet = PriceSheet.objects.get()
    kept = [row for row in sheet.figures["throughputs"] if row["hardware"] == "rtx-4090"][:1]
    sheet.figures["throughputs"] = [kept[0] | {"tokens_per_second": ["120", "130"]}]
    sheet.save()
    assert throughputs.publish() == throughputs.publish() == 1
    assert Throughput.objects.get().low == 120.0
