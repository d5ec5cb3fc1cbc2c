"""Budgets: the arithmetic of a month, where each stands, what the page and the forms say, what routes are told."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.context.evaluation import EvaluationContext
from costs.allocation import committed
from costs.models import Budget, Phase, Recurrence, Stage, subject_fields
from costs.models.terms import Term
from costs.plan import volume_page
from costs.plan.budget_status import Allowance, allowance
from costs.plan.budgets import budget_positions, update_budget_states
from costs.plan.forms import budget_choices, flat
from costs.plan.month import sides
from costs.plan.queries import plan
from tests.alerts.conditions import findings
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.factories import AccountFactory, ApplicationFactory, LeaseFactory, PhaseFactory
from tests.query_ceilings import ceiling
from traffic.models import Application

D = Decimal
NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)
SEPTEMBER, OCTOBER = date(2026, 9, 1), date(2026, 10, 1)


def test_a_budget_may_be_for_any_vendor_of_the_registry(db: None) -> None:
    choices = flat(budget_choices(""))
    assert ("provider:digitalocean", "DigitalOcean") in choices and ("provider:anthropic", "Anthropic") in choices


def term(starts_on: date, ends_on: date | None = None, high: int = 300, carries: bool = False) -> Term:
    return Term("t", D(high) / 2, D(high), starts_on, ends_on, carries)


def may_cost(*terms: Term, days: dict[date, Decimal] | None = None) -> Allowance:
    found = allowance(terms, SEPTEMBER, days)
    assert found is not None
    return found


# The arithmetic.


def test_a_budget_that_starts_inside_a_month_has_its_share_of_the_days() -> None:
    found = may_cost(term(date(2026, 9, 16)))
    assert (found.low, found.high, found.first, found.end) == (D(75), D(150), date(2026, 9, 16), OCTOBER)
    assert allowance([term(OCTOBER)], SEPTEMBER) is None
    assert allowance([term(date(2026, 8, 1), SEPTEMBER)], SEPTEMBER) is None


def test_two_phases_that_meet_inside_a_month_give_it_their_shares_together() -> None:
    found = may_cost(term(date(2026, 6, 1), high=150), term(date(2026, 9, 11), high=450))
    assert found.high == 50 + 300
    assert not found.plain


@pytest.mark.parametrize(("spent", "carried"), [(250, 50), (300, 0), (340, 0)])
def test_what_last_months_own_budget_left_is_added_and_overspending_is_not(spent: int, carried: int) -> None:
    days = {date(2026, 8, 3): D(spent), SEPTEMBER: D(999)}
    assert may_cost(term(date(2026, 1, 1), carries=True), days=days).carried == carried
    assert may_cost(term(date(2026, 1, 1)), days=days).carried == 0
    assert may_cost(term(SEPTEMBER, carries=True), days=days).carried == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dates(date(2026, 7, 1), date(2026, 11, 1)), min_size=1, max_size=5, unique=True))
def test_phases_in_a_row_never_give_a_month_more_than_its_days(starts: list[date]) -> None:
    found = allowance([term(day) for day in starts], SEPTEMBER)
    days = sum(part.days for part in found.parts) if found else 0
    assert days == max(0, (OCTOBER - max(SEPTEMBER, min(starts))).days)


# Where they stand.


def budget(scope: str = "everything", subject: str = "", high: str = "300", **more: Any) -> Budget:
    values: dict[str, Any] = {"low": 0, "starts_on": date(2026, 1, 1), "name": f"{scope} {subject}", **more}
    slug = f"{scope}-{subject}-{Budget.objects.count()}"
    row: Budget = Budget.objects.create(slug=slug, high=D(high), **subject_fields(scope, subject), **values)
    return row


@pytest.fixture
def shop(db: Any) -> Application:
    owner = User.objects.create_user("mara")
    shop = ApplicationFactory.create(slug="shop", name="Shop", owner=owner)
    lab = ApplicationFactory.create(slug="lab", name="Lab")
    for n in range(1, 50):
        day = NOW.date() - timedelta(days=n)
        usage(day=day, cost=D(4), application_id=shop.pk, task="rag")
        usage(day=day, cost=D(2), application_id=lab.pk, task="code")
        usage(day=day, cost=D(1), application_id=lab.pk, task="code", provider="openai", model="gpt")
    return shop


def test_each_scope_is_held_against_its_own_spend(shop: Application) -> None:
    wanted = {
        ("everything", ""): 7, ("provider", "openai"): 1, ("application", "shop"): 4, ("owner", "mara"): 4,
        ("task", "code"): 3, ("application", "idle"): 0, ("owner", "nobody"): 0,
    }  # fmt: skip
    ApplicationFactory.create(slug="idle", name="Idle")
    User.objects.create_user("nobody")
    for scope, subject in wanted:
        budget(scope, subject)
    found = {(one.budget.scope, one.budget.subject): one.status for one in budget_positions(NOW)}
    assert {key: held.spent for key, held in found.items()} == {key: 15 * n for key, n in wanted.items()}
    forecasts = {key: held.forecast for key, held in found.items() if held.forecast}
    assert abs(forecasts["application", "shop"].median - 120) < 1
    assert abs(forecasts["everything", ""].median - 210) < 1


def test_the_day_that_a_budget_runs_out_and_what_is_left_count_its_own_days_alone(shop: Application) -> None:
    budget("application", "shop", "40", starts_on=date(2026, 9, 11))
    [one] = budget_positions(NOW)
    assert one.status.allowance.high == D("26.67")
    assert (one.status.spent, one.status.left) == (D(20), D("6.67"))
    assert one.status.forecast is not None
    assert abs(one.status.forecast.median - 80) < 1
    assert one.status.runs_out_on == date(2026, 9, 17)
    assert one.verdict.state == "not_met"


def test_a_budget_with_too_few_days_has_no_forecast(db: Any) -> None:
    usage(day=NOW.date() - timedelta(days=2), cost=D(4), task="rag")
    budget("task", "rag")
    [one] = budget_positions(NOW)
    assert (one.verdict.state, one.status.forecast, one.status.spent) == ("not_enough_data", None, D(4))
    assert one.month.reason.startswith("Too little data")


def uneven_days(today: date) -> None:
    """Spend whose forecast has a wide interval: cheap and dear days follow no weekday."""
    for n in range(1, 60):
        usage(day=today - timedelta(days=n), cost=D((2, 3, 9, 1, 6)[n % 5]), task="rag")


@pytest.mark.usefixtures("stopped_clock")
def test_budget_inside_the_interval_of_its_forecast_is_too_close_on_the_page_and_in_the_api(manager: Client) -> None:
    uneven_days(NOW.date())
    row = budget("task", "rag", "1000", name="Close one")
    [position] = budget_positions(NOW)
    forecast = position.status.forecast
    assert forecast is not None and forecast.low < forecast.median < forecast.high
    Budget.objects.filter(pk=row.pk).update(high=(forecast.median + forecast.high) / 2)
    [position] = budget_positions(NOW)
    assert (position.verdict.state, position.is_over) == ("too_close", False), "the middle alone decides nothing"
    page = manager.get("/plan/").content.decode()
    assert "Close one (task RAG) is close to its budget" in page and "does not last" not in page
    part = page.split('id="budgets-h"')[1].split("</section>")[0]
    chip = f'data-question="plan" data-period="2026-09" data-scope="{row.slug}" data-state="too_close"'
    assert chip in part and "Close to budget" in part and "too close to call" in part
    [answer] = manager.get("/api/v1/budgets").json()["budgets"]
    assert answer["state"] == "too_close" and answer["forecast"] is not None
    for high, state, title in ((forecast.low / 2, "not_met", "Budget exceeded: Close one"),
                               (forecast.high * 2, "met", "The other budget is within its limit")):  # fmt: skip
        Budget.objects.filter(pk=row.pk).update(high=high)
        assert title in manager.get("/plan/").content.decode()
        assert manager.get("/api/v1/budgets").json()["budgets"][0]["state"] == state


def test_a_heading_names_two_budgets_and_counts_more(manager: Client) -> None:
    uneven_days(NOW.replace(day=2).date())
    heading = "Budgets without enough data: "
    with time_machine.travel(NOW.replace(day=2), tick=False):
        for task, title in (("rag", ""), ("code", "One (task RAG), Two (task code)"), ("qa", "3</h2>")):
            budget("task", task, "1000", name=("One", "Two", "Three")[Budget.objects.count()])
            page = manager.get("/plan/").content.decode()
            assert (f"{heading}{title}" in page) is bool(title), task


@pytest.mark.parametrize(("day", "is_early"), [(2, True), (3, True), (4, False)])
def test_budgets_are_not_judged_in_the_first_three_days_of_a_month(db: None, day: int, is_early: bool) -> None:
    now = NOW.replace(day=day)
    PhaseFactory.create(slug="now", name="Now", budget_low=50, budget_high=150)
    uneven_days(now.date())
    row = budget("task", "rag", "1000", name="Early one")
    with time_machine.travel(now, tick=False):
        manager = client_of("manager")
        page = manager.get("/plan/").content.decode()
        state = manager.get("/api/v1/budgets").json()["budgets"][0]["state"]
    part = page.split('id="budgets-h"')[1].split("</section>")[0]
    assert ("Not enough data for this budget: Early one" in part) is is_early
    assert ('data-state="not_enough_data"' in part) is is_early
    assert (f'data-figure="forecast" data-period="2026-09" data-scope="{row.slug}"' in part) is not is_early
    assert ("not this month" in part) is not is_early
    assert (state == "not_enough_data") is is_early


def test_budgets_are_shown_without_a_plan(db: None) -> None:
    budget("task", "rag", "1000", name="Beside no phase")
    page = client_of("manager").get("/plan/").content.decode()
    assert "No plan yet" in page and "Beside no phase" in page.split('id="budgets-h"')[1].split("</section>")[0]


def test_budget_that_ended_inside_the_month_is_judged_by_what_it_cost(shop: Application) -> None:
    budget("application", "shop", "120", ends_on=date(2026, 9, 11))
    [position] = budget_positions(NOW)
    assert (position.status.spent, position.status.allowance.high) == (D(40), D(40))
    assert (position.verdict.state, position.verdict.interval) == ("met", None)


def test_statements_do_not_grow_with_budgets(shop: Application, django_assert_max_num_queries: Any) -> None:
    for n in range(9):
        budget("task", f"t{n}")
        ApplicationFactory.create(slug=f"a{n}", name=f"A{n}")
        budget("application", f"a{n}")
    with django_assert_max_num_queries(ceiling("positions of 18 budgets")):
        budget_positions(NOW)


def budget_states() -> dict[str, str]:
    return dict(Application.objects.values_list("slug", "budget_state"))


def test_an_application_learns_whether_it_is_within_its_budget(shop: Application) -> None:
    mine = budget("application", "shop", "59.99")
    update_budget_states(NOW)
    assert budget_states() == {"shop": "over", "lab": "unknown"}
    Budget.objects.filter(pk=mine.pk).update(high=D(60))
    update_budget_states(NOW)
    assert budget_states()["shop"] == "within"
    mine.delete()
    update_budget_states(NOW)
    assert budget_states()["shop"] == "unknown"


def test_log_says_when_an_application_goes_over_its_budget_and_comes_back(
    shop: Application, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="costs.plan.budgets")
    row = budget("application", "shop", "59.99")
    update_budget_states(NOW)
    update_budget_states(NOW)
    Budget.objects.filter(pk=row.pk).update(high=D(60))
    update_budget_states(NOW)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "budget_state_changed application=shop before=unknown state=over"),
        ("INFO", "budget_state_changed application=shop before=over state=within"),
    ]


def test_a_phase_that_began_inside_the_month_has_its_share(shop: Application) -> None:
    PhaseFactory.create(
        slug="p", name="P", budget_low=0, budget_high=300, starts_on=date(2026, 9, 11)
    )  # fmt: skip
    held = plan(NOW).status
    assert held is not None
    assert (held.allowance.high, held.spent) == (D(200), D(35))


# Alerts.


def test_every_budget_is_an_alert_of_its_own_and_ends_with_its_month(shop: Application) -> None:
    budget("application", "shop", "61", name="Shop")
    budget("task", "code", "300", name="Code")
    found = {one.subject: one for one in findings("budget", NOW)}
    assert {subject: one.level for subject, one in found.items()} == {
        "budget:application-shop-0:2026-09": 90, "budget:task-code-1:2026-09": 0,
    }  # fmt: skip
    assert found["budget:application-shop-0:2026-09"].title == "90 % of budget: Shop (application), $60.00 of $61"
    ended = findings("budget", NOW, live=frozenset({"budget:application-shop-0:2026-08", "budget:gone:2026-08"}))
    assert [one.title for one in ended if one.clear and "is over" in one.title] == [
        "August is over: Shop (application), $124.00 of $61"
    ]


def test_a_carried_rest_raises_what_the_phases_alert_is_held_against(shop: Application) -> None:
    PhaseFactory.create(slug="p", name="P", budget_low=0, budget_high=300, starts_on=date(2026, 8, 1), carries=True)
    [one] = EvaluationContext(NOW).budgets
    assert one.high == 300 + (300 - 31 * 7)


# The page and its forms.


@pytest.fixture
def manager(db: Any) -> Client:
    PhaseFactory.create(slug="now", name="Now", budget_low=50, budget_high=150)
    return client_of("manager")


GIVEN = {"key": "task:rag", "name": "", "low": 0, "high": 10, "starts_on": "2026-01-01", "ends_on": ""}


def test_a_budget_is_added_shown_removed_and_brought_back(manager: Client) -> None:
    assert "No budgets besides" in text(manager, "/plan/")
    for n in range(1, 20):
        usage(day=timezone.now().date() - timedelta(days=n), cost=D(1), task="rag")
    assert manager.post("/plan/budgets/add/", GIVEN).status_code == 302
    made = Budget.objects.get()
    assert (made.slug, made.name, made.scope, made.subject) == ("rag", "RAG", "task", "rag")
    page = text(manager, "/plan/")
    assert "RAG" in page and "/plan/budgets/rag/" in page
    assert "phase" not in page.split('id="history-h"')[1].split("</section>")[0]
    manager.post("/plan/budgets/rag/remove/")
    assert not Budget.objects.exists()
    assert "removed" in text(manager, "/plan/")
    manager.post("/plan/undo/")
    assert Budget.objects.get() == made


def test_an_applications_page_brings_its_own_budgets_and_its_owners(manager: Client, shop: Application) -> None:
    assert "No budget for this application" in text(manager, "/plan/applications/shop/budgets/")
    budget("application", "shop", name="Of the shop")
    budget("owner", "mara", name="Of Mara")
    User.objects.create_user("bert")
    budget("owner", "bert", name="Of Bert")
    part = text(manager, "/plan/applications/shop/budgets/")
    assert "2 budgets this month" in part and "<html" not in part
    assert "Of the shop" in part and "Of Mara" in part and "Of Bert" not in part
    page = text(manager, "/settings/applications/shop/")
    assert 'hx-get="/plan/applications/shop/budgets/" hx-trigger="load"' in page


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"high": 0}, "high", "must be at least 0.01"),
        ({"low": -1}, "low", "cannot be negative"),
        ({"low": 11}, "high", "must not be below the low end"),
        ({"ends_on": "2025-01-01"}, "ends_on", "must end after its first day"),
        ({"key": "task:none"}, "key", "Select a valid choice"),
        ({"starts_on": ""}, "starts_on", "required"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_at_its_field(
    manager: Client, changes: dict[str, Any], field: str, sentence: str
) -> None:
    answer = manager.post("/plan/budgets/add/", {**GIVEN, **changes})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == [field]
    assert sentence in answer.context["form"].errors[field][0]
    assert not Budget.objects.exists()


def test_two_budgets_for_the_same_must_not_overlap(manager: Client) -> None:
    for starts_on, ends_on, status in (("2026-03-01", "2026-06-01", 302), ("2026-01-01", "", 422),
                                       ("2026-05-31", "", 422), ("2026-06-01", "", 302)):  # fmt: skip
        answer = manager.post("/plan/budgets/add/", {**GIVEN, "starts_on": starts_on, "ends_on": ends_on})
        assert answer.status_code == status, (starts_on, ends_on)
    assert "which is for the same" in manager.post("/plan/budgets/add/", GIVEN).content.decode()


def test_the_history_says_who_changed_what_from_what(manager: Client) -> None:
    given = {"name": "Now", "volume_from": 0, "budget_low": 50, "budget_high": "175.50"}
    manager.post("/plan/phases/now/", given)
    page = text(manager, "/plan/")
    assert "a-manager changed the plan last" in page
    assert "Budget a month, high, USD</span>150.00" in page
    assert "Budget a month, high, USD</span>175.50" in page


def test_a_step_cannot_be_taken_back_once_the_plan_has_changed_since(manager: Client) -> None:
    manager.post("/plan/phases/now/remove/")
    PhaseFactory.create(slug="other", name="Other", budget_low=1, budget_high=2)
    manager.post("/plan/undo/")
    assert list(Phase.objects.values_list("slug", flat=True)) == ["other"]
    assert "can no longer be undone" in text(manager, "/plan/")


# Copies and the research's plan.


def test_a_month_is_copied_to_the_next_after_a_look_at_it_and_taken_back(manager: Client) -> None:
    Phase.objects.update(starts_on=date(2026, 9, 10), ends_on=date(2026, 11, 1))
    budget("task", "rag", ends_on=OCTOBER)
    budget("task", "qa")
    asked = {"source": "2026-09", "target": "2026-12"}
    page = manager.get("/plan/copy/", asked)
    assert [(draft.name, bool(draft.problem)) for draft in page.context["drafts"]] == [
        ("Now (December 2026)", False), ("task qa", True), ("task rag", False),
    ]  # fmt: skip
    assert "so it continues" in page.content.decode()
    assert Phase.objects.count() == 1
    assert manager.post("/plan/copy/", asked).status_code == 302
    copied = Phase.objects.get(name="Now (December 2026)")
    assert (copied.starts_on, copied.ends_on, copied.budget_high) == (date(2026, 12, 10), date(2027, 1, 1), D(150))
    assert Budget.objects.get(task="rag", starts_on__gt=OCTOBER).ends_on == date(2027, 1, 1)
    again = manager.post("/plan/copy/", asked)
    assert again.status_code == 422
    assert "overlap with those of" in again.content.decode()
    manager.post("/plan/undo/")
    assert (Phase.objects.count(), Budget.objects.count()) == (1, 2)


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        ("2026-13", "2027-01", "Write a year like 2026 or a month like 2026-09"),
        ("2026", "2027-01", "Copy a year to a year"),
        ("2026", "2026", "Choose another one"),
        ("", "2026", "required"),
    ],
)
def test_a_copy_that_cannot_be_is_refused_at_its_field(
    manager: Client, source: str, target: str, sentence: str
) -> None:
    answer = manager.post("/plan/copy/", {"source": source, "target": target})
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_the_researchs_six_months_come_as_a_template_with_their_contradiction_told(manager: Client) -> None:
    Phase.objects.all().delete()
    page = text(manager, "/plan/research/?starts_on=2027-01-04")
    assert "The reference case plans $1,920 against $3,000, and its prices do not give $3,000" in page
    assert "so the saving is $915 (32" in page
    manager.post("/plan/research/", {"starts_on": "2027-01-04"})
    stages = [(stage.starts_on, stage.ends_on, int(stage.budget)) for stage in Stage.objects.all()]
    assert stages == [
        (date(2027, 1, 4), date(2027, 1, 18), 50), (date(2027, 1, 18), date(2027, 2, 1), 120),
        (date(2027, 2, 1), date(2027, 7, 1), 1750),
    ]  # fmt: skip
    assert [phase.starts_on for phase in Phase.objects.all()] == [date(2027, 1, 4), date(2027, 2, 1), None]
    assert "Nothing to add" in text(manager, "/plan/research/?starts_on=2027-01-04")


# Committed costs, and the volume against its band.


def test_what_is_committed_is_told_apart_and_a_charge_to_come_falls_on_its_day(shop: Application) -> None:
    account = AccountFactory.create(slug="g", name="G", kind="google")
    LeaseFactory.create(
        account=account, external_id="p", gpu="T4", kind="committed_1y", price_per_hour=D("0.1"), started_at=NOW,
        seen_at=NOW,
    )  # fmt: skip
    Recurrence.objects.create(
        every="month", starts_on=date(2026, 8, 20), counts_from=date(2026, 8, 20), category="upkeep", provider="self",
        original_amount=50, application=shop,
    )  # fmt: skip
    month = plan(NOW).month
    halves = sides(month)
    assert (halves.committed, halves.committed_to_come) == (D(0), D("34.8") + 50)
    assert halves.variable == 15 * 7
    assert halves.month is not None
    assert abs(halves.month - (30 * 7 + D("84.8"))) < 2
    assert dict(month.ahead())[date(2026, 9, 20)] > 50
    assert [(one.kind, one.to_come) for one in committed.commitments(committed.read(NOW.date()), D(348))] == [
        ("committed, 1 year", D("34.8")), ("every month, 2026-09-20", D(50)),
    ]  # fmt: skip
    budget("application", "shop", "100")
    [one] = budget_positions(NOW)
    assert one.status.runs_out_on is not None
    assert one.status.runs_out_on >= date(2026, 9, 20)


def test_the_volume_is_drawn_against_the_bands_planned_for_its_days() -> None:
    day = date(2026, 9, 1)
    usage = [{"day": day + timedelta(n), "requests": 100 if n < 40 else 400} for n in range(60)]
    phases = [
        Phase(pk=1, name="A", volume_from=0, volume_to=5000, budget_low=0, budget_high=1, starts_on=day),
        Phase(pk=2, name="B", volume_from=5000, budget_low=0, budget_high=1, starts_on=day + timedelta(50)),
    ]
    drawn = volume_page.volume(usage, phases, day + timedelta(60))
    assert drawn is not None
    rates = drawn["series"][0]["points"]
    assert (rates[0][1], rates[39][1], rates[-1][1]) == (3000, 3000, 10 * 100 + 20 * 400)
    assert [(band["name"], band["points"][0][0]) for band in drawn["bands"]] == [("A", day), ("B", day + timedelta(50))]
    assert volume_page.volume([], phases, day) is None
    phases[0].volume_to = 50_000  # beyond the chart, whose end is then no end of the phase
    cut = volume_page.volume(usage, phases, day + timedelta(60))
    assert cut is not None and cut["bands"][0]["name"] == "A (to 50,000, cut off)"
    assert cut["bands"][0]["points"][0][2] == Decimal(11_250)


def test_the_api_gives_every_budget_as_the_page_shows_it(manager: Client) -> None:
    usage(day=timezone.now().date(), cost=D("2.5"), task="rag")
    budget("task", "rag", "10", starts_on=timezone.now().date().replace(day=1))
    [row] = manager.get("/api/v1/budgets").json()["budgets"]
    assert (row["scope"], row["subject"], D(row["month_high"]), D(row["spent"]), D(row["left"])) == (
        "task", "rag", D(10), D("2.5"), D("7.5"),
    )  # fmt: skip
    assert (row["forecast"], row["runs_out_on"]) == (None, None)


def test_the_budgets_of_an_application_that_is_deleted_go_with_it(shop: Application) -> None:
    other = ApplicationFactory.create(slug="other", name="Other")
    for scope, subject in (("application", shop.slug), ("application", other.slug), ("provider", shop.slug)):
        Budget.objects.create(
            slug=f"{scope}-{subject}",
            name=subject,
            **subject_fields(scope, subject),
            low=1,
            high=2,
            starts_on=SEPTEMBER,
        )
    shop.delete()
    assert set(Budget.objects.values_list("slug", flat=True)) == {"application-other", f"provider-{shop.slug}"}
