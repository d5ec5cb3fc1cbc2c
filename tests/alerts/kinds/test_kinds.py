"""Each kind of rule over real rows: when it is crossed, when it is clear, and what it says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import translation

from alerts import wording
from alerts.context.evaluation import EvaluationContext
from alerts.defaults import ensure_defaults
from alerts.evaluation import services
from alerts.kinds import KINDS
from alerts.kinds.finding import BadThreshold, Finding
from alerts.kinds.usage import CROWD, MOST_APART
from alerts.metrics.month_budgets import MonthBudget
from alerts.models import Address, Alert, Delivery, Rule
from alerts.rules import explain as explaining
from alerts.rules.explain import explain
from costs.models import Phase
from costs.reconciliation.reconcile import Cause
from costs.reconciliation.tolerances import ReconciliationGap as BillStanding
from providers.engine_metrics import series as engine_series
from providers.engine_metrics.series import Scraped
from providers.engines import EngineSample, Scrape
from providers.models import Account, Balance, Deployment, Feed, Heartbeat, Lease
from providers.pricing.book import OTHER_MODEL
from tests.alerts.conditions import NOW, TODAY, account, break_down, deployment, feed, findings, only, spend, use
from tests.alerts.conftest import person
from tests.factories import LeaseFactory, LeaseSpanFactory, MaintenanceFactory, PhaseFactory, TokenPriceFactory
from tests.query_ceilings import ceiling
from traffic.models import Installation, Route, RouteUse, UsageDay, UsageHour
from traffic.routes.services import start_canary

SHIPPED = [name for name, kind in KINDS.items() if kind.shipped]  # the others watch what a rule says, or nothing


@pytest.fixture
def phase(db: Any) -> Phase:
    return PhaseFactory.create(
        slug="scale-up", name="Scale-up", budget_low=300, budget_high=400, volume_from=100_000, volume_to=500_000,
        starts_on=date(2026, 10, 1), ends_on=date(2027, 1, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spent", "level", "title"),
    [
        ("199.99", 0, "Within budget: Scale-up, $199.99 of $400"),
        ("200", 50, "50 % of budget: Scale-up, $200.00 of $400"),
        ("312.5", 75, "75 % of budget: Scale-up, $312.50 of $400"),
        ("399.99", 90, "90 % of budget: Scale-up, $399.99 of $400"),
        ("412.30", 100, "Over budget: Scale-up, $412.30 of $400"),
    ],
)
def test_a_budgets_level_is_the_highest_that_the_month_has_reached(
    phase: Phase, spent: str, level: int, title: str
) -> None:
    spend(spent)
    found = only("budget")
    assert (found.level, found.title, found.crossed) == (level, title, level > 0)
    assert found.value == f"{Decimal(spent):.2f}"
    assert len(found.title) <= 60


def test_a_budget_is_clear_of_a_level_only_below_its_band(phase: Phase) -> None:
    spend("397")
    found = only("budget")
    assert (found.level, found.sustained_level) == (90, 100)


def test_last_months_budget_ends_with_what_it_came_to(phase: Phase) -> None:
    spend("410", date(2026, 10, 31))
    services.evaluate(now=datetime(2026, 10, 31, 23, tzinfo=UTC), kinds=["budget"])
    assert Alert.objects.get().subject == "phase:scale-up:2026-10"
    services.evaluate(now=datetime(2026, 11, 1, 0, 1, tzinfo=UTC), kinds=["budget"])
    alert = Alert.objects.get()
    assert alert.state == "resolved"
    last = alert.transitions.get(after="resolved")
    assert last.title == "October is over: Scale-up, $410.00 of $400"


def test_the_way_up_through_a_budget_at_once_is_one_open_alert_and_one_mail(phase: Phase) -> None:
    person("mara", "manager")
    for amount in ("210", "100", "60", "40"):
        spend(amount)
        services.evaluate(now=NOW, kinds=["budget"], wait=True)
    assert list(Alert.objects.order_by("id").values_list("level", "state")) == [
        (50, "resolved"), (75, "resolved"), (90, "resolved"), (100, "open"),
    ]  # fmt: skip
    states = list(Delivery.objects.order_by("id").values_list("state", flat=True))
    assert states == ["folded", "folded", "folded", "waiting"], "crossed at once: the highest alone is sent"
    assert not Delivery.objects.filter(transition__after="resolved").exists()


def test_without_a_phase_there_is_no_budget(db: Any) -> None:
    spend("1000000")
    assert findings("budget") == []


def test_a_forecast_over_budget_is_said_before_it_is_spent(phase: Phase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MonthBudget, "forecast", (Decimal(410), Decimal(440), Decimal(470)))
    for n in range(1, 60):
        spend("16", TODAY - timedelta(days=n))
    found = only("budget-forecast")
    assert found.title.endswith(": Scale-up, $440.00 of $400")
    assert found.crossed == (not found.title.startswith("Too early"))


def test_a_model_without_a_price_is_named_until_it_is_priced(db: Any) -> None:
    use(TODAY, 12, provider="aurora", model="aurora-2-preview", unpriced=12, uncached_input=3400)
    found = only("unpriced")
    assert found.title == "No price: aurora-2-preview, 12 requests of unknown cost"
    assert found.crossed
    UsageDay.objects.update(unpriced=0)
    [calm] = findings("unpriced", live=frozenset({found.subject}))
    assert (calm.clear, calm.title) == (True, "Priced: aurora-2-preview, 0 requests of unknown cost left")


def test_many_models_without_a_price_are_one_alert_and_a_bounded_number_of_queries(
    db: Any, django_assert_max_num_queries: Any
) -> None:
    for n in range(300):
        use(TODAY, 1000 - n, model=f"made-up-{n:03}", unpriced=1000 - n)
    with django_assert_max_num_queries(ceiling("findings of the kind unpriced")):
        found = findings("unpriced")
    assert len(found) == MOST_APART + 1
    assert [one.subject for one in found[:2]] == ["model:made-up-000", "model:made-up-001"]
    crowd = found[-1]
    assert crowd.title.startswith("No price: made-up-020, made-up-021, made-up-022 and 277 more, ")
    assert crowd.value == str(sum(1000 - n for n in range(MOST_APART, 300)))
    assert crowd.words["drivers"] == [["(no name)", "235,340", "100\N{NO-BREAK SPACE}%"]]
    assert found[0].words["drivers"] == [["(no name)", "1,000", "100\N{NO-BREAK SPACE}%"]]
    assert {fact[0]: fact[1] for fact in crowd.words["facts"]}["Requests without a cost"] == "235,340"


def test_a_model_with_an_alert_keeps_it_when_a_crowd_comes(db: Any) -> None:
    use(TODAY, 12, model="aurora-2-preview", unpriced=12)
    [alone] = findings("unpriced")
    for n in range(100):
        use(TODAY, 100, model=f"made-up-{n:03}", unpriced=100)
    found = findings("unpriced", live=frozenset({alone.subject, CROWD}))
    assert alone.subject in {one.subject for one in found}
    assert len(found) == MOST_APART + 1
    UsageDay.objects.exclude(model="aurora-2-preview").delete()
    assert [one.subject for one in findings("unpriced", live=frozenset({alone.subject, CROWD}))] == [alone.subject]


def test_models_that_are_kept_under_one_name_are_no_model(db: Any) -> None:
    use(TODAY, 12, model=OTHER_MODEL, unpriced=12)
    found = only("unpriced")
    assert (found.subject, found.value) == (CROWD, "12")
    assert "fixes" not in found.words


def test_a_model_without_a_price_is_one_alert_whoever_serves_it(db: Any) -> None:
    use(TODAY, 12, provider="aurora", model="aurora/2 preview", unpriced=12, uncached_input=3000)
    use(TODAY, 3, provider="openai", model=" aurora/2  preview ", unpriced=3, uncached_input=400)
    found = only("unpriced")
    assert (found.subject, found.value) == ("model:aurora/2 preview", "15")
    assert found.title == "No price: aurora/2 preview, 15 requests of unknown cost"
    assert [fact[1] for fact in found.words["facts"][:4]] == ["aurora/2 preview", "aurora and openai", "15", "3,400"]
    assert found.words["fixes"][0] == [
        "Enter its price at aurora", "/settings/prices/?provider=aurora&model=aurora%2F2+preview",
    ]  # fmt: skip
    assert found.words["providers"] == ["aurora", "openai"]


def test_an_outage_is_told_with_its_name_and_length_and_so_is_its_end(db: Any) -> None:
    outage = break_down(deployment())
    found = only("outage")
    assert (found.title, found.crossed) == ("Down: mistral-7b, for 3 min so far", True)
    outage.ended_at = NOW
    outage.save()
    [calm] = findings("outage", live=frozenset({"deployment:mistral-7b"}))
    assert (calm.title, calm.clear) == ("Up again: mistral-7b, after 3 min", True)


def test_an_outages_alert_says_in_the_end_how_long_it_was(db: Any) -> None:
    outage = break_down(deployment())
    services.evaluate(now=NOW, kinds=["outage"])
    alert = Alert.objects.get()
    assert alert.title == "Down: mistral-7b, for 3 min so far"
    services.evaluate(now=NOW + timedelta(minutes=1), kinds=["outage"])
    outage.ended_at = NOW + timedelta(seconds=70)
    outage.save()
    services.evaluate(now=NOW + timedelta(seconds=75), kinds=["outage"])
    alert.refresh_from_db()
    assert (alert.state, alert.title) == ("resolved", "Was down: mistral-7b, for 4 min 10 s")


@pytest.mark.parametrize("end", ["closed by a person", "gone", "maintenance"])
def test_no_outage_that_is_over_says_so_far(end: str, db: Any) -> None:
    one = deployment()
    break_down(one)
    services.evaluate(now=NOW, kinds=["outage"])
    if end == "closed by a person":
        services.resolve(alert_id=Alert.objects.get().pk, by=person("olga", "ops"), now=NOW)
    elif end == "gone":
        one.delete()
    else:
        MaintenanceFactory.create(deployment=one, starts_at=NOW, ends_at=NOW + timedelta(hours=1), reason="new disk")
    services.evaluate(now=NOW, kinds=["outage"])
    alert = Alert.objects.get()
    assert (alert.state, alert.title) == ("resolved", "Was down: mistral-7b, for 3 min")
    assert not any("so far" in move.title for move in alert.transitions.filter(after="resolved"))


def test_an_outage_in_a_maintenance_window_is_nobodys_business(db: Any) -> None:
    one = deployment()
    break_down(one)
    hour = timedelta(hours=1)
    MaintenanceFactory.create(deployment=one, starts_at=NOW - hour, ends_at=NOW + hour, reason="new disk")
    assert not only("outage").crossed


def test_where_all_of_a_vendor_is_down_the_vendor_speaks_for_its_deployments(db: Any) -> None:
    ones = [deployment(f"d{n}", "runpod") for n in range(3)]
    for one in ones[:2]:
        break_down(one)
    assert {found.covered_by for found in findings("outage")} == {""}
    break_down(ones[2])
    by_subject = {found.subject: found for found in findings("outage")}
    assert by_subject["provider:runpod"].title.startswith("Down: RunPod, all 3 deployments")
    assert {by_subject[f"deployment:d{n}"].covered_by for n in range(3)} == {"provider:runpod"}


def test_a_vendor_that_comes_back_bit_by_bit_is_told_once_each_way(db: Any) -> None:
    person("olga", "ops")
    lost = [break_down(deployment(f"d{n}", "runpod")) for n in range(3)]
    for ended in (0, 2, 3):
        for outage in lost[:ended]:
            outage.ended_at = NOW
            outage.save()
        services.evaluate(now=NOW, kinds=["outage"])
        services.evaluate(now=NOW, kinds=["outage"])
    told = Delivery.objects.order_by("id").values_list("alert__subject", "transition__after")
    assert list(told) == [("provider:runpod", "open"), ("provider:runpod", "resolved")]
    assert not Alert.objects.live().exists()


def polled() -> Finding:
    return next(found for found in findings("late") if found.subject == "account:claude")


def test_a_poll_that_fails_again_and_again_is_told_with_how_long_it_has_failed(db: Any) -> None:
    """From its first failure: the good answer before it is older by up to an interval in which nothing was wrong."""
    began = NOW - timedelta(minutes=4)
    good = began - timedelta(minutes=15)
    one = feed(account(), failures=3, failing_since=began, last_success_at=good, last_error="503 from the vendor")
    found = polled()
    assert (found.title, found.crossed) == ("Poll failing: Claude org, no success for 4 min", True)
    assert found.since == began
    assert found.words["facts"][0][1] == "503 from the vendor"
    assert found.words["page"] == "/settings/accounts/claude/"
    Feed.objects.filter(pk=one.pk).update(failures=1)
    assert (polled().crossed, polled().clear) == (False, False)
    Feed.objects.filter(pk=one.pk).update(failures=0)
    assert polled().clear


def test_rows_of_two_accounts_and_a_key_that_changed_hands_are_told(db: Any) -> None:
    first = account(identity=["organization org_1"])
    feed(first)
    refused = {"rows": 96, "account": "claude", "name": "Claude org", "examples": [["pods/1", "EUR", "USD"]]}
    feed(account(slug="second", name="Claude two"), refused=refused)
    by_subject = {found.subject: found for found in findings("account")}
    twice, calm = by_subject["account-twice:second"], by_subject["account-key:claude"]
    assert twice.title == "Charges of Anthropic arrived from two accounts: Claude two, 96 rows refused"
    assert (twice.crossed, twice.words["facts"][0][2]) == (True, "pods/1: stored in EUR, refused in USD")
    assert calm.clear and by_subject["account-twice:claude"].clear
    Account.objects.filter(pk=first.pk).update(new_identity=["organization org_2"])
    by_subject = {found.subject: found for found in findings("account")}
    assert by_subject["account-key:claude"].title == "Key of another account: Claude org, 0 rows are stored"
    assert polled().clear, "one alert for one matter"


def test_a_lease_that_nobody_reports_is_not_idle(db: Any) -> None:
    where = account(slug="runpod", name="RunPod", kind="runpod")
    LeaseFactory.create(account=where, state="stopped", price_per_hour=Decimal("0.4"), started_at=NOW, seen_at=NOW)
    assert len(findings("lease")) == 1
    Account.objects.update(enabled=False)
    assert findings("lease") == []


def test_a_poll_that_is_overdue_without_an_error_is_told_as_well(db: Any) -> None:
    feed(account(), last_success_at=NOW - timedelta(hours=2))
    found = polled()
    assert (found.crossed, found.title) == (True, "Poll overdue: Claude org, due 1 h 55 min ago")
    assert found.words["page"] == "/settings/accounts/claude/"


def test_an_account_that_we_stopped_polling_by_ourselves_is_critical(db: Any) -> None:
    feed(account(enabled=False, disabled_reason="The vendor refuses our key."), failures=9)
    assert (polled().crossed, polled().severity) == (True, "critical")
    Account.objects.update(disabled_reason="")
    assert polled().clear, "switched off by a person"


def test_rules_that_do_not_run_are_an_alert(db: Any) -> None:
    ensure_defaults()
    Rule.objects.update(evaluated_at=NOW)
    assert only("late").clear
    Rule.objects.filter(kind="budget").update(evaluated_at=NOW - timedelta(minutes=10))
    found = only("late")
    assert (found.crossed, found.title) == (True, f"Rules late: 1 of {len(SHIPPED)} not run for 10 min")


def test_a_prepaid_balance_is_told_in_days(db: Any) -> None:
    Balance.objects.create(account=account(), amount=Decimal(24), spend_per_hour=Decimal("0.5"), at=NOW)
    found = only("balance")
    assert (found.crossed, found.title) == (True, "Balance low: Claude org, $24.00, 2.0 days")
    assert only("balance", days=1).clear


def test_a_lease_that_is_stopped_and_billed_is_told_with_what_it_wasted(db: Any) -> None:
    lease = LeaseFactory.create(
        account=account(), external_id="pod1", name="gpu-1", price_per_hour=Decimal("0.34"),
        state="stopped", started_at=NOW - timedelta(days=2), seen_at=NOW - timedelta(hours=10),
    )  # fmt: skip
    found = only("lease")
    assert (found.crossed, found.title) == (True, "Stopped but billed: gpu-1, $3.40 in 10 h")
    assert found.words["fixes"] == [], "it cannot be stopped again"
    Lease.objects.filter(pk=lease.pk).update(state="pending")
    assert not only("lease").crossed, "it has not begun to run"


def test_a_running_machine_that_no_deployment_is_on_burns_money_too(db: Any) -> None:
    lease = LeaseFactory.create(
        account=account(), external_id="pod1", name="gpu-1", price_per_hour=Decimal("0.34"),
        state="running", started_at=NOW - timedelta(days=2), seen_at=NOW,
    )  # fmt: skip
    for begun, over, state in ((48, 10, "stopped"), (10, 2, "running"), (2, 0, "running")):  # its price moved
        at = {"starts_at": NOW - timedelta(hours=begun), "ends_at": NOW - timedelta(hours=over)}
        LeaseSpanFactory.create(lease=lease, state=state, price_per_hour=Decimal("0.34"), **at)
    found = only("lease")
    assert (found.crossed, found.title) == (True, "Idle GPU: gpu-1, $3.40 in 10 h")
    assert "It has no deployment" in found.words["detail"]
    assert found.words["fixes"][1] == ["Assign a deployment", "/settings/deployments/"]
    Lease.objects.update(utilisation=0.9)
    assert only("lease").clear, "it may train a model"
    Lease.objects.update(utilisation=0.0, used_at=NOW - timedelta(hours=7))
    assert only("lease").title == "Idle GPU: gpu-1, $2.38 in 7 h"
    Lease.objects.update(used_at=NOW - timedelta(hours=1))
    assert not only("lease").crossed, "between two jobs"
    Lease.objects.update(used_at=None, worker_per_hour=Decimal("0.5"))
    assert only("lease").clear, "an endpoint is paid by the busy second"


def test_a_running_lease_that_serves_nothing_is_idle(db: Any) -> None:
    lease = LeaseFactory.create(
        account=account(), external_id="pod1", name="gpu-1", price_per_hour=Decimal("0.34"),
        state="running", started_at=NOW - timedelta(hours=9), seen_at=NOW,
    )  # fmt: skip
    one = deployment(lease=lease)
    assert only("lease").title == "Idle GPU: gpu-1, $3.06 in 9 h"
    use(TODAY, 5, deployment_id=one.pk, provider="self")
    assert only("lease").crossed, "served twelve hours ago"
    UsageHour.objects.update(hour=NOW - timedelta(hours=1))
    assert only("lease").clear


def test_a_lease_has_its_own_idle_time_and_is_told_with_the_command_that_stops_it(db: Any) -> None:
    lease = LeaseFactory.create(
        account=account(kind="runpod"), external_id="pod1", name="gpu-1", state="running",
        price_per_hour=Decimal("0.34"), started_at=NOW - timedelta(hours=2), seen_at=NOW,
    )  # fmt: skip
    one = deployment(lease=lease)
    busy = list(enumerate(EngineSample(running=n) for n in (1, 0, 0, 0)))
    assert not only("lease").crossed, "two hours are less than the rule's six"
    Lease.objects.update(idle_minutes=30)
    found = only("lease")
    assert (found.crossed, found.title, found.threshold) == (True, "Idle GPU: gpu-1, $0.68 in 2 h", "0.5")
    facts = {label: (value, more) for label, value, more, *_mark in found.words["facts"]}
    key = '-H "Authorization: Bearer $RUNPOD_API_KEY"'
    assert facts["To stop it"][0] == f"curl -X POST https://api.runpod.io/v2/pods/pod1/stop {key}"
    assert facts["Manually"][0] == "https://console.runpod.io/pods"
    assert facts["Busy"][0] == "not reported"
    for n, sample in busy:
        engine_series.add([Scraped(one.pk, NOW - timedelta(minutes=9 - n), Scrape(sample), None, timedelta(0))])
    facts = {label: (value, more) for label, value, more, *_mark in only("lease").words["facts"]}
    assert facts["Last hour with a request, as the engine reports it"] == ("25\N{NO-BREAK SPACE}%", "")
    Lease.objects.update(utilisation=0.03)
    facts = {label: (value, more) for label, value, more, *_mark in only("lease").words["facts"]}
    assert facts["GPU busy, as RunPod reports it"] == ("3\N{NO-BREAK SPACE}%", "")
    assert found.words["page"] == f"/providers/leases/{lease.pk}/"
    assert found.words["fixes"] == [["Stop gpu-1", f"/providers/leases/{lease.pk}/stop/"]]


def test_a_balance_without_a_rate_of_the_vendors_lasts_as_long_as_our_leases_let_it(db: Any) -> None:
    where = account(kind="vast")
    Balance.objects.create(account=where, amount=Decimal(24), at=NOW)
    assert not list(KINDS["balance"].evaluate(EvaluationContext(NOW), KINDS["balance"].read({}), frozenset())), (
        "nothing is spent"
    )
    LeaseFactory.create(
        account=where, external_id="1", gpu="L4", price_per_hour=Decimal("0.5"), state="running",
        started_at=NOW, seen_at=NOW,
    )  # fmt: skip
    found = only("balance")
    assert (found.crossed, found.title) == (True, "Balance low: Claude org, $24.00, 2.0 days")
    said = "Balance lasts until Thursday, 26 Nov 2026, 12:00 UTC at this rate of $0.50 an hour."
    assert found.words["detail"] == said


def test_a_feed_that_was_given_up_is_told_while_the_others_are_read(db: Any) -> None:
    where = account()
    feed(where, kind="usage")
    refused = feed(where, failures=3, disabled_reason="The vendor refused the key (403).")
    found = polled()
    assert (found.crossed, found.title) == (True, "Key rejected: Claude org, no costs, 1 feed stopped")
    assert found.words["detail"] == "The vendor refused the key (403)."
    assert found.words["fixes"] == [["The account Claude org", "/settings/accounts/claude/"]]
    Feed.objects.filter(pk=refused.pk).update(disabled_reason="", failures=0)
    assert polled().clear


def growing(*, days: int, before: int, after: int, since: int, every_other: Decimal = Decimal(1)) -> None:
    """`every_other`: how many times as dear a request is on every other day."""
    for n in range(days, 0, -1):
        requests = after if n <= since else before
        cost = requests * Decimal("0.003") * (every_other if n % 2 else 1)
        use(TODAY - timedelta(days=n), requests, uncached_input=500 * requests, output=200 * requests, cost=cost)


def test_break_even_is_crossed_when_the_run_rate_has_stayed_past_it(db: Any) -> None:
    long_ago = NOW - timedelta(days=400)
    TokenPriceFactory.create(model="claude-sonnet-5-5", starts_at=long_ago, uncached_input=2, output=10)
    growing(days=89, before=100, after=100, since=0)
    below = only("break-even")
    assert (below.crossed, below.clear) == (False, True)
    UsageDay.objects.all().delete()
    UsageHour.objects.all().delete()
    growing(days=89, before=100, after=60_000, since=40)
    passed = only("break-even")
    assert passed.crossed, passed
    assert passed.title.startswith("Break-even passed: saves about $")
    assert passed.since
    assert passed.since < NOW - timedelta(days=7)


def test_break_even_is_not_told_while_two_plausible_models_name_different_sides(db: Any) -> None:
    for model, rate in (("claude-haiku-4-5", 1), ("claude-opus-5-5", 50)):
        long_ago = NOW - timedelta(days=400)
        TokenPriceFactory.create(model=model, starts_at=long_ago, uncached_input=rate, output=5 * rate)
    for n in range(89, 0, -1):
        tokens = {"uncached_input": 5_000_000, "output": 1_000_000}
        own = {"provider": "self", "model": "mistral", "leased": 10_000}
        use(TODAY - timedelta(days=n), 10_000, **tokens, **(own if n <= 40 else {"model": "claude-haiku-4-5"}))
    alone = only("break-even")
    assert (alone.crossed, alone.clear) != (False, False)
    for n in range(60, 50, -1):
        use(TODAY - timedelta(days=n), 10_000, model="claude-opus-5-5")
    both = only("break-even")
    assert (both.crossed, both.clear) == (False, False)


def test_break_even_says_nothing_where_nothing_can_be_compared(db: Any) -> None:
    use(TODAY - timedelta(days=3), 100, provider="self", model="mistral", leased=100)
    assert not findings("break-even")


@pytest.mark.parametrize(
    ("days", "requests", "every_other", "title"),
    [
        (40, 60_000, Decimal(1), "Break-even passed: saves about $"),
        (40, 5_500, Decimal(60), "Near break-even: too close to call, about $"),
        (6, 60_000, Decimal(1), "Break-even: not enough data for a saving"),
    ],
)
def test_break_even_is_never_passed_further_than_the_interval_of_the_saving(
    db: Any, days: int, requests: int, every_other: Decimal, title: str
) -> None:
    TokenPriceFactory.create(
        model="claude-sonnet-5-5", starts_at=NOW - timedelta(days=400), uncached_input=2, output=10
    )
    growing(days=days, before=requests, after=requests, since=0, every_other=every_other)
    found = only("break-even", days=1)
    assert found.title.startswith(title)
    assert (found.crossed, found.clear) == (title.startswith("Break-even passed"), False)


def test_a_volume_in_another_phases_band_is_told_after_its_days(phase: Phase) -> None:
    growing(days=60, before=10_000, after=10_000, since=0)  # 300,000 a month
    assert only("phase").clear
    Phase.objects.update(volume_to=200_000)
    PhaseFactory.create(
        slug="fleet", name="Fleet", budget_low=1, budget_high=2, volume_from=200_000, starts_on=date(2027, 1, 1)
    )
    found = only("phase")
    assert (found.crossed, found.title) == (True, "Left the phase: Scale-up, 300,000 requests a month")
    assert "Fleet" in found.words["detail"]


def test_a_rate_limit_of_a_vendor_that_is_nearly_used_up_is_told_while_the_report_is_fresh(db: Any) -> None:
    limits = {"tokens": {"limit": 40_000, "remaining": 3_900}, "requests": {"limit": 50, "remaining": 50}}
    deployment("claude", name="Claude", vendor_limits=limits, vendor_limits_at=NOW)
    assert only("system-rate-limit").title == "Rate limit: Claude, 90 % used"
    Deployment.objects.update(vendor_limits_at=NOW - timedelta(minutes=6))
    assert findings("system-rate-limit") == []
    Deployment.objects.update(vendor_limits_at=NOW, vendor_limits={"tokens": {"limit": 40_000, "remaining": 4_100}})
    assert findings("system-rate-limit") == []


def test_a_canary_that_ended_by_itself_is_told_until_a_person_decides(db: Any) -> None:
    route = Route.objects.create(
        order=1, slug="chats", name="Chats", deployment=deployment("own"), canary=deployment("new", name="New"),
        canary_percent=5, canary_ttft_ms=800,
    )  # fmt: skip
    use = RouteUse.objects.create(route=route, calls=60, failures=9, streams=40, slow=12)
    assert findings("system-canary") == []
    RouteUse.objects.update(returned_at=NOW, reason="errors")
    alert = only("system-canary")
    assert (alert.subject, alert.title) == ("canary:chats", "Canary ended: Chats, 9 of 60 calls failed")
    assert alert.crossed and alert.since == NOW and "5 % is the limit" in alert.words["detail"]
    RouteUse.objects.update(reason="ttft")
    assert only("system-canary").title == "Canary ended: Chats, 12 of 40 streams were slow"
    Route.objects.update(enabled=False)
    assert findings("system-canary") == []
    Route.objects.update(enabled=True)
    start_canary(use.route)
    assert findings("system-canary") == []


def test_calls_without_their_caps_are_told_until_a_quarter_of_an_hour_after_the_last(db: Any) -> None:
    Installation.objects.get_or_create(id=1, defaults={"salt": b"s"})
    assert findings("system-caps") == []
    Installation.objects.update(cap_gap_since=NOW - timedelta(hours=1), cap_gap_at=NOW, cap_gap_calls=12)
    assert only("system-caps").title == "Caps not enforced: 12 calls"
    Installation.objects.update(caps_refuse=True)
    assert only("system-caps").title == "Caps: 12 calls refused, Valkey is down"
    Installation.objects.update(cap_gap_at=NOW - timedelta(minutes=15))
    assert findings("system-caps") == []


def test_an_address_that_is_disabled_is_told_to_admins(db: Any) -> None:
    Address.objects.create(address="olga@example.com", refusals=3, disabled_at=NOW, refused_at=NOW, answer="550 no")
    assert only("system").title == "Mail rejected: olga@example.com, 3 times in a row"
    assert KINDS["system"].groups == ("admin",)


def test_every_kind_that_is_shipped_names_its_rule_and_no_other_does() -> None:
    assert {slug: bool(kind.name) for slug, kind in KINDS.items()} == {
        slug: kind.shipped for slug, kind in KINDS.items()
    }
    names = [kind.name for kind in KINDS.values() if kind.shipped]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", SHIPPED)
def test_every_kind_looks_at_an_empty_installation_without_a_word(kind: str, db: Any) -> None:
    assert [found for found in findings(kind) if found.crossed] == []


@pytest.mark.parametrize("kind", SHIPPED)
def test_every_kind_is_known_to_the_contract_and_explains_itself(kind: str, db: Any) -> None:
    ensure_defaults()
    lines = list(explain(Rule.objects.get(kind=kind)))
    assert lines[0].startswith("When ")
    assert any(kind == known or kind.startswith(f"{known}-") for known in {
        "budget", "budget-forecast", "burn-rate", "stage", "phase", "break-even", "outage", "latency", "error-rate",
        "quality", "anomaly", "balance", "lease", "offer", "unpriced", "price", "retiring", "spend-cap", "bill-gap",
        "late", "system", "heartbeat", "account",
    })  # fmt: skip


@pytest.mark.parametrize("given", ["", "x", "-1", "NaN", "Infinity", "1e99", None, [], {"a": 1}])
def test_a_threshold_that_is_none_is_refused_with_a_sentence(given: Any) -> None:
    with pytest.raises(BadThreshold, match=r"\w"):
        KINDS["budget"].read({"levels": given})


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        (
            "lease",
            {"hours": "2 days"},
            "Idle or stopped for: “2 days” is not a number. Enter it in hours, without the unit.",
        ),
        ("budget", {"levels": "$300"}, "Levels: “$300” is not a number. Enter it in %, without the unit."),
        ("budget", {"levels": "5000"}, "Levels must be between 1 and 1000 %."),
        ("latency", {"ms": "10"}, "Or to the first token over must be between 100 and 600000 ms."),
    ],
)
def test_a_threshold_of_the_wrong_unit_is_refused_with_the_right_one(
    kind: str, given: dict[str, str], said: str
) -> None:
    with pytest.raises(BadThreshold) as raised:
        KINDS[kind].read(given)
    assert str(raised.value) == said


def test_an_explanation_says_why_a_rule_fires_or_not(phase: Phase) -> None:
    ensure_defaults()
    spend("100")
    rule = Rule.objects.get(kind="budget")
    assert "  No alert: the limit is not exceeded." in list(explain(rule, NOW))
    spend("200")
    assert "  It opens at the next evaluation." in list(explain(rule, NOW))
    services.evaluate(now=NOW, kinds=["budget"])
    assert any(line.startswith(f"  Alert {Alert.objects.get().pk} is open") for line in explain(rule, NOW))


def test_explanations_durations_and_dates_are_said_in_the_readers_language(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wording, "_", lambda text: text.replace("min", "Minuten"))
    with translation.override("it"):
        assert wording.span(timedelta(minutes=3, seconds=10)) == "3 Minuten 10 s"
        assert (wording.day(TODAY), wording.long_day(TODAY)) == ("24 Nov", "24 Novembre 2026")
        assert wording.moment(NOW, weekday=True) == "Martedì, 24 Nov 2026, 12:00 UTC"
        assert wording.localised("until Tuesday, 24 Nov 2026, 12:00 UTC") == "until Martedì, 24 Nov 2026, 12:00 UTC"
    monkeypatch.setattr(explaining, "_", lambda text: f"»{text}")
    ensure_defaults()
    spend("200")
    lines = [line for line in explain(Rule.objects.get(kind="budget"), NOW) if line and ":2026-11:" not in line]
    assert [line for line in lines[1:] if "»" not in line] == []
    assert any("value $200, limit $200" in line for line in lines)


def test_a_batch_job_that_missed_its_time_or_failed_alarms_until_it_pings(db: None) -> None:
    job = Heartbeat.objects.create(slug="nightly", name="Nightly", state="down", state_since=NOW - timedelta(hours=2))
    found = only("heartbeat")
    assert (found.subject, found.title, found.since) == (
        "heartbeat:nightly", "Missed: Nightly, late for 2 h so far", NOW - timedelta(hours=2),
    )  # fmt: skip
    assert found.crossed
    Heartbeat.objects.update(last_signal="fail")
    assert only("heartbeat").title == "Failed: Nightly, 2 h ago"
    Heartbeat.objects.update(state="up")
    live = frozenset({"heartbeat:nightly"})
    assert (only("heartbeat", live=live).title, only("heartbeat", live=live).clear) == ("Pings again: Nightly", True)
    Heartbeat.objects.update(state="new", paused=True)
    assert only("heartbeat", live=live).title == "Paused: Nightly"
    job.delete()
    assert findings("heartbeat", live=live) == []


# Bills.


def bill(gap: str, allowed: str = "5") -> BillStanding:
    causes = (Cause("other_keys", Decimal(gap)),)
    return BillStanding("anthropic", date(2026, 10, 1), Decimal(gap), Decimal(100), Decimal(allowed), causes)


def of_bills(standings: list[BillStanding], live: frozenset[str] = frozenset()) -> list[Finding]:
    figures = EvaluationContext(NOW)
    figures.__dict__["bills"] = standings  # read at most once: as if it had been
    return list(KINDS["bill-gap"].evaluate(figures, KINDS["bill-gap"].read({}), live))


@pytest.mark.parametrize(("gap", "crossed"), [("5", False), ("5.01", True), ("-6", True)])
def test_a_bill_over_its_tolerance_is_one_subject_of_provider_and_month(gap: str, crossed: bool) -> None:
    [found] = of_bills([bill(gap)])
    assert (found.subject, found.crossed, found.clear) == ("bill-gap:anthropic:2026-10", crossed, not crossed)
    assert found.words["page"] == "/spend/reconciliation/?month=2026-10&provider=anthropic"
    assert found.words["drivers"][0][0] == "other tools or keys of the account"


def test_a_month_that_is_compared_no_more_is_over() -> None:
    [found] = of_bills([], frozenset({"bill-gap:anthropic:2026-08"}))
    assert found.clear and not found.crossed
