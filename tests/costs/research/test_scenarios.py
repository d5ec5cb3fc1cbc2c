"""Scenarios A to E, line by line, from the sheet."""

from __future__ import annotations

from decimal import Decimal

import pytest

from costs.price_sheets.sheets import GpuLine, load
from costs.research.scenarios import IDS, as_json, compute

SHEET = load()

TOTALS = {
    "A": {"on_demand": "389.00", "cud_1y": "295.40", "cud_3y": "252.20", "spot_low": "210.00", "spot_high": "237.00"},
    "B": {"on_demand": "703.40", "cud_3y": "458.60"},
    "C": {"runpod": "248.20"},
    "D": {"runpod": "1472.70", "gcp": "1387.40"},
    "E": {"h120": "36.00", "h160": "48.00", "h240": "72.00", "h730": "219.00"},
}


@pytest.mark.parametrize("scenario", IDS)
def test_totals_are_those_of_the_research(scenario: str) -> None:
    answer = as_json(compute(SHEET, scenario))
    assert {variant["slug"]: variant["total"] for variant in answer["variants"]} == TOTALS[scenario]


@pytest.mark.parametrize("scenario", IDS)
def test_lines_add_up_to_their_total(scenario: str) -> None:
    for variant in as_json(compute(SHEET, scenario))["variants"]:
        assert sum(map(Decimal, variant["lines"].values())) == Decimal(variant["total"])


def test_the_first_variant_of_a_has_the_shape_of_the_contract() -> None:
    answer = as_json(compute(SHEET, "A"))
    assert (answer["id"], answer["price_sheet"]) == ("A", "2026-01")
    assert answer["variants"][0]["lines"] == {"gpu": "252.00", "vm": "120.00", "storage": "17.00"}


def test_an_unknown_scenario_is_none() -> None:
    with pytest.raises(LookupError):
        compute(SHEET, "F")


def test_a_scenario_can_be_priced_with_what_a_gpu_costs_today() -> None:
    today = compute(SHEET, "C", hourly=lambda line: Decimal("0.5"))
    assert today.variant("runpod").total == 365


def test_a_price_that_nobody_lists_leaves_the_total_unknown() -> None:
    def only_runpod(line: GpuLine) -> Decimal | None:
        return Decimal(2) if line.provider == "runpod" else None

    answer = as_json(compute(SHEET, "D", hourly=only_runpod))
    assert [variant["total"] for variant in answer["variants"]] == ["1480.00", None]
    assert answer["variants"][1]["lines"] == {"gpu": None, "vm": "240.00", "storage": "17.00"}
