"""The Break-even page and its API say which model stands for which task; the ledger's own comparison stands beside."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.utils import timezone

from costs.breakeven.backtest import Backtest, backtest
from costs.breakeven.inputs import TaskCost
from costs.breakeven.measured_inputs import live_inputs
from costs.breakeven.saving import Saving
from costs.breakeven.task_models_page import Counterfactual, TaskModelRow
from costs.models import TaskModel
from costs.price_sheets.sheets import load
from costs.research.scenarios import workload_inputs
from lib.confidence_intervals import Interval
from providers.audit.log import AuditEntry
from tests.costs.people import client_of, text
from tests.costs.prices import NOW, price
from tests.costs.usage_rows import at, usage
from tests.factories import ApplicationFactory
from tests.query_ceilings import ceiling
from traffic.models import UsageDay, UsageHour

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5"
COST = TaskCost("rag", 100, 100, 0, HAIKU, "last_served", date(2026, 9, 14), "", "", "", Decimal("0.00114"), 90)
PAST = Backtest(("rag",), date(2026, 8, 1), date(2026, 9, 1), Decimal("1.14"), 9_000, date(2026, 10, 1),
                date(2026, 11, 1), Decimal("2.70"), 9_000)  # fmt: skip


__all__ = ["NOW"]  # where the clock stands


@pytest.fixture
def today(db: Any, stopped_clock: Any) -> date:
    """Haiku served RAG for 40 days until 20 days ago, at 1 USD for 1,000 requests; since then our own GPU does."""
    price(SONNET, uncached_input=2, output=10)
    price(HAIKU, uncached_input=1, output=5, cache_read=Decimal("0.1"))
    now = timezone.now().date()
    tokens = {"uncached_input": 100_000, "output": 10_000}
    for ago in range(60, 20, -1):
        usage(day=now - timedelta(days=ago), model=HAIKU, requests=200, cost=Decimal("0.2"), **tokens)
    for ago in range(20, 0, -1):
        day = now - timedelta(days=ago)
        for table, when in ((UsageDay, {"day": day}), (UsageHour, {"hour": at(day, 9)})):
            usage(table, **when, provider="self", model="mistral", requests=200, leased=200, **tokens)
            usage(table, **when, model=HAIKU, requests=20, cost=Decimal("0.06"), **tokens)
            usage(table, **when, model=SONNET, task="code", requests=50, cost=Decimal("0.6"), **tokens)
    return now


def test_the_ledger_says_what_the_work_cost_before_and_what_it_costs_now(today: date) -> None:
    past = backtest(live_inputs(timezone.now()).tasks, today)
    assert past is not None
    assert (past.tasks, past.before, past.requests_before) == (("rag",), Decimal(1), 30 * 200)
    assert past.before_until == today - timedelta(days=20)
    assert (past.now, past.requests_now) == (Decimal("0.06") * 1000 / 220, 20 * 220)


def test_the_backtest_weighs_each_task_by_what_it_is_now(today: date) -> None:
    """A small dear task that grew tenfold once it ran on our own GPU is no rise of the price."""
    for ago in range(60, 20, -1):
        usage(day=today - timedelta(days=ago), model=HAIKU, task="batch", requests=50, cost=Decimal("0.5"))
    for ago in range(20, 0, -1):
        usage(day=today - timedelta(days=ago), provider="self", model="mistral", task="batch", requests=500, leased=500)
    until = today - timedelta(days=21)
    rows = [TaskCost(task, 9, 9, 0, HAIKU, "last_served", None, "", "", "", Decimal(1), 9, until)
            for task in ("rag", "batch")]  # fmt: skip
    past = backtest(rows, today)
    assert past is not None
    assert past.tasks == ("rag", "batch")
    assert past.before == (Decimal(1) * 220 + Decimal(10) * 500) / 720


def test_requests_of_an_application_that_only_tests_are_not_in_the_backtest(today: date) -> None:
    tests = ApplicationFactory.create(slug="playground", test_only=True)
    before = backtest(live_inputs(timezone.now()).tasks, today)
    for ago in (1, 30):
        day = today - timedelta(days=ago)
        usage(day=day, application_id=tests.pk, model=SONNET, requests=8_000, cost=Decimal(900))
    assert backtest(live_inputs(timezone.now()).tasks, today) == before


@pytest.mark.parametrize("left", [None, 3])
def test_too_few_days_on_either_side_are_no_backtest(today: date, left: int | None) -> None:
    moved = TaskCost("rag", 9, 9, 0, HAIKU, "last_served", None, "", "", "", Decimal(1), 9,
                     today - timedelta(days=left) if left else None)  # fmt: skip
    assert backtest([moved], today) is None


def test_where_the_ledger_disagrees_it_stands_before_the_claim() -> None:
    inputs = workload_inputs(load())
    claim = Counterfactual(inputs, Saving(Decimal(200), Interval(Decimal(100), Decimal(300))), PAST, 0)
    assert claim.first().startswith("<b>The ledger shows the opposite.</b> Before self-hosting (1")
    assert "$1.14" in claim.first()
    assert "$2.70" in claim.first()
    assert claim.ledger_note() == ""
    agreed = Counterfactual(inputs, Saving(Decimal(-200), Interval(Decimal(-300), Decimal(-100))), PAST, 0)
    assert agreed.first() == ""
    assert "$2.70" in agreed.ledger_note()


@pytest.mark.parametrize(
    ("low", "high", "amount", "other", "verdict"),
    [
        (1, 9, 5, None, "selfhost"),
        (-9, -1, -5, None, "api"),
        (-1, 9, 5, None, "too_close"),
        (0, 9, 5, None, "too_close"),
        (1, 9, 5, 3, "selfhost"),
        (-9, 9, -5, 5, "too_close"),
    ],
)
def test_a_saving_is_told_as_far_as_its_interval(low: int, high: int, amount: int, other: Any, verdict: str) -> None:
    second = None if other is None else Decimal(other)
    saving = Saving(Decimal(amount), Interval(Decimal(low), Decimal(high)), second)
    assert saving.verdict == verdict
    assert Saving(Decimal(amount), None, second).verdict == "not_enough_data"


def test_choices_with_different_signs_are_both_said() -> None:
    saving = Saving(Decimal(-82), Interval(Decimal(-104), Decimal(200)), Decimal(90))
    said = Counterfactual(workload_inputs(load()), saving, None, 0).first()
    assert "Too close to call" in said
    assert "cost $82 a month more" in said and "it would save $90 a month" in said


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "last served it until"),
        ({"until": None}, "last served it"),
        ({"ours": 0}, "the API serves it now"),
        ({"because": "person", "chosen_by": "Nina"}, "chosen by Nina"),
        ({"because": "person"}, "chosen by a person"),
        ({"because": "none", "model": ""}, "never on the API"),
    ],
)
def test_each_row_says_why_it_is_this_model(changes: dict[str, Any], why: str) -> None:
    values = {name: getattr(COST, name) for name in COST.__slots__} | changes
    assert TaskModelRow(TaskCost(**values)).why().startswith(why)


def test_the_page_says_which_model_stands_for_which_task(today: date) -> None:
    page = text(client_of("manager"), "/break-even/")
    assert "Without self-hosting: claude-haiku-4-5" in page
    assert "last served it until" in page
    assert "/break-even/tasks/rag/" in page
    assert "/break-even/tasks/code/" not in page
    assert "Spend shows" in page


def test_who_may_not_plan_is_offered_no_choice(today: date) -> None:
    client = client_of("staff")
    client_user = User.objects.get(username="a-staff")
    client_user.user_permissions.add(Permission.objects.get(codename="view_charge"))
    page = text(client, "/break-even/")
    assert "claude-haiku-4-5" in page
    assert "/break-even/tasks/" not in page


def test_a_manager_chooses_a_model_and_goes_back_to_the_logs(today: date, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "costs.breakeven.services")
    manager = client_of("manager")
    assert "API model that served it last" in text(manager, "/break-even/tasks/rag/")
    assert manager.post("/break-even/tasks/rag/", {"model": f"anthropic/{SONNET}"}).status_code == 302
    assert TaskModel.objects.get().model == SONNET
    assert "chosen by" in text(manager, "/break-even/")
    assert live_inputs(timezone.now()).tasks[0].model == SONNET
    manager.post("/break-even/tasks/rag/log/")
    assert not TaskModel.objects.exists()
    manager.post("/break-even/tasks/rag/log/")
    assert AuditEntry.objects.count() == 2
    logged = [record.getMessage() for record in caplog.records if record.name == "costs.breakeven.services"]
    assert logged == [f"task_model_chosen task=rag model={SONNET}", "task_model_from_log task=rag"]


@pytest.mark.parametrize("sent", [{}, {"model": "anthropic/nonsense"}, {"model": "self/mistral"}])
def test_only_a_model_with_a_price_can_be_chosen(today: date, sent: dict[str, str]) -> None:
    manager = client_of("manager")
    assert manager.post("/break-even/tasks/rag/", sent).status_code == 422
    assert manager.get("/break-even/tasks/nonsense/").status_code == 404
    assert client_of("staff").post("/break-even/tasks/rag/", sent).status_code == 403
    assert not TaskModel.objects.exists()


def test_the_backtest_takes_a_bounded_number_of_statements(today: date, django_assert_max_num_queries: Any) -> None:
    manager = client_of("manager")
    manager.get("/break-even/")
    with django_assert_max_num_queries(ceiling("/break-even/ with a backtest")):
        manager.get("/break-even/")
