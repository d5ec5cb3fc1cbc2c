"""The first days of a month: the month that closed comes first, and the new one is too early to tell."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client

from alerts.defaults import ensure_defaults
from alerts.digests.content import digest
from alerts.digests.periods import Period
from alerts.models import Alert, AlertState, Rule
from costs.models import Closing
from costs.reconciliation import bill_status
from dashboard.overview import page
from dashboard.page_audit.marks import Marked, marked
from tests.alerts.conditions import findings
from tests.costs.entered import entered
from tests.costs.usage_rows import usage
from tests.factories import PhaseFactory
from tests.pages import words

pytestmark = pytest.mark.django_db

NOVEMBER = date(2026, 11, 1)
WEEK_AND_MONTH = (("weekly", 24), ("monthly", 1))


@pytest.fixture
def manager(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("mia", "mia@example.com", "a long password of hers"))
    return client


@pytest.fixture
def november() -> None:
    PhaseFactory.create(name="Scale up", slug="scale-up", budget_low=300, budget_high=400, starts_on=NOVEMBER)
    for day in range(1, 31):
        entered("anthropic", "model", "13.10", date(2026, 11, day))


def at(day: int, hour: int = 0, minute: int = 2, month: int = 12) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.usefixtures("november")
@pytest.mark.parametrize(("now", "is_shown"), [(at(1), True), (at(3), True), (at(5, 23), True), (at(6), False),
                                               (at(30, month=11), False)])  # fmt: skip
def test_the_closed_month_stands_first_for_five_days(now: datetime, is_shown: bool) -> None:
    with time_machine.travel(now, tick=False):
        closed = page.context(now)["closed"]
        sentence = words(closed.answer()) if closed else ""
    assert (closed is not None) is is_shown
    if closed is not None:
        assert (closed.month, closed.spent, closed.limit) == (NOVEMBER, Decimal("393.00"), Decimal(400))
        assert "$393.00 of $400" in sentence and "All costs are final on 31 Dec." in sentence
        assert marked(closed.state_mark()) == [Marked(("verdict: plan", "2026-11", ""), "met")]


@pytest.mark.usefixtures("november")
def test_a_month_that_an_invoice_closed_is_final_on_the_same_day_as_its_statement(manager: Client) -> None:
    with time_machine.travel(at(1), tick=False):
        Closing.objects.create(
            provider="anthropic", month=NOVEMBER, amount=393, original_amount=393, lines=0, places=[]
        )
    with time_machine.travel(at(2), tick=False):
        bill_status.current(NOVEMBER, at(2))
        pages = ("/", "/spend/statements/?month=2026-11")
        closed, statement = (words(manager.get(page).content.decode()) for page in pages)
    assert "All costs are final since 1 Dec." in closed and "open final on" not in statement


@pytest.mark.usefixtures("november")
def test_a_lower_bound_is_one_on_every_page_and_in_the_api(manager: Client) -> None:
    usage(day=date(2026, 11, 9), model="new", requests=52, unpriced=52, cost=0)
    with time_machine.travel(at(1), tick=False):
        page = manager.get("/").content.decode()
        weekly, monthly = (
            digest(kind, Period(date(2026, 11, first), date(2026, 12, 1))) for kind, first in WEEK_AND_MONTH
        )
    closed = words(page)
    assert "November: ≥ $393.00 of $400" in closed and "≥ 393.00" in closed
    assert "spent at least $393.00" in closed and "spent $393.00" not in closed, "the bar is a lower bound too"
    assert Marked(("verdict: plan", "2026-11", ""), "not_enough_data") in marked(page)
    for written in (weekly, monthly):
        assert "cost at least $393.00 of $400. The cost of 52 requests is not known." in written["heading"]
        assert (written["state"], written["verdict"]) == ("not_enough_data", "Cost incomplete")
        assert "ithin budget" not in closed + written["subject"] and "within its" not in written["heading"]
    with time_machine.travel(at(30, 12, month=11), tick=False):
        plan, overview = (words(manager.get(page).content.decode()) for page in ("/plan/", "/"))
        [open_verdict] = [row for row in manager.get("/api/v1/verdicts").json()["items"] if row["question"] == "plan"]
        [alert] = findings("budget", now=at(30, 12, month=11))
        PhaseFactory._meta.model.objects.update(budget_low=100, budget_high=200)
        late = {page: words(manager.get(page).content.decode()) for page in ("/", "/plan/")}
        [verdict] = [row for row in manager.get("/api/v1/verdicts").json()["items"] if row["question"] == "plan"]
    assert re.search(r"Spent so far\s*≥\s393\.00", plan) and "At least $393.00" in overview
    assert open_verdict["state"] == "not_enough_data" and open_verdict["sentence"] in plan
    assert "Left: at most $7.00 for the last day" in plan and "Add the missing prices." in overview
    assert "within budget" not in overview and "under the limit" not in overview
    assert words(alert.title) == "90 % of budget: Scale up, at least $393.00 of $400"
    sentence = words(verdict["sentence"])
    assert sentence == "November is over its budget: at least $393.00 of $200 is spent."
    assert sentence in late["/plan/"]
    assert "≥ $393.00 of $200" in late["/"]


@pytest.mark.usefixtures("november")
def test_two_minutes_into_a_month_nothing_is_said_about_where_it_ends(manager: Client) -> None:
    entered("anthropic", "model", "5.96", date(2026, 12, 1))
    with time_machine.travel(at(1), tick=False):
        html = manager.get("/").content.decode()
        spend = manager.get("/spend/").content.decode()
        plan = manager.get("/plan/").content.decode()
    assert "too early" in html
    assert "heading over" not in html and "forecast: <" not in html and "Forecast: <" not in html
    assert "25,268" not in html
    assert "forecast: $" not in plan
    assert "November" in spend and 'value="2026-11" selected' in spend


@pytest.mark.usefixtures("november")
def test_alerts_of_the_closed_month_that_nobody_acknowledged_stay_visible(manager: Client) -> None:
    ensure_defaults()
    values = {
        "rule": Rule.objects.filter(kind="budget")[0],
        "kind": "budget",
        "state": AlertState.RESOLVED,
        "resolved_at": at(1),
        "pending_since": at(20, month=11),
        "opened_at": at(20, month=11),
    }
    Alert.objects.create(subject="phase:scale-up:2026-11", title="Over budget: Scale up", **values)
    Alert.objects.create(subject="phase:other:2026-11", title="Seen", acknowledged_at=at(21, month=11), **values)
    Alert.objects.create(subject="phase:old:2026-10", title="Older", **values)
    with time_machine.travel(at(2), tick=False):
        closed = page.context(at(2))["closed"]
        assert [alert.title for alert in closed.alerts] == ["Over budget: Scale up"]
        assert closed.alerts_headline() == "1 alert of November was not acknowledged"


def test_without_spend_in_the_month_before_there_is_no_such_row() -> None:
    with time_machine.travel(at(2), tick=False):
        assert page.context(at(2))["closed"] is None
