"""What the pages of the ledger, units, changes, statements, bills and charges say in each case, on plain figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from costs.anomalies.page import AnomaliesPage, AnomalyRow
from costs.bill_imports import page as bill_page
from costs.bill_imports.services import BillPreview
from costs.charges import page as charge_page
from costs.charges.page import ChargeRow, RecurrenceRow
from costs.dates import Days
from costs.focus import page as export_page
from costs.ledger import page as ledger_page
from costs.ledger.page import LedgerRow
from costs.ledger.sharing_choices import SharingComparison
from costs.ledger.sharing_choices import headline as sharing_headline
from costs.models import Anomaly, BillImport, Charge, ExchangeRate, ExportTarget, Phase, Recurrence, Tolerance
from costs.reconciliation.page import ProviderRow
from costs.reconciliation.page import headline as bills_headline
from costs.reconciliation.reconcile import Cause, Reconciled, Reconciliation
from costs.reconciliation.tolerances import Allowed, reconciliation_gap, words_of
from costs.statements.queries import NOBODY, RowKey, Statement, StatementLine, Statements
from costs.units import page as unit_page
from costs.units.queries import Incidents, Unit
from costs.variance import queries as changes
from costs.variance.bridge import Bridge, BridgePart, Step

pytestmark = pytest.mark.usefixtures("stopped_clock")

YEAR = 2026
MONTH, BEFORE = date(YEAR, 11, 1), date(YEAR, 10, 1)
WHOLE = Days(MONTH, date(YEAR, 12, 1), BEFORE, MONTH)
RUNNING = Days(MONTH, date(YEAR, 11, 11), BEFORE, date(YEAR, 10, 11))
NOW = datetime(YEAR, 12, 1, 12, tzinfo=UTC)


def plain(html: str) -> str:
    """As it is read, without tags and with plain spaces."""
    return re.sub(r"<[^>]+>", "", html).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")


# --- the ledger, and who carries machines ---


@pytest.mark.parametrize(
    ("lines", "still_open", "headline"),
    [
        (0, 0, "No entries match in November."),
        (1, 5, "$12.00 in November, of which $5.00 may still change."),
        (1200, 5, "$12.00 in November, of which $5.00 may still change."),
        (1, 0, "$12.00 in November, final (1 entry)."),
        (1200, 0, "$12.00 in November, final (1,200 entries)."),
    ],
)
def test_the_ledger_counts_its_lines_and_says_what_may_still_change(lines: int, still_open: int, headline: str) -> None:
    assert plain(ledger_page.headline(MONTH, lines, Decimal(12), Decimal(still_open))) == headline


def test_a_line_of_the_ledger_names_what_was_paid_for_and_in_what_currency() -> None:
    row = LedgerRow(MONTH, "vast", "billed", "gpu", Decimal(11), Decimal(10))
    assert plain(row.subject()) == "–" and row.original_text() == ""
    assert replace(row, application="Support").subject() == "Support"
    assert replace(row, application="Support", resource="m-1").subject() == "m-1"
    assert replace(row, resource="m-1", model="claude").subject() == "claude"
    euros = replace(row, currency="EUR")
    assert (
        euros.original_text() == "10.00 EUR" and replace(euros, rate_source="ECB").original_text() == "10.00 EUR (ECB)"
    )


def test_the_page_of_sharing_says_what_machines_cost_and_what_of_it_is_idle() -> None:
    used, idle = SharingComparison("Support"), SharingComparison("Idle", idle=True)
    used.amounts |= {"tokens": Decimal(6), "time": Decimal(7)}
    idle.amounts |= {"tokens": Decimal(4), "time": Decimal(3)}
    assert plain(sharing_headline(MONTH, [used, idle], "tokens")) == (
        "GPU cost of $10.00 in November is split by tokens."
    )
    assert plain(sharing_headline(MONTH, [used], "time")) == "GPU cost of $6.00 in November is split by time."
    nothing = "No GPU cost in November. The method is time."
    assert plain(sharing_headline(MONTH, [], "time")) == nothing


# --- units ---


def units(unit: Unit) -> Any:
    return SimpleNamespace(whole=unit, days=WHOLE)


def test_the_page_of_units_says_what_a_request_and_an_accepted_answer_cost() -> None:
    unit = Unit("", "all", amount=Decimal(10), requests=1000)
    assert "No traffic in these days" in unit_page.headline(units(Unit("", "all")))
    assert plain(unit_page.headline(units(unit))) == "A request costs $0.0100 (mean of 1,000)."
    rated = replace(unit, ratings=10, acceptable=5)
    assert plain(unit_page.headline(units(rated))) == (
        "A request costs $0.0100 (mean of 1,000), an accepted answer $0.0200."
    )
    dearer = replace(unit, amount_before=Decimal(5), requests_before=1000)
    assert plain(unit_page.headline(units(dearer))) == (
        "A request costs $0.0100 (mean of 1,000). That is +100 % compared with October."
    )
    few = plain(unit_page.headline(units(replace(dearer, requests_before=999))))
    assert few.endswith(" Fewer than 1,000 requests are too few to compare with October.") and "%" not in few
    few = plain(unit_page.headline(units(replace(dearer, requests=999))))
    assert few.endswith(" Fewer than 1,000 requests are too few to compare with October.") and "%" not in few


def test_a_unit_without_ratings_has_no_cost_per_accepted_answer() -> None:
    unit = Unit("", "all", amount=Decimal(10), requests=1000)
    assert unit.accepted_text() == "not rated"
    assert replace(unit, ratings=3).accepted_text() == "none accepted"
    rated = replace(unit, ratings=3, acceptable=3)
    assert (rated.accepted_text(), rated.ratings_text()) == ("0.0100", "3 ratings, few")
    assert replace(unit, ratings=1).ratings_text() == "1 rating, few"
    assert replace(unit, ratings=30).ratings_text() == "30 ratings"


def test_the_incidents_are_counted() -> None:
    assert (
        unit_page.incidents_headline(Incidents(0, Decimal(0), Decimal(0))) == "No incidents of self-hosted deployments"
    )
    single, two = Incidents(1, Decimal(8), Decimal(0)), Incidents(2, Decimal(8), Decimal(0))
    assert unit_page.incidents_headline(single) == "1 incident of self-hosted deployments: $8.00 of upkeep"
    assert unit_page.incidents_headline(two) == "2 incidents of self-hosted deployments: $4.00 of upkeep each"


@pytest.mark.parametrize(
    ("requests", "users", "headline"),
    [
        (0, 0, "No traffic in these days yet, so there are no costs of users."),
        (1, 0, "The one request of these days names no user."),
        (1200, 0, "None of the 1,200 requests of these days names a user."),
        (1200, 1, "One user, who costs $3.00 in 7 requests."),
        (1200, 1000, "1,000 users. The most expensive costs $3.00 in 7 requests."),
    ],
)
def test_users_are_counted_and_the_dearest_is_priced(requests: int, users: int, headline: str) -> None:
    rows = [SimpleNamespace(amount=Decimal(3), requests=7)] if users else []
    found: Any = SimpleNamespace(requests=requests, users=users, rows=rows)
    assert plain(unit_page.users_headline(found)) == headline


# --- what changed ---


def test_the_largest_step_of_a_change_is_named() -> None:
    bridge = Bridge(Decimal(10), Decimal(15), [Step("volume", Decimal(4)), Step("mix", Decimal(1))])
    rows = changes.named_steps(bridge, WHOLE, {})
    assert plain(changes.headline(bridge, rows, WHOLE, None)) == (
        "$15.00 compared with $10.00 for October, mainly Volume (+4.00)."
    )
    plan = changes.Planned(Phase(name="Pilot"), Decimal(10), 1000)
    against_plan = plain(changes.headline(bridge, [], WHOLE, plan))
    assert against_plan == "$15.00 compared with $10.00 planned in “Pilot”."
    nothing = Bridge(Decimal(0), Decimal(0), [])
    assert changes.headline(nothing, [], WHOLE, None) == "No spend in either period."
    assert plain(changes.period(WHOLE, plan)) == "up to 30 Nov"
    assert changes.period(RUNNING, None) == "1 to 10 November, compared with 1 to 10 October"
    assert changes.period(WHOLE, None) == "November, compared with October"


@pytest.mark.parametrize(
    ("slug", "text"),
    [
        ("volume", "1,200"),
        ("tokens", "1,200"),
        ("cache", "120,000 %"),
        ("gpu_hours", "1200 h"),
        ("price", "1,200.00"),
    ],
)
def test_a_step_of_the_bridge_is_shown_in_its_own_unit(slug: str, text: str) -> None:
    part = BridgePart("plan", ("volume",), Decimal(1), None, Decimal(1200))
    step = Step(slug, Decimal(1), None, Decimal(1200), (part,))
    [row] = changes.named_steps(Bridge(Decimal(0), Decimal(1), [step]), WHOLE, {})
    assert (row.before_text(), plain(row.after_text()), plain(row.rows[0].after_text())) == ("", text, text)


# --- statements ---


def statements(*rows: Statement, today: date = date(YEAR, 12, 2), whole: bool = True) -> Statements:
    return Statements(MONTH, "application", today, list(rows), frozenset(), {}, {}, whole)


SUPPORT = Statement("support", "Support", requests=1, total=Decimal(7))
REST = Statement(NOBODY, "Unallocated", total=Decimal(3))


@pytest.mark.parametrize(
    ("shown", "headline"),
    [
        (statements(), "No spend in November, so there are no statements."),
        (statements(whole=False), "Your applications have no costs in November."),
        (statements(SUPPORT, whole=False), "Your applications cost $7.00 in November."),
        (statements(SUPPORT), "$7.00 in November, mostly Support."),
        (statements(REST), "$3.00 in November, $3.00 unallocated."),
        (
            statements(SUPPORT, REST, today=date(YEAR, 11, 20)),
            "$10.00 in November so far, mostly Support, $3.00 unallocated.",
        ),
    ],
)
def test_statements_say_what_the_month_cost_and_whose_most_of_it_is(shown: Statements, headline: str) -> None:
    assert plain(shown.headline()) == headline


def test_a_statement_says_its_sum_and_its_requests() -> None:
    everything = statements(SUPPORT, REST)
    assert plain(everything.headline_of(SUPPORT)) == "Support: $7.00 of November’s $10.00, for 1 request."
    assert plain(everything.headline_of(REST)) == "Unallocated: $3.00 of November’s $10.00."
    own = statements(SUPPORT, whole=False)
    many = Statement("support", "Support", requests=1200, total=Decimal(7))
    assert plain(own.headline_of(many)) == "Support: $7.00 in November, for 1,200 requests."
    assert REST.parts_text() == "of which idle GPUs 0.00" and SUPPORT.parts_text() == ""
    line = StatementLine(RowKey("docs-qa", "", "", ""))
    owned = Statement("ann", "Ann", [line], names={"docs-qa": "Documentation search"})
    assert owned.parts_text() == "Documentation search"


def test_a_statement_says_until_when_it_may_change() -> None:
    assert plain(statements(SUPPORT).state_mark()) == "final"
    running = plain(statements(SUPPORT, today=date(YEAR, 11, 20)).state_mark())
    assert running == f"the month is not over final on 1 December {YEAR}"
    late = Statements(
        MONTH, "owner", date(YEAR, 12, 2), [SUPPORT], frozenset({"vast"}), {}, {"vast": date(YEAR, 12, 9)}
    )
    assert plain(late.state_mark()) == f"open final on 9 December {YEAR}"


# --- bills against ours ---


def reconciled(unexplained: int = 0, **more: Any) -> Reconciled:
    causes = [Cause("unexplained", Decimal(unexplained))] if unexplained else []
    values: dict[str, Any] = {"measured": Decimal(10), "estimated": Decimal(0), "billed": Decimal(10)}
    values |= {"provider": "vast", "invoiced": Decimal(0), "complete_until": None}
    return Reconciled(causes=causes, **values | more)


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([], "No bill and no requests in November."),
        (
            [reconciled(billed=Decimal(0))],
            "No bill for November yet. The figures come from our own records.",
        ),
        ([reconciled()], "Bills match our records to the cent."),
    ],
)
def test_bills_are_held_against_ours_in_one_sentence(rows: list[Reconciled], headline: str) -> None:
    assert plain(bills_headline(MONTH, Reconciliation(MONTH, "open", rows))) == headline


def test_a_provider_says_how_far_its_bill_goes() -> None:
    def note(**more: Any) -> str:
        return ProviderRow(reconciled(**more), [], None, WHOLE.until).bill_note()

    assert note() == "no bill feed"
    assert note(invoiced=Decimal(4)) == "by an entered invoice"
    assert note(complete_until=date(YEAR, 11, 20)) == "bill complete before 20 Nov"
    assert note(complete_until=WHOLE.until) == "bill complete"
    assert note(closed_on=date(YEAR, 12, 3)) == f"closed on 3 Dec {YEAR}"


def test_a_provider_is_held_against_its_tolerance() -> None:
    def mark(row: Reconciled, allowed: int | None = 5) -> str:
        gap = None if allowed is None else reconciliation_gap(row, MONTH, Allowed(Decimal(0), Decimal(allowed)))
        return plain(ProviderRow(row, [], gap, WHOLE.until).state_mark())

    assert mark(reconciled(), None) == "no bill"
    assert mark(reconciled(3)) == "unexplained"
    assert mark(reconciled(billed=Decimal(20))) == "over tolerance"
    assert mark(reconciled()) == "within tolerance"
    assert mark(reconciled(closed_on=MONTH)) == "closed"


def test_a_tolerance_is_told_or_the_usual_one_counts() -> None:
    said = Tolerance(share=Decimal("0.03"), amount=Decimal(9))
    assert plain(words_of(said, "Vast")) == "The bill of Vast may differ by 3 % or $9.00 a month, whichever is more."
    assert plain(words_of(None, "Vast")).endswith("the default tolerance of 5 % or $5.")


# --- manual entries, what repeats, exchange rates ---


@pytest.mark.parametrize(
    ("month", "number", "headline"),
    [
        (None, 0, "No manual entries yet. All costs come from bills, GPU rentals and requests."),
        (MONTH, 0, "No manual entries for November."),
        (MONTH, 1, "1 manual entry of $9.00 for November."),
        (MONTH, 3, "3 manual entries of $9.00 for November."),
        (None, 1, "1 manual entry of $9.00."),
        (None, 3, "3 manual entries of $9.00."),
    ],
)
def test_entered_charges_are_counted_and_summed(month: date | None, number: int, headline: str) -> None:
    assert plain(charge_page.charges_headline(month, number, Decimal(9))) == headline


def test_the_links_of_entered_charges_say_what_is_behind_them() -> None:
    assert charge_page.largest_text([]) == "Examples"
    assert charge_page.largest_text([("lambda", Decimal(9))]) == "Highest: Lambda, $9.00"


def test_a_charge_is_opened_where_it_can_be_changed() -> None:
    charge = Charge(pk=7, provider="vast", day=MONTH, starts_at=datetime(YEAR, 11, 1, tzinfo=UTC), category="upkeep")
    assert ChargeRow(charge, MONTH).url == "/spend/charges/7/" and plain(ChargeRow(charge, MONTH).day()) == "1 Nov"
    charge.invoice_month = f"{YEAR}-11"
    assert ChargeRow(charge, MONTH).day() == f"November {YEAR}"
    charge.bill_import_id = 3
    assert ChargeRow(charge, MONTH).url == "/spend/bills/3/"
    late = ChargeRow(charge, MONTH + timedelta(days=400))
    assert late.is_final and late.url == "/spend/charges/7/"


def series(**more: Any) -> RecurrenceRow:
    recurrence = Recurrence(provider="vast", category="upkeep", starts_on=MONTH, **more)
    return RecurrenceRow(recurrence, date(YEAR, 12, 1), [])


def test_what_repeats_says_its_days_and_its_state() -> None:
    row = series()
    assert row.period() == f"since 1 Nov {YEAR}"
    assert series(until=date(YEAR, 12, 31)).period() == f"1 Nov {YEAR} to 31 Dec {YEAR}"
    assert plain(row.state_mark()) == "active"
    waits = replace(row, waiting=[MONTH])
    assert plain(waits.state_mark()) == "exchange rate missing" and waits.lacks_rate
    assert plain(replace(row, next=None).state_mark()) == "ended"
    stopped = replace(series(stopped_at=NOW), waiting=[MONTH])
    assert plain(stopped.state_mark()) == "stopped" and not stopped.lacks_rate


def test_what_repeats_is_counted_and_the_first_is_named() -> None:
    assert charge_page.recurrences_headline([replace(series(), next=None)]) == "No active repeating costs."
    single, two = charge_page.recurrences_headline([series()]), charge_page.recurrences_headline([series(), series()])
    assert plain(single) == "1 repeating cost, next on 1 December: upkeep at Vast.ai."
    assert plain(two) == "2 repeating costs, next on 1 December: upkeep at Vast.ai."


def test_the_newest_exchange_rate_is_told() -> None:
    rate = ExchangeRate(currency="EUR", usd=Decimal("1.0800"), day=MONTH)
    assert charge_page.rates_headline([], 0) == "No exchange rates yet. Entries in USD need none."
    single = plain(charge_page.rates_headline([rate], 1))
    assert single == f"1 EUR is 1.08 USD since 1 November {YEAR}. One currency has rates."
    assert plain(charge_page.rates_headline([rate], 3)).endswith("3 currencies have rates.")


# --- bills as files, exports, anomalies ---


def test_a_bill_that_came_as_a_file_says_what_it_becomes() -> None:
    file, good = BillImport(file_name="b.csv", rows=1200), BillPreview()
    say = bill_page.headline
    assert plain(say(file, good, 1, Decimal(9))) == "b.csv has 1 entry of $9.00."
    assert plain(say(file, good, 3, Decimal(9))) == "b.csv has 3 entries of $9.00."
    single, two = BillPreview(errors=[(1, "no")]), BillPreview(errors=[(1, "no"), (2, "no")])
    assert plain(say(file, single, 0, Decimal(0))) == "1 row of 1,200 has an error, so nothing was saved."
    assert plain(say(file, two, 0, Decimal(0))) == "2 rows of 1,200 have errors, so nothing was saved."
    undone = BillImport(file_name="b.csv", rows=1200, undone_at=NOW)
    assert plain(say(undone, good, 0, Decimal(0))) == "b.csv is undone and does not count."
    marks = (undone, BillImport(entered_at=NOW), file)
    assert [plain(bill_page.state_mark(row, "previewed")) for row in marks] == ["undone", "entered", "previewed"]


def test_bills_as_files_are_counted_and_summed() -> None:
    rows = [BillImport(amount=Decimal(4)), BillImport(amount=Decimal(5))]
    assert bill_page.list_headline([]) == "No bill files yet. A FOCUS file becomes ledger entries by day."
    assert plain(bill_page.list_headline(rows[:1])) == "1 bill file of $4.00."
    assert plain(bill_page.list_headline(rows)) == "2 bill files of $9.00."


def test_exports_say_whether_they_arrived() -> None:
    good, off = ExportTarget(name="Lake"), ExportTarget(name="Old", enabled=False, error="gone")
    bad = ExportTarget(name="Shed", error="It is full.")
    say = export_page.list_headline
    assert say([]) == "No exports yet. FOCUS files can be downloaded below."
    assert plain(say([good, off])) == "1 of 2 exports is on, and nothing has failed."
    assert plain(say([good, good])) == "2 of 2 exports are on, and nothing has failed."
    assert plain(say([good, bad])) == "One export failed, Shed: It is full."
    assert plain(say([bad, bad])) == "2 exports failed, first Shed: It is full."


def test_an_export_says_its_last_run() -> None:
    moment = NOW - timedelta(minutes=3)
    say = export_page.headline
    assert say(ExportTarget(kind="s3")).startswith("To a bucket") and say(ExportTarget(kind="folder")).startswith(
        "To a f"
    )
    assert say(ExportTarget(pk=1)) == "It has not run yet."
    ran = ExportTarget(pk=1, succeeded_at=moment, files=3)
    assert plain(say(ran)) == "Last run: 3 files, 3 min ago." and ran.result() == "3 files"
    assert plain(say(ExportTarget(pk=1, succeeded_at=moment, files=1))) == "Last run: one file, 3 min ago."
    failed = ExportTarget(pk=1, tried_at=moment, error="It is full.")
    assert plain(say(failed)) == "The last run, 3 min ago, failed: It is full." and failed.result() == "It is full."
    headings = [
        export_page.form_heading(target) for target in (ran, ExportTarget(kind="s3"), ExportTarget(kind="folder"))
    ]
    assert headings == ["Target, schedule and format", "New bucket", "New folder"]


def anomalies(look: Any, *costs: int | None) -> AnomaliesPage:
    page = AnomaliesPage(NOW)
    rows = [AnomalyRow(Anomaly(costs=cost and Decimal(cost)), None) for cost in costs]
    page.__dict__.update(look=look, rows=rows, names={"b": "Bot"})  # each is read once, and then kept there
    return page


def test_anomalies_are_counted_with_what_they_cost() -> None:
    look = SimpleNamespace(applications=1, at=NOW, too_little=[["a", 1], ["b", 2]])
    assert anomalies(None).headline().startswith("Not checked yet")
    assert plain(anomalies(look).headline()).startswith(
        "No anomaly: spend, tokens, cache hits, errors and latency of one app"
    )
    many = SimpleNamespace(applications=3, at=NOW, too_little=[])
    assert "of 3 applications are as usual" in plain(anomalies(many).headline())
    assert plain(anomalies(look, None).headline()) == "One thing differs from its own history."
    assert plain(anomalies(look, 4, 5).headline()) == (
        "2 things differ from their own history. Total: $9.00 a day more than usual."
    )
    assert anomalies(look).too_little == "a (1 day), Bot (2 days)" and anomalies(None).too_little == ""


def test_an_anomaly_says_whether_it_is_over() -> None:
    assert plain(AnomalyRow(Anomaly(), None).state_mark()) == "differs against the same weekdays of eight weeks"
    ended = Anomaly(ended_at=datetime(YEAR, 11, 3, 9, tzinfo=UTC))
    assert plain(AnomalyRow(ended, None).state_mark()) == "ended as usual since 3 Nov, 09:00"
