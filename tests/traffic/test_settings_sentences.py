"""What the settings pages of requests say, each branch of each sentence; on plain objects, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from providers.models import Account, Discount, Priced, TokenPrice, UnitPrice
from tests.pages import marked_text
from traffic.imports import run
from traffic.imports.page import Draft, Progress, list_headline
from traffic.imports.queries import Totals
from traffic.imports.translate import RecordResult
from traffic.models import Import, Repricing
from traffic.repricing.effect import Effect
from traffic.repricing.page import (
    DiscountRow,
    ModelPage,
    PricedModel,
    RepricingPage,
    UnitReview,
    book_heading,
    book_headline,
    discounts_headline,
    repricings_headline,
    unit_prices_headline,
)
from traffic.repricing.queries import Changes
from traffic.repricing.queries import Totals as RepricingTotals
from traffic.repricing.review import Change, Review

AT = datetime(2020, 5, 1, 12, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


# Imports.


@pytest.mark.parametrize(
    ("files", "any_file", "sentence"),
    [
        (1, True, "<b>1 file</b> added <b>1,200 new rows</b>."),
        (2, True, "<b>2 files</b> added <b>1,200 new rows</b>."),
        (0, True, "No imported data now. You can import requests from earlier tools."),
        (0, False, "No imports yet. You can import requests from earlier tools."),
    ],
)
def test_the_list_of_imports_begins_with_how_many_rows_they_brought(files: int, any_file: bool, sentence: str) -> None:
    assert list_headline(Totals(files, 1200), any_file=any_file) == sentence


@pytest.mark.parametrize(
    ("rows", "problem", "sentence"),
    [
        ([], "broken", "<b>a&amp;b.csv</b> cannot be read up to row 20."),
        (
            [RecordResult(1, problem="no time")],
            "",
            "Of the first row of <b>a&amp;b.csv</b>, <b>0</b> can be stored and 1 has an error.",
        ),
        (
            [RecordResult(1, reported=[None]), RecordResult(2)],  # type: ignore[list-item]
            "",
            "Of the first 2 rows of <b>a&amp;b.csv</b>, <b>1</b> can be stored and 0 have an error.",
        ),
    ],
)
def test_a_draft_begins_with_how_many_rows_can_be_stored(rows: list[RecordResult], problem: str, sentence: str) -> None:
    assert Draft(Import(file_name="a&b.csv"), rows, problem).headline() == sentence


def at_work(state: str = "running", **changed: Any) -> Progress:
    """An import of 2,048 bytes at a moment, of which half is read."""
    values: dict[str, Any] = {
        "file_name": "a.csv",
        "size": 2048,
        "offset": 1024,
        "accepted": 5,
        "claimed_until": AT + run.CLAIM,
    }
    return Progress(Import(state=state, **{**values, **changed}), AT, errors=[(2, "no time")])


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (at_work(), "<b>a.csv</b> has added <b>5 new rows</b>, 0 existed before and 0 have an error."),
        (
            at_work(accepted=1, duplicates=1, rejected=1),
            "<b>a.csv</b> has added <b>1 new row</b>, 1 existed before and 1 has an error.",
        ),
        (at_work("undone", removed=1200), "Import of <b>a.csv</b> undone: <b>1,200 rows</b>."),
    ],
)
def test_an_import_begins_with_what_it_brought(page: Progress, sentence: str) -> None:
    assert page.headline() == sentence


@pytest.mark.parametrize(
    ("page", "text"),
    [
        (at_work("undoing", removed=2), "2 of 5 rows undone"),
        (at_work("undone", removed=1, accepted=1), "1 of 1 row undone"),
        (at_work("done"), "5 rows read, 2.0 KB"),
        (at_work("done", accepted=1), "1 row read, 2.0 KB"),
        (at_work("failed", accepted=0), "1.0 KB of 2.0 KB"),
        (at_work("failed"), "5 of about 10 rows, 1.0 KB of 2.0 KB"),
        (at_work(accepted=0, claimed_until=None), "1.0 KB of 2.0 KB · waits for a worker"),
        (
            at_work(position={"pace": {"bytes": 100, "rows": 1500}}),
            "5 of about 10 rows, 1.0 KB of 2.0 KB · 1,500 rows/s · about 10 s left",
        ),
        (
            at_work(position={"pace": {"bytes": 8, "rows": 1}}),
            "5 of about 10 rows, 1.0 KB of 2.0 KB · 1 rows/s · about 2 min 8 s left",
        ),
        (
            at_work(position={"pace": {"bytes": 8, "rows": 1}}, claimed_until=AT + run.CLAIM - timedelta(seconds=40)),
            "5 of about 10 rows, 1.0 KB of 2.0 KB",
        ),
    ],
)
def test_an_import_says_how_far_it_is_and_how_long_the_rest_takes(page: Progress, text: str) -> None:
    assert page.how_far().replace("\N{NO-BREAK SPACE}", " ") == text


def test_an_import_says_when_it_began_and_ended_and_what_it_left_out() -> None:
    assert (at_work().heading(), at_work("done").heading()) == ("Running", "Result")
    assert at_work().moment() == ""
    assert marked_text(at_work("done", finished_at=AT).moment()) == "1 May 2020, 12:00"
    assert marked_text(at_work(finished_at=AT, started_at=LONG_AGO).moment()).startswith("started ")
    assert at_work().days() == ""
    days: dict[str, Any] = {"first_day": date(2026, 1, 2), "last_day": date(2026, 2, 3)}
    assert at_work(**days).days() == "2 Jan 2026 – 3 Feb 2026"
    assert at_work(rejected=1).errors_heading() == "1 line with an error was skipped"
    assert at_work(rejected=1200).errors_heading() == "1,200 lines with an error were skipped"
    assert at_work(rejected=1).errors_note() == ""
    assert at_work(rejected=2).errors_note() == "The first one is shown."
    many = Progress(Import(rejected=200_000), AT, errors=[(1, "no time"), (2, "no time")])
    assert many.errors_note() == "The first 2 are shown. The file has the first 100,000."


def test_an_import_says_aloud_how_many_rows_it_brought_or_took_back() -> None:
    assert at_work(rejected=1).aloud() == "being read: 50 %, 5 new rows, 1 with an error"
    assert at_work("undoing", removed=1).aloud() == "being undone: 20 %, 1 row undone"


# Prices.

HAIKU = PricedModel("anthropic", "haiku")


def a_price(days: int = 0, **changed: Any) -> TokenPrice:
    """A price of so many days ago."""
    rates: dict[str, Any] = {"uncached_input": Decimal(3), "output": Decimal(15)}
    moments: dict[str, Any] = {"starts_at": AT - timedelta(days=days), "seen_at": AT}
    return TokenPrice(**{"provider": "anthropic", "model": "haiku", **rates, **moments, **changed})


@pytest.mark.parametrize(("entered", "end"), [(0, "none of them"), (1, "one of them"), (7, "7 of them")])
def test_the_book_begins_with_how_many_prices_it_holds(entered: int, end: str) -> None:
    assert book_headline({"models": 1200, "versions": 3400, "entered": entered}) == (
        f"The book holds <b>3,400 prices</b> of <b>1,200 models</b>, {end} entered manually."
    )


def test_the_book_says_how_many_models_fit_what_was_looked_for() -> None:
    assert book_heading("", 9) == "Current prices"
    assert book_heading("son", 1) == "1 model matches “son”"
    assert book_heading("son", 1200) == "1,200 models match “son”"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            ModelPage(None, [], AT),
            "A manual price has a source and is valid until the next one.",
        ),
        (
            ModelPage(HAIKU, [], AT),
            "No price of <b>haiku</b> at anthropic is known, so its requests have no cost.",
        ),
        (ModelPage(HAIKU, [a_price(-1)], AT), "<b>haiku</b> has no valid price yet."),
        (
            ModelPage(HAIKU, [a_price(-1), a_price()], AT),
            "A million tokens of <b>haiku</b> cost <b>$3.00</b> as input and <b>$15.00</b> as output.",
        ),
        (
            ModelPage(HAIKU, [a_price()], AT, Discount(), a_price(output=Decimal(1))),
            "A million tokens of <b>haiku</b> cost <b>$3.00</b> as input and <b>$15.00</b> as output. "
            "We pay <b>$3.00</b> and <b>$1.00</b>.",
        ),
    ],
)
def test_the_page_of_a_model_begins_with_what_it_costs(page: ModelPage, sentence: str) -> None:
    assert page.headline() == sentence


def test_versions_of_a_price_say_whether_they_hold_and_where_they_come_from() -> None:
    page = ModelPage(HAIKU, [a_price(-1), a_price(entered_by=User(username="ann")), a_price(1)], AT)
    assert [version.state() for version in page.versions] == ["not yet", "holds now", ""]
    read, entered = (marked_text(version.origin()) for version in page.versions[:2])
    assert read.startswith("read ") and entered.startswith("entered by ann, ")
    assert [page.form_heading(), ModelPage(HAIKU, [], AT).form_heading()] == [
        "New price (no earlier price changes)",
        "Add price",
    ]
    assert page.discount_words() == ""
    assert ModelPage(HAIKU, [], AT, Discount(percent=Decimal("12.50"))).discount_words() == "12.5 % off the list"
    assert ModelPage(HAIKU, [], AT, Discount()).discount_words() == "own rates"


def a_review(effect: Effect | None, *changes: Change, standing: TokenPrice | None = None) -> Review:
    return Review(a_price(), standing, None, changes, effect)


@pytest.mark.parametrize(
    ("review", "sentence"),
    [
        (a_review(None, standing=a_price()), "<b>haiku</b> costs this already."),
        (
            a_review(None),
            "Requests to <b>haiku</b> cost this from <b>1 May 2020, 12:00</b>. There are none yet.",
        ),
        (a_review(Effect(0, 0, Decimal(0), None)), "No requests to <b>haiku</b> since this price began."),
        (
            a_review(Effect(1, 0, Decimal(0), None)),
            "<b>1 stored request</b> is affected, and a rate for it is missing.",
        ),
        (
            a_review(Effect(1200, 0, Decimal(0), None)),
            "<b>1,200 stored requests</b> are affected, and a rate for them is missing.",
        ),
        (
            a_review(Effect(1, 0, Decimal(2), Decimal(3))),
            "<b>1 stored request</b> is affected and would change by about <b>+1.00 USD</b>.",
        ),
        (
            a_review(Effect(2, 0, Decimal(2), Decimal(3))),
            "<b>2 stored requests</b> are affected and would change by about <b>+1.00 USD</b>.",
        ),
    ],
)
def test_the_review_of_a_price_begins_with_what_it_changes(review: Review, sentence: str) -> None:
    assert marked_text(review.headline()) == sentence


def test_the_review_of_a_price_says_how_long_it_holds_and_how_much_each_rate_changes() -> None:
    assert marked_text(a_review(None).holds()) == "holds from 1 May 2020, 12:00 on"
    followed = Review(a_price(), None, a_price(-1), (), None)
    assert marked_text(followed.holds()) == (
        "holds from 1 May 2020, 12:00 until 2 May 2020, 12:00, when the next price begins"
    )
    three, four = Decimal(3), Decimal(4)
    changes = [Change("", three, three), Change("", None, three), Change("", four, three)]
    assert [change.words() for change in changes[:2]] == ["same", "new"]
    assert changes[2].words().startswith("\N{MINUS SIGN}25")


@pytest.mark.parametrize(
    ("waiting", "holding", "sentence"),
    [
        (1, 5, "<b>One tier</b> has no factor, so its requests have no cost."),
        (2, 5, "<b>2 tiers</b> have no factor, so their requests have no cost."),
        (0, 1, "<b>One price</b> is valid now: GPUs, VMs, storage, traffic, tools, and factors of tiers and regions"),
        (0, 9, "<b>9 prices</b> are valid now: GPUs, VMs, storage, traffic, tools, and factors of tiers and regions"),
        (0, 0, "No prices of this kind yet."),
    ],
)
def test_the_page_of_other_prices_begins_with_what_waits_or_holds(waiting: int, holding: int, sentence: str) -> None:
    assert unit_prices_headline(waiting, holding).startswith(sentence)


def test_the_review_of_another_price_says_what_it_goes_from_and_to() -> None:
    def unit(amount: str) -> UnitPrice:
        return UnitPrice(kind=Priced.TIER, amount=Decimal(amount), starts_at=AT)

    new, same = UnitReview(unit("1.5"), None, None), UnitReview(unit("1.5"), unit("1.5"), None)
    assert (new.headline(), new.share) == ("No price of this kind yet.", None)
    assert same.headline() == f"It costs this already: <b>{unit('1').get_kind_display()}</b>."
    other = UnitReview(unit("1.5"), unit("1"), None)
    assert other.headline() == f"It changes from <b>{unit('1').plain}</b> to <b>{unit('1.5').plain}</b>."
    assert (other.share, marked_text(other.holds())) == (Decimal("0.5"), "holds from 1 May 2020, 12:00 on")


# Discounts and repricings.


@pytest.mark.parametrize(
    ("holding", "sentence"),
    [
        (0, "No discount today: every request costs the list price."),
        (1, "<b>One discount</b> is active. Costs, spend and break-even include it."),
        (2, "<b>2 discounts</b> are active. Costs, spend and break-even include them."),
    ],
)
def test_the_page_of_discounts_begins_with_how_many_hold(holding: int, sentence: str) -> None:
    assert discounts_headline(holding) == sentence


@pytest.mark.parametrize(
    ("discount", "mark", "state"),
    [
        (Discount(starts_on=AT.date()), "ok", "active"),
        (Discount(starts_on=date(2020, 6, 1)), "info", "to come"),
        (Discount(starts_on=date(2020, 1, 1), ends_on=date(2020, 2, 1)), "unknown", "ended"),
        (Discount(starts_on=AT.date(), withdrawn_at=AT), "unknown", "removed"),
    ],
)
def test_a_discount_says_whether_it_holds(discount: Discount, mark: str, state: str) -> None:
    row = DiscountRow(discount, AT.date(), [], 0, "")
    assert (row.mark, row.state(), row.origin()) == (mark, state, "")


def test_a_discount_says_who_entered_it() -> None:
    person = User(username="ann", first_name="Ann", last_name="<Lee>")
    row = DiscountRow(Discount(entered_by=person, entered_at=LONG_AGO, account=Account()), AT.date(), [], 0, "")
    assert row.origin().startswith("entered by Ann &lt;Lee&gt;, ")


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        (0, "No re-pricing yet. Each request has the price of its time."),
        (1, "<b>1 re-pricing</b> changed the cost of <b>1,200 requests</b>."),
        (2, "<b>2 re-pricings</b> changed the cost of <b>1,200 requests</b>."),
    ],
)
def test_the_list_of_repricings_begins_with_how_many_stand(runs: int, sentence: str) -> None:
    assert repricings_headline(RepricingTotals(runs, 1200)) == sentence


def a_repricing(state: str, requests: int = 0, **changed: Any) -> RepricingPage:
    values: dict[str, Any] = {"changed": 5, "created_at": AT, "until": date(2026, 2, 1)}
    whole: dict[str, Any] = {"requests": requests, "amount": Decimal(-2)}
    return RepricingPage(Repricing(state=state, **{**values, **changed}), Changes([], [], whole))


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        (
            a_repricing("undone", restored=4),
            "Undone: <b>4 of 5 requests</b> have their earlier cost again.",
        ),
        (a_repricing("previewing"), "So far no cost would change."),
        (a_repricing("previewed"), "No cost of this period changes at today’s prices."),
        (a_repricing("done", 1, started_at=AT), "<b>1 request</b> changed by <b>−2.00 USD</b>."),
        (a_repricing("done", 1200, started_at=AT), "<b>1,200 requests</b> changed by <b>−2.00 USD</b> in total."),
        (
            a_repricing("previewed", 1),
            "<b>1 request</b> would change by <b>−2.00 USD</b>. Nothing is saved yet.",
        ),
        (
            a_repricing("previewed", 2),
            "<b>2 requests</b> would change by <b>−2.00 USD</b> in total. Nothing is saved yet.",
        ),
    ],
)
def test_a_repricing_begins_with_what_it_changes(page: RepricingPage, sentence: str) -> None:
    assert page.headline() == sentence


def test_a_repricing_says_how_far_it_is_and_who_asked_for_it() -> None:
    planned, done = a_repricing("previewed", read=2, total=9), a_repricing("done", started_at=AT)
    assert [planned.heading(), done.heading(), a_repricing("running").heading()] == [
        "Nothing saved yet",
        "Result",
        "Running",
    ]
    assert planned.question() == "Re-pricing preview"
    assert done.question() == "Re-pricing"
    assert planned.how_far() == "2 of 9 requests checked"
    assert a_repricing("undoing", restored=2).how_far() == "2 of 5 requests restored"
    assert marked_text(planned.origin()) == "Started on the command line on 1 May 2020, 12:00."
    people: dict[str, Any] = {"by": User(username="ann"), "undone_by": User(username="bob")}
    assert marked_text(a_repricing("undone", why="<late>", **people).origin()) == (
        "Started by ann on 1 May 2020, 12:00. “&lt;late&gt;” Undone by bob."
    )


def test_a_repricing_goes_on_while_nothing_of_it_was_taken_back() -> None:
    assert a_repricing("failed", started_at=AT).may_go_on
    assert not a_repricing("failed", started_at=AT, restored=1).may_go_on
    assert not a_repricing("failed", started_at=AT, kept=1).may_go_on
    assert not a_repricing("cancelled").may_go_on and not a_repricing("done", started_at=AT).may_go_on
    assert (a_repricing("undone", restored=2, kept=1).gone, a_repricing("done").gone) == (2, 0)
