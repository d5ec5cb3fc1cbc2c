"""What the Spend page says in words, from plain figures."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from costs.allocation.queries import Spend
from costs.reconciliation.differences import differences
from costs.reconciliation.reconcile import Cause, Reconciled
from costs.reconciliation.tolerances import Allowed, reconciliation_gap
from costs.spend.page import SpendPage, SpendParams
from costs.spend.rows import Bills, ProviderRow, ReportedCost, Unknown, Unknowns, UserRow
from costs.spend.token_costs import ClassCost, TokenCosts
from costs.variance.bridge import Bridge, Step
from costs.variance.queries import StepRow
from tests.pages import unmarked
from traffic.usage.filters import Filters

NOW = datetime(2026, 6, 18, 14, tzinfo=UTC)
JUNE, MAY = date(2026, 6, 1), date(2026, 5, 1)


def page_of(month: date = JUNE, **parts: Any) -> SpendPage:
    """A page of given parts, that reads nothing."""
    page = SpendPage(SpendParams(month, Filters()), NOW)
    vars(page).update(parts)
    return page


def total_of(total: str = "100", unpriced: int = 0) -> Spend:
    return Spend(JUNE, NOW.date(), Decimal(total), {}, [], 0, unpriced, 0)


def provider_row(slug: str, amount: str, share: str | None = None, before: str = "0") -> ProviderRow:
    part = Decimal(share) if share else None
    return ProviderRow(slug, {}, Decimal(amount), 0, 0, Decimal(before), None, None, part)


CLAUDE, RUNPOD = provider_row("anthropic", "60", "0.6"), provider_row("runpod", "30", "0.3")
UP = Bridge(Decimal(80), Decimal(100), [])


@time_machine.travel(NOW, tick=False)
@pytest.mark.parametrize(
    ("month", "unpriced", "before", "filtered", "answer"),
    [
        (JUNE, 0, 0, [], "<b>$100.00</b> spent in June so far"),
        (JUNE, 3, 0, [], "At least <b>$100.00</b> spent in June so far"),
        (MAY, 0, 0, [], "<b>$100.00</b> spent in May"),
        (MAY, 3, 0, [], "At least <b>$100.00</b> spent in May"),
        (JUNE, 0, 80, [], "<b>$100.00</b> spent in June so far, +25 % compared with 1 to 18 May"),
        (MAY, 0, 80, [], "<b>$100.00</b> spent in May, +25 % compared with April"),
        (MAY, 0, 0, ["RunPod", "<b>"], "<b>$100.00</b> spent in May on RunPod, &lt;b&gt;."),
    ],
)
def test_the_answer_says_what_was_spent_on_what_and_against_before(
    month: date, unpriced: int, before: int, filtered: list[str], answer: str
) -> None:
    change = Bridge(Decimal(before), Decimal(100), [])
    page = page_of(month, total=total_of(unpriced=unpriced), change=change, providers=[CLAUDE, RUNPOD], bills=None)
    assert unmarked(page.answer(filtered)).replace("\u202f", " ") == answer.removesuffix(".") + "."


@time_machine.travel(NOW, tick=False)
def test_the_answer_of_one_provider_names_no_shares() -> None:
    page = page_of(total=total_of(), change=UP, providers=[CLAUDE], bills=None)
    assert page.answer([]).endswith("+25\u202f% compared with 1 to 18 May.")


def bill_of(billed: str, ours: str = "10", complete: date | None = MAY, invoiced: str = "0", **causes: str) -> Bills:
    amounts = [Cause(slug, Decimal(amount)) for slug, amount in causes.items()]
    row = Reconciled(Decimal(ours), Decimal(0), Decimal(billed), amounts, "anthropic", Decimal(invoiced), complete)
    gaps = [reconciliation_gap(row, MAY, Allowed())] if row.has_bill else []
    return Bills([row], gaps, "open", JUNE)


@pytest.mark.parametrize(
    ("bills", "headline", "answer"),
    [
        (bill_of("0", complete=None), "No bill covers this month yet", ""),
        (
            bill_of("20", unexplained="10"),
            "Bills over tolerance: Anthropic",
            "Bills are <b>$10.00 (100 %)</b> above our records. $10.00 of the difference is unexplained.",
        ),
        (
            bill_of("30", ours="40", not_billed="-11", unseen_requests="1"),
            "Bills over tolerance: Anthropic",
            "Bills are <b>$10.00 (25 %)</b> below our records. $11.00 of requests are missing from Anthropic’s bill.",
        ),
        (
            bill_of("12", unseen_requests="2"),
            "Bills within tolerance",
            "Bills are <b>$2.00 (20 %)</b> above our records.",
        ),
        (
            bill_of("12", ours="0", lease_unseen="12"),
            "Bills over tolerance: Anthropic",
            "Bills are <b>$12.00</b>, and our records are empty.",
        ),
        (
            bill_of("12", ours="20", not_complete="-11", unseen_requests="3"),  # the row's own difference is -8
            "Small bill differences: Anthropic",
            "Bills are <b>$3.00 (33 %)</b> above our records. Days that are not billed yet are left out.",
        ),
        (bill_of("10"), "Bills within tolerance", "Bills match our records to the cent."),
        (
            bill_of("3", ours="0", unseen_requests="3"),
            "Small bill differences: Anthropic",
            "Bills are <b>$3.00</b>, and our records are empty.",
        ),
        (
            bill_of("3.00", ours="2.95", unseen_requests="0.05"),
            "Bills within tolerance",
            "Bills are <b>$0.05 (2 %)</b> above our records.",
        ),
        (
            bill_of("4", not_complete="-6"),
            "Bills within tolerance",
            "Bills match our records to the cent for the days billed so far.",
        ),
    ],
)
def test_bills_are_held_against_ours_in_words(bills: Bills, headline: str, answer: str) -> None:
    assert bills.headline().replace("\u202f", " ") == headline
    assert unmarked(bills.answer()).replace("\u202f", " ") == answer


def test_bills_on_both_sides_of_our_records_are_not_added_up() -> None:
    rows = [*bill_of("4").rows, *bill_of("13").rows]
    assert differences(rows) == (
        "Bills are <b>$6.00</b> below our records (Anthropic) and <b>$3.00</b> above them (Anthropic)."
    )


@pytest.mark.parametrize(
    ("bills", "note", "state"),
    [
        (bill_of("20", not_billed="10"), "bill complete before 1 May", ("warn", "over tolerance")),
        (bill_of("10", complete=JUNE), "bill complete", ("ok", "within tolerance")),
        (bill_of("10", complete=None, invoiced="10"), "by an entered invoice", ("ok", "within tolerance")),
        (bill_of("0", complete=None, no_bill="-10"), "no bill feed", ("unknown", "no bill")),
        (bill_of("20", unexplained="10"), "bill complete before 1 May", ("bad", "over tolerance")),
        (bill_of("12", unexplained="2"), "bill complete before 1 May", ("bad", "unexplained")),
        (bill_of("3", ours="0", unseen_requests="3"), "bill complete before 1 May", ("warn", "small difference")),
        (bill_of("0", ours="3", not_billed="-3"), "bill complete before 1 May", ("warn", "small difference")),
        (bill_of("3", ours="2.95", unseen_requests="0.05"), "bill complete before 1 May", ("ok", "within tolerance")),
        (bill_of("5", ours="4", unseen_requests="1"), "bill complete before 1 May", ("ok", "within tolerance")),
        (bill_of("5", ours="3.99", unseen_requests="1.01"), "bill complete before 1 May", ("warn", "small difference")),
    ],
)
def test_each_bill_says_how_far_it_goes_and_whether_it_matches(bills: Bills, note: str, state: tuple[str, str]) -> None:
    (row,) = bills.table
    mark, word = state
    assert (row.note(), row.state()) == (note, f'<span class="state {mark}">{word}</span>')


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([], "By provider"),
        ([provider_row("anthropic", "100")], "Anthropic: 100 % of spend"),
        ([CLAUDE, RUNPOD], "Anthropic and RunPod: 90 % of spend"),
        ([CLAUDE, provider_row("runpod", "40")], "Anthropic and RunPod: 100 % of spend"),
    ],
)
def test_the_largest_providers_are_named(rows: list[ProviderRow], headline: str) -> None:
    page = page_of(total=total_of(), providers=rows)
    assert page.providers_headline().replace("\u202f", " ") == headline


def test_a_vendor_is_called_as_its_connector_says_where_we_have_no_name() -> None:
    assert [provider_row(slug, "1").name for slug in ("digitalocean", "runpod", "aurora")] == [
        "DigitalOcean", "RunPod", "aurora",
    ]  # fmt: skip


def test_a_providers_change_is_a_share_or_new_or_none() -> None:
    assert provider_row("x", "6", before="4").change_words() == "+50\u202f%"
    assert provider_row("x", "6").change_words() == "new"
    assert "–" in provider_row("x", "0").change_words()


@time_machine.travel(NOW, tick=False)
def test_the_largest_step_of_the_change_is_named() -> None:
    row = StepRow(Step("volume", Decimal(20)), "Volume", "", "", [])
    assert page_of(change=UP, steps=[]).change_headline() == "No change since May"
    assert page_of(change=Bridge(Decimal(0), Decimal(5), [])).change_headline() == (
        "No spend in May, so all spend is new"
    )
    change = Bridge(Decimal(80), Decimal(100), [row.step])
    assert (
        page_of(change=change, steps=[row], known_applications={}).change_headline() == "Largest change: Volume, +20.00"
    )


@time_machine.travel(NOW, tick=False)
def test_a_month_is_named_with_what_it_is_held_against() -> None:
    running, whole = page_of(total=total_of(unpriced=1)), page_of(MAY, total=total_of())
    assert (running.month_words(), whole.month_words()) == ("June, at least", "May")
    assert (running.before_words(), whole.before_words()) == ("1 to 18 May", "April")
    assert running.against_words() == "compared with 1 to 18 May, USD"


def test_the_dearest_day_stands_beside_a_usual_one() -> None:
    amounts = {MAY: Decimal(1), JUNE: Decimal(9), date(2026, 6, 2): Decimal(3)}
    assert page_of(day_amounts=amounts).days_headline() == ("Typical day $3.00, highest day $9.00 (1 June)")
    assert page_of(day_amounts={}).days_headline() == "No complete day this month"


def test_the_user_that_costs_the_most_is_named() -> None:
    nobody = UserRow("", "", "Manual entries", Decimal(9))
    shop = UserRow("shop", "Web shop", amount=Decimal(5), share=Decimal("0.25"))
    assert page_of(users=[nobody, shop]).users_headline() == "Highest cost: Web shop, $5.00 (25\u202f%)"
    assert page_of(users=[nobody]).users_headline() == "All spend is unallocated"


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([], "Every request has a cost"),
        ([Unknown("x", "m", 0, 4, 0)], "Every model has a price, but some responses have no token counts"),
        ([Unknown("x", "m", 1200, 0, 0)], "1 model without a price answered 1,200 requests"),
        ([Unknown("x", "m", 2, 0, 0)] * 2, "2 models without a price answered 4 requests"),
    ],
)
def test_what_has_no_cost_is_counted(rows: list[Unknown], headline: str) -> None:
    assert Unknowns(rows).headline() == headline


def test_without_a_bill_that_is_said() -> None:
    assert page_of(bills=None).bills_headline() == "Bills have no model, application or task"


def reported(otherwise: int, requests: int = 3) -> str:
    return ReportedCost("x", "m", requests, otherwise, Decimal(4), Decimal(3)).headline()


def test_costs_that_others_report_are_held_against_ours() -> None:
    assert reported(0, 1) == "The reported cost of 1 request matches ours"
    assert reported(0) == "The reported costs of 3 requests match ours"
    assert reported(1) == "1 request with a different reported cost: $4.00 reported, $3.00 calculated"
    assert reported(2) == "2 requests with a different reported cost: $4.00 reported, $3.00 calculated"


def token_costs_of(cost: str, saved: str) -> TokenCosts:
    rows = [ClassCost("cache_read", 10, Decimal(cost)), ClassCost("output", 10, Decimal(1))]
    return TokenCosts(rows if Decimal(cost) else [], Decimal(0), Decimal(saved))


def test_the_dearest_class_of_tokens_is_named_with_what_the_cache_was_worth() -> None:
    dearest, nothing, lost = token_costs_of("3", "7"), token_costs_of("0", "0"), token_costs_of("3", "-2")
    assert dearest.headline() == "Cache read: 75\u202f% of API cost"
    assert dearest.cache_note() == "Prompt caching saved $7.00 at list prices."
    assert (nothing.headline(), nothing.cache_note()) == ("No token charges", "")
    assert lost.cache_note() == "Cache writes cost $2.00 more than cache reads saved."


@pytest.mark.parametrize(
    ("requests", "provenance", "words"),
    [
        (41, {"billed": Decimal(3)}, "41 requests"),
        (0, {"billed": Decimal(3), "entered": Decimal(1)}, "GPU rental only"),
        (0, {"entered": Decimal(4), "billed": Decimal(0)}, "manual entries only"),
    ],
)
def test_a_provider_without_requests_is_named_by_what_it_is_paid_for(
    requests: int, provenance: dict[str, Decimal], words: str
) -> None:
    row = ProviderRow("openai", provenance, Decimal(4), requests, 0, Decimal(0), None, None)
    assert row.traffic() == words
