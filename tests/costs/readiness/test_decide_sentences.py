"""What the Decide page, a signed decision and the sizing page say in words, from plain figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
import time_machine
from django.utils.html import strip_tags

from costs.models import Decision
from costs.price_sheets import sheets
from costs.readiness.evidence import OpsWorkload
from costs.readiness.page import (
    CriterionRow,
    DecidePage,
    RecordedCriterion,
    RecordedMoney,
    TaskRow,
    WorkloadRow,
    record_answer,
    recorded_go,
    seal_headline,
    signed_headline,
    workload_rows,
)
from costs.readiness.scorecard import Objection, Scorecard
from costs.readiness.sizing_page import FitRow, OfferRow, SizingPage
from costs.sizing import memory
from costs.sizing.offers import Rentable
from costs.verdicts.verdict import State, Verdict
from lib.confidence_intervals import Interval
from providers.offers.speeds import Speed

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def september() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def criterion(question: Any, value: str | None, state: State = State.MET, threshold: str = "0.7") -> Verdict:
    return Verdict(question, state, "", None if value is None else D(value), D(threshold))


def card_of(**fields: Any) -> Scorecard:
    parts = {"verdict": "no_go", "criteria": (), "objections": (), "changes": ("Rate more.", "Wait."), **fields}
    return Scorecard(
        state=State.NOT_MET, sentence="Not yet.", justified_by=(), **{"ops_workload": OpsWorkload(), **parts}
    )


def page_of(**fields: Any) -> DecidePage:
    report: Any = type("Report", (), {"no_go": fields.pop("no_go", None)})
    return DecidePage(report, card_of(**fields), NOW)


def test_the_answer_names_the_first_change_unless_something_forbids_it() -> None:
    forbidden = (Objection("volume", "Too few."),)
    assert page_of().answer() == "Not yet. Rate more."
    assert page_of(objections=forbidden).answer() == page_of(changes=()).answer() == "Not yet."


def test_headings_follow_the_verdict_and_what_people_said() -> None:
    assert page_of(verdict="go").change_headline() == "No blockers"
    assert page_of().change_headline() == "What would change the verdict"
    assert page_of(no_go=object()).people_headline() == "Manual veto"
    assert page_of().people_headline() == "Veto and exceptions"


@pytest.mark.parametrize(
    ("slug", "title"),
    [
        ("quality-gap", "Quality too low"),
        ("complexity", "Manual veto"),
        ("operations", "Too much operations work"),
        ("volume", "Not cheaper at this volume"),
    ],
)
def test_each_objection_has_a_title(slug: Any, title: str) -> None:
    assert page_of(objections=(Objection(slug, "Why."),)).objections == [(title, "Why.")]


@pytest.mark.parametrize(
    ("row", "mark", "word"),
    [
        (criterion("quality", "0.8"), "ok", "Met"),
        (criterion("quality", "0.6", State.NOT_MET), "bad", "Not met"),
        (criterion("quality", "0.8", State.TOO_CLOSE), "warn", "Too close to call"),
        (criterion("quality", None, State.NOT_ENOUGH), "unknown", "Not enough data"),
        (replace(criterion("quality", "0.6", State.NOT_MET), set_aside=True), "info", "Set aside"),
    ],
)
def test_the_state_of_a_criterion_is_the_same_word_on_every_page(row: Verdict, mark: str, word: str) -> None:
    assert page_of(criteria=(row,)).criteria == {"quality": row}
    figures = {"slug": "quality", "holds": row.holds, "state": row.state.value, "set_aside": row.set_aside}
    recorded = RecordedCriterion({**figures, "interval": None}, 3)
    assert CriterionRow(row).state_mark() == row.state_mark()
    assert recorded.state_mark() == replace(row, scope="decision 3").state_mark()
    assert f'class="state {mark}"' in row.state_mark() and f">{word}</span>" in row.state_mark()


@pytest.mark.parametrize(("holds", "state"), [(True, State.MET), (False, State.NOT_MET), (None, State.NOT_ENOUGH)])
def test_a_record_of_before_has_the_state_that_it_says_by_whether_it_held(holds: bool | None, state: State) -> None:
    before = RecordedCriterion({"slug": "saving", "holds": holds, "set_aside": False, "interval": None}, 1)
    assert before.verdict.state == state


@pytest.mark.parametrize(
    ("card", "state"),
    [
        ({"verdict": "go"}, State.MET),
        ({"verdict": "no_go"}, State.NOT_MET),
        ({"verdict": "not_yet"}, State.NOT_ENOUGH),
        ({"verdict": "not_yet", "state": "too_close"}, State.TOO_CLOSE),
    ],
)
def test_a_record_has_the_state_of_the_whole_scorecard(card: dict[str, str], state: State) -> None:
    recorded = recorded_go({"sentence": "S.", **card}, 3)
    assert (recorded.question, recorded.state, recorded.sentence) == ("go", state, "S.")


@pytest.mark.parametrize(
    ("row", "name", "value", "needed"),
    [
        (criterion("quality", "0.8"), "Requests of tasks with good enough answers", "80 %", "≥ 70 %"),
        (criterion("latency", "320", threshold="500"), "First token, 95th percentile", "320 ms", "< 500 ms"),
        (criterion("saving", "120", threshold="100"), "Saving a month", "$120", "> $100"),
        (criterion("reliability", "0.9995", threshold="0.99"), "Uptime, self-hosted", "99.95 %", "> 99 %"),
        (criterion("reliability", "0.996369", threshold="0.99"), "Uptime, self-hosted", "99.64 %", "> 99 %"),
        (criterion("reliability", "0.98996", threshold="0.99"), "Uptime, self-hosted", "98.99 %", "> 99 %"),
        (criterion("saving", None, State.NOT_ENOUGH, "100"), "Saving a month", "not known", "> $100"),
    ],
)
def test_a_criterion_is_told_with_what_is_asked(row: Verdict, name: str, value: str, needed: str) -> None:
    shown = CriterionRow(row)
    assert (shown.name(), shown.value().replace("\u202f", " "), shown.needed().replace("\u202f", " ")) == (
        name, value, needed,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("slug", "interval", "name", "between"),
    [
        ("quality", [0.5, 0.75], "Good enough", "between 50.00 % and 75.00 %"),
        ("latency", [300, 1400], "Fast enough", "between 300 ms and 1.40 s"),
        ("saving", ["-5", "10"], "Cheaper", "between −5.00 and +10.00"),
        ("reliability", None, "Reliable", ""),
    ],
)
def test_a_recorded_criterion_is_told_with_its_interval(slug: str, interval: Any, name: str, between: str) -> None:
    row = RecordedCriterion({"slug": slug, "interval": interval, "holds": True, "set_aside": False}, 1)
    assert (row.name(), strip_tags(row.between()).replace("\u202f", " ")) == (name, between)


def test_a_record_of_before_the_interval_has_the_crossing_alone() -> None:
    crossing = {"requests_per_month": 87_783, "to": "selfhost"}
    assert strip_tags(RecordedMoney({"crossings": [crossing]}, 3).pays_from()) == "about 87,800"
    with_ends = {"crossings": [crossing], "crossing_interval": [61_000, 140_000]}
    assert strip_tags(RecordedMoney(with_ends, 3).pays_from()) == "about 87,800 (61,000 to 140,000)"
    assert RecordedMoney({"crossings": []}, 3).pays_from() == "none"


def test_a_task_passes_fails_is_too_close_or_has_too_few_ratings() -> None:
    rows = [TaskRow("rag", "RAG", 10, 30, D("0.8"), Interval(D("0.6"), D("0.9")), state) for state in State]
    assert [(row.mark, row.word(), row.passes, row.enough) for row in rows] == [
        ("ok", "passes", True, True),
        ("bad", "fails", False, True),
        ("warn", "too close to call", False, True),
        ("unknown", "too few ratings", False, False),
    ]


def test_the_burden_is_held_against_what_was_agreed() -> None:
    free, within = OpsWorkload(incidents=2), OpsWorkload(incidents=2, most_incidents=2)
    over = OpsWorkload(incidents=2, most_incidents=1)
    assert page_of(ops_workload=free).workload_headline() == "Operations workload"
    assert page_of(ops_workload=within).workload_headline() == "Operations stay within the limits"
    assert page_of(ops_workload=over).workload_headline() == "Operations exceed the limits"
    rows = [page_of(ops_workload=burden).workload[0] for burden in (free, within, over)]
    assert [(row.mark, row.word()) for row in rows] == [("unknown", "not limited"), ("ok", "yes"), ("bad", "no")]


def test_each_burden_says_where_it_comes_from() -> None:
    incidents, hours, pages = workload_rows(OpsWorkload())
    assert [row.label for row in (incidents, hours, pages)] == ["Incidents", "Hours of work", "Calls"]
    assert 'href="/uptime/#outages"' in incidents.source() and 'href="/alerts/"' in pages.source()
    assert ">delivered alerts about self-hosted deployments</a>" in pages.source()
    assert WorkloadRow("hours", 0, None, False).source() == hours.source() == "as people entered them"


def test_a_signed_decision_says_who_signed_it_and_whether_it_stands() -> None:
    first = Decision(number=1, choice="go", signed_by="ann", signed_name="Ann <a>", signed_at=NOW)
    assert signed_headline([]) == "No signed decision yet"
    assert strip_tags(signed_headline([first])).startswith("Current decision: GO (Ann &lt;a&gt;, ")
    assert strip_tags(record_answer(first, None)).startswith("GO, signed by Ann &lt;a&gt;, ")
    assert record_answer(first, None).endswith(". It is the current decision.")
    assert (seal_headline(True), seal_headline(False)) == ("Intact: the digest matches this record", "Not intact")
    assert record_answer(first, Decision(number=2)).endswith(". Decision 2 has superseded it.")


# Sizing.

SHEET = sheets.load()
MODEL = SHEET.models[0]
NEED = memory.memory(MODEL, "fp16", context_tokens=4096, concurrency=2)


def rentable(count: int = 1, rented: int = 1, speed: Speed | None = None, old: bool = False) -> Rentable:
    return Rentable("runpod", "L4", "spot", D(24), count, rented, D("0.5"), 1, NOW, old, 3, speed)


def sizing(fits: list[memory.Fit], offers: list[Rentable], seen_at: datetime | None = None) -> SizingPage:
    return SizingPage(MODEL, "16 bits", NEED, 4096, 2, fits, {}, seen_at, offers)


FITS = memory.fits(SHEET, MODEL, "fp16", context_tokens=4096, concurrent=2)


def test_the_need_is_told_with_the_cheapest_that_can_be_rented() -> None:
    now = sizing(FITS, [rentable()]).answer()
    assert now.startswith(f"{MODEL.name} in 16 bits needs <b>{NEED.total:.1f} GB</b> for 2 requests of 4,096 tokens at")
    assert ": 1 × <b>L4</b> at RunPod, spot, for $0.50 an hour, <b>$365 a month</b>." in now
    then = sizing(FITS, [rentable(old=True)]).answer()
    assert f"(January 2026): {FITS[0].count} × <b>{FITS[0].gpu.name}</b> from <b>$" in then
    assert sizing([], []).answer().endswith(". No GPU of the sheet holds that, not even eight.")


def test_ways_to_rent_are_counted() -> None:
    assert sizing([], []).offers_headline() == "No offers now"
    assert sizing([], [rentable()]).offers_headline() == "Offers now"
    assert sizing([], []).fits_headline() == "No GPU on the sheet is large enough"
    assert sizing(FITS[:1], []).fits_headline() == "1 option in the reference prices"
    assert sizing(FITS[:2], []).fits_headline() == "2 options in the reference prices, cheapest first"
    assert (sizing([], [rentable()] * 14).more_offers, sizing([], [rentable()]).more_offers) == (2, 0)
    assert "offers read <time" in sizing([], [], NOW).fits_source()
    assert "offers read" not in sizing([], []).fits_source()


def test_an_offer_says_what_to_mind_and_how_fast_it_is() -> None:
    assert OfferRow(rentable(2, 4)).machine_note() == "2 are enough"
    assert OfferRow(rentable(2, 2)).machine_note() == "in one machine, if it has them"
    assert OfferRow(rentable()).machine_note() == ""
    assert "not measured" in OfferRow(rentable()).speed()
    exact = Speed("L4", D(40), D(40), False, "a trial", "")
    bound = Speed("L4", D(40), D("62.5"), True, "a <page>", "https://example.test/")
    assert OfferRow(rentable(speed=exact)).speed() == '40<span class="secondary">a trial</span>'
    assert OfferRow(rentable(speed=bound)).speed() == (
        '40–62.5<span class="secondary">one stream, so at least that · '
        '<a href="https://example.test/">a &lt;page&gt;</a></span>'
    )
    assert OfferRow(rentable()).url == "/providers/offers/?provider=runpod&gpu=L4&kind=spot"


def test_a_fit_says_how_fast_it_is_and_what_it_costs_today() -> None:
    fit = FITS[0]
    assert FitRow.of(fit, {}).today is None
    price = {(fit.price.provider, fit.gpu.name, str(fit.price.kind)): D(1)}
    assert FitRow.of(fit, price).today == fit.count * fit.price.hours_per_month
    slow = replace(fit, tokens_per_second=sheets.Span(D(40), D(40)), basis="single_stream")
    assert FitRow(replace(fit, tokens_per_second=None), None).speed() == "not measured"
    assert FitRow(replace(slow, basis="aggregate"), None).speed() == "40"
    assert FitRow(slow, None).speed() == '40 <span class="secondary">one stream: at least that</span>'
