"""Every figure of the research: the computed ones hold, the slips are told, the rest is quoted with a source."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import msgspec
import pytest
from django.core.management import call_command

from costs.price_sheets.sheets import Span, load, parse, raw
from costs.research.figures import OURS, allowance, differing, figures

SHEET = load()
FIGURES = {figure.slug: figure for figure in figures(SHEET)}


def test_no_computed_figure_differs() -> None:
    assert differing(list(FIGURES.values())) == []
    assert sum(figure.kind == "computed" for figure in FIGURES.values()) > 80


def test_slugs_are_unique() -> None:
    assert len(FIGURES) == len(figures(SHEET))


def test_every_noted_figure_has_a_formula_and_every_formula_a_note() -> None:
    assert {note.slug for note in SHEET.figures} == set(OURS)


@pytest.mark.parametrize(
    ("slug", "ours"),
    [
        ("slip-t4-spot-low", "72.00"),
        ("slip-t4-spot-high", "100.80"),
        ("slip-t4-spot-discount-low", "60"),
        ("slip-l4-3y", "201.60"),
        ("slip-b-3y", "458.60"),
        ("slip-a100-spot-low", "338.40"),
        ("slip-cache-reads", "14.999"),
        ("slip-crossing", "94666"),
        ("slip-poc-14-days", "114.24"),
        ("slip-poc-half-month", "124.10"),
        ("slip-api-only-month", "472.50"),
        ("slip-api-only-total", "2835"),
        ("slip-plan-saving", "915"),
        ("slip-phase-2-150k", "389.95"),
        ("slip-phase-2-160k", "399.40"),
        ("slip-phase-2-500k", "720.70"),
        ("slip-phase-3-low", "1575"),
        ("slip-phase-3-high", "4725"),
        ("slip-100m-cached", "450"),
    ],
)
def test_a_slip_has_our_value_and_the_reason(slug: str, ours: str) -> None:
    figure = FIGURES[slug]
    assert (figure.kind, figure.ours, figure.holds) == ("slip", Decimal(ours), None)
    assert figure.why


def test_the_budget_of_phase_two_breaks_at_about_160_thousand_requests() -> None:
    assert round(FIGURES["slip-phase-2-breaks"].ours or 0, -4) == 160_000


def test_quoted_figures_are_cited_and_never_compared() -> None:
    quoted = [figure for figure in FIGURES.values() if figure.kind == "quoted"]
    assert all(figure.source in SHEET.sources and figure.note for figure in quoted)
    assert {figure.ours for figure in quoted} == {None}
    sections = {figure.section for figure in quoted}
    assert {
        "Models",
        "Quantisation",
        "Throughput",
        "Engines",
        "Quality",
        "GPU prices",
        "Claude API",
        "Plan",
    } <= sections


def test_tolerances_are_those_of_the_reference() -> None:
    value = Span(Decimal(300), Decimal(400))
    allowed = [allowance(kind, value) for kind in ("usd", "point", "about", "gb", "exact")]
    assert allowed == [1, 1, 8, 2, 0]


def test_a_changed_input_makes_a_computed_figure_differ() -> None:
    data = raw()
    data["workload"]["upkeep_monthly"] = "60"
    wrong = {figure.slug for figure in differing(figures(parse(data)))}
    assert {"selfhost", "crossing", "crossing-routable"} <= wrong


def test_the_command_prints_all_figures_and_succeeds() -> None:
    out = StringIO()
    call_command("figures", stdout=out)
    assert out.getvalue().rstrip().endswith("0 computed differ")
    assert "14.998M" in out.getvalue()
    assert len(out.getvalue().splitlines()) > len(FIGURES)


def test_the_command_gives_one_kind_as_json() -> None:
    out = StringIO()
    call_command("figures", "--json", "--kind", "slip", stdout=out)
    rows = json.loads(out.getvalue())
    assert {row["kind"] for row in rows} == {"slip"}
    assert len(rows) == 23


def test_the_command_fails_when_a_computed_figure_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = msgspec.structs.replace(SHEET, workload=msgspec.structs.replace(SHEET.workload, upkeep_monthly=Decimal(60)))
    monkeypatch.setattr("costs.price_sheets.sheets.load", lambda name: wrong)
    out = StringIO()
    with pytest.raises(SystemExit) as stopped:
        call_command("figures", stdout=out)
    assert stopped.value.code == 1
    assert "computed DIFFERS" in out.getvalue()
    assert "crossing-routable" in out.getvalue()


def test_a_figure_just_outside_its_tolerance_differs() -> None:
    figure = FIGURES["c-saving"]
    assert differing([replace(figure, holds=False)]) == [replace(figure, holds=False)]
