"""What the savings page says in words, from plain figures."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from costs.models import Finding, Search
from costs.savings.page import SavingRow, Savings, measured_span
from costs.savings.verify import Outcome

NOW = datetime(2026, 9, 30, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def september() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def row_of(outcome: Outcome | None = None, behind: str = "", **fields: Any) -> SavingRow:
    return SavingRow(Finding(**fields), "A", "", "", "", behind, outcome)


def savings_of(ways: int = 0, arrived: int = 0, searched: bool = True, over: int = 0) -> Savings:
    row, behind = row_of(), SavingRow(Finding(behind="a"), "A", "", "", "", "A", None)
    search = Search(at=NOW, unjudged={}) if searched else None
    return Savings([row] * ways + [behind] * over, [], [], D("12.5"), D(7), arrived, search)


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        (savings_of(searched=False), "No search has run yet."),
        (savings_of(), "No savings found in the last two weeks of requests."),
        (savings_of(1), "<b>1 suggestion</b> could save <b>$12.50 a month</b>."),
        (savings_of(2), "<b>2 suggestions</b> could save <b>$12.50 a month</b>."),
        (savings_of(2, over=3), "<b>2 suggestions</b> could save <b>$12.50 a month</b>. 3 more overlap with these."),
        (savings_of(0, over=1), "Every suggestion overlaps with an accepted one."),
    ],
)
def test_the_answer_says_what_can_be_saved(page: Savings, answer: str) -> None:
    assert page.answer().startswith(answer)


def test_the_answer_says_what_arrived() -> None:
    assert savings_of(1, 1).answer().endswith("</b>. Accepted suggestions saved <b>$7.00 a month</b>.")
    assert savings_of(1, 2).answer().endswith("Accepted suggestions saved <b>$7.00 a month</b>.")
    assert "accepted" not in savings_of(1).answer()


@pytest.mark.parametrize(
    ("outcome", "mark", "verdict", "note"),
    [
        (Outcome("arrived", "day", share=0.95), "ok", "achieved", "95 % of the expected saving"),
        (Outcome("partly", "day", share=0.6), "warn", "partly achieved", "60 % of the expected saving"),
        (Outcome("failed", "day"), "bad", "not achieved", ""),
        (Outcome("noise", "day"), "unknown", "not measurable", "The change is within normal daily variation."),
        (Outcome("moved", "day"), "unknown", "not measurable", "Work moved to or from self-hosted models."),
        (Outcome("waiting", "day", days=5), "info", "not enough days yet", "2 full days to go"),
        (Outcome("waiting", "day", days=6), "info", "not enough days yet", "1 full day to go"),
    ],
    ids=lambda value: value.state if isinstance(value, Outcome) else "",
)
def test_an_accepted_saving_has_a_verdict(outcome: Outcome, mark: str, verdict: str, note: str) -> None:
    row = row_of(outcome)
    assert (row.mark, row.verdict(), row.verdict_note().replace("\u202f", " ")) == (mark, verdict, note)


def test_what_was_dismissed_and_has_grown_says_so() -> None:
    grown = row_of(state="open", decided_monthly=D(5), reason="Not <now>")
    assert grown.grown_note() == "Dismissed at $5.00 (“Not <now>”). The saving has grown since."
    assert (row_of(state="open").grown_note(), row_of().behind_note()) == ("", "")
    assert row_of(behind="B").behind_note() == "Overlaps with “B”, which is counted instead."


def test_a_finding_leads_to_its_machine_or_its_requests() -> None:
    assert (row_of(lease_id=1).link_words(), row_of().link_words()) == ("GPU details", "Requests")


def test_whoever_decided_is_called_by_the_full_name_where_there_is_one() -> None:
    ann, bob = User(username="ann", first_name="Ann", last_name="Lee"), User(username="bob")
    assert [row_of(decided_by=person).decided_by for person in (ann, bob, None)] == ["Ann Lee", "bob", ""]


@pytest.mark.parametrize(
    ("unit", "days", "words"),
    [
        ("request", 1, "USD a request, one day from <time"),
        ("day", 14, "USD a day, 14 days from <time"),
        ("hour", 14, "USD a GPU hour, 14 days from <time"),
        ("day", 0, "no full day yet"),
    ],
)
def test_a_measurement_says_what_it_is_per_and_of_which_days(unit: str, days: int, words: str) -> None:
    since = "2026-09-01" if days else None
    assert measured_span({"unit": unit, "days": days, "since": since}).startswith(words)
    assert measured_span(None) == "no full day yet"
