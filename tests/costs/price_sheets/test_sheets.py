"""The reference price sheet: complete, cited, typed, refused when misspelt."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from costs.price_sheets import sheets
from costs.price_sheets.sheets import Sheet, Span, load, parse, raw

SHEET = load()


def test_the_reference_sheet_comes_with_the_product() -> None:
    assert sheets.names() == ["2026-01"]
    assert (SHEET.name, SHEET.dated.isoformat(), SHEET.currency) == ("2026-01", "2026-01-10", "USD")


def test_an_unknown_sheet_or_a_path_is_no_sheet() -> None:
    for name in ("1999-01", "../../etc/passwd", ""):
        with pytest.raises(LookupError):
            load(name)


def test_the_sheet_of_the_database_reads_like_the_file() -> None:
    assert parse(raw()) == SHEET


def test_a_misspelt_key_is_an_error_that_names_its_place() -> None:
    data = copy.deepcopy(raw())
    data["models"][1]["contxt_tokens"] = data["models"][1].pop("context_tokens")
    with pytest.raises(msgspec.ValidationError, match=r"models"):
        parse(data)


def test_every_row_names_a_source_that_the_sheet_lists() -> None:
    named = set(cited(raw()))
    assert named <= set(SHEET.sources)
    assert set(SHEET.sources) <= named


def cited(data: Any) -> Iterator[str]:
    """Every `source` of plain JSON data, at any depth."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in ("source", "shape_source"):
                yield value
            elif key != "sources":
                yield from cited(value)
    elif isinstance(data, list):
        for value in data:
            yield from cited(value)


@pytest.mark.parametrize(
    ("model", "prices"),
    [
        ("claude-haiku-4-5", ("1", "5", "1.25", "0.10")),
        ("claude-sonnet-4-5", ("3", "15", "3.75", "0.30")),
        ("claude-opus-4-5", ("5", "25", "6.25", "0.50")),
    ],
)
def test_claude_prices_are_those_of_january(model: str, prices: tuple[str, ...]) -> None:
    found = SHEET.token_prices(model)
    assert found is not None
    assert (found.input, found.output, found.cache_write_5m, found.cache_read) == tuple(map(Decimal, prices))
    assert found.batch_discount == Decimal("0.5")


def test_a_model_that_the_sheet_lacks_has_no_price() -> None:
    assert SHEET.token_prices("gpt-9") is None


@pytest.mark.parametrize(
    ("provider", "gpu", "kind", "hourly"),
    [
        ("google", "t4", "on_demand", "0.35"),
        ("google", "t4", "spot", "0.10-0.14"),
        ("google", "l4", "committed_3y", "0.28"),
        ("google", "a100-80gb", "committed_1y", "0.99"),
        ("vast", "rtx-4090", "on_demand", "0.24-0.60"),
        ("runpod", "rtx-4090", "on_demand", "0.34"),
        ("runpod", "a100-80gb", "on_demand", "1.99"),
    ],
)
def test_gpu_prices_are_those_of_january(provider: str, gpu: str, kind: str, hourly: str) -> None:
    assert str(SHEET.gpu_price(provider, gpu, kind).hourly) == hourly


def test_a_google_month_has_720_hours_and_any_other_730() -> None:
    assert {price.hours_per_month for price in SHEET.gpu_prices if price.provider == "google"} == {Decimal(720)}
    assert {price.hours_per_month for price in SHEET.gpu_prices if price.provider != "google"} == {Decimal(730)}


def test_only_the_four_t4_are_an_aggregate_throughput() -> None:
    aggregate = [row for row in SHEET.throughputs if row.basis == "aggregate"]
    assert [(row.model, row.hardware_count, row.tokens_per_second) for row in aggregate] == [
        ("llama-70b", 4, Span(Decimal(3245), Decimal(3245)))
    ]


def test_references_inside_the_sheet_exist() -> None:
    for scenario in SHEET.scenarios:
        assert SHEET.model(scenario.model)
        for variant in scenario.variants:
            assert SHEET.gpu_price(variant.gpu.provider, variant.gpu.gpu, variant.gpu.kind)
            assert variant.vm is None or SHEET.vm(variant.vm)
            assert variant.storage is None or SHEET.storage(variant.storage)
    assert all(SHEET.gpu(price.gpu) for price in SHEET.gpu_prices)


def test_phases_touch_and_stages_add_up(sheet: Sheet = SHEET) -> None:
    bands = [(phase.volume_from, phase.volume_to) for phase in sheet.phases]
    assert bands == [(0, 100_000), (100_000, 500_000), (500_000, None)]
    assert sum(stage.budget for stage in sheet.stages) == 1920
