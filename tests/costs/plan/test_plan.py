"""The plan says what the month has cost, what it will come to and when the money runs out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from costs.models import Stage
from costs.plan.queries import plan
from tests.costs.usage_rows import at, usage
from tests.factories import AccountFactory, ChargeFactory, LeaseFactory, PhaseFactory
from traffic.models import UsageHour
from traffic.usage.filters import Filters

NOW = datetime(2026, 9, 16, 12, tzinfo=UTC)


@pytest.fixture
def phases(db: Any) -> None:
    bands = (("now", 0, 100_000, 50, 150), ("scale-up", 100_000, 500_000, 300, 400), ("high", 500_000, None, 500, 1000))
    for number, (slug, low, high, budget_low, budget_high) in enumerate(bands):
        PhaseFactory.create(
            slug=slug, volume_from=low, volume_to=high, budget_low=budget_low, budget_high=budget_high,
            starts_on=date(2026, 4 + 3 * number, 1), ends_on=date(2026, 7 + 3 * number, 1) if number < 2 else None,
        )  # fmt: skip


def history(per_day: str, days: int = 60) -> None:
    for n in range(1, days + 1):
        usage(day=NOW.date() - timedelta(days=n), cost=Decimal(per_day), requests=5000)


def test_the_phase_of_the_date_and_of_the_volume_are_told_apart(phases: None) -> None:
    usage(UsageHour, hour=NOW - timedelta(days=29, hours=23), requests=60_000)
    found = plan(NOW)
    assert (found.current and found.current.slug, found.volume_phase and found.volume_phase.slug) == ("scale-up", "now")
    assert 59_000 < found.run_rate < 61_000


def test_the_month_is_the_current_phases_and_the_forecast_holds_committed_leases_exactly(phases: None) -> None:
    history("8")
    account = AccountFactory.create(slug="r", name="R", kind="runpod")
    LeaseFactory.create(account=account, external_id="p", price_per_hour=Decimal("0.1"), started_at=NOW, seen_at=NOW)
    found = plan(NOW)
    current = next(state for state in found.phases if state.current)
    assert current.spent == 15 * 8
    assert current.forecast is not None
    # 30 days at 8, and 348 lease hours to the end of the month.
    assert abs(current.forecast.median - (240 + Decimal("34.8"))) < 2
    assert current.runs_out_on is None


def test_the_day_that_the_money_runs_out_is_told(phases: None) -> None:
    history("20")
    current = next(state for state in plan(NOW).phases if state.current)
    # 400 at 20 a day is gone with day 20; the 21st passes it.
    assert current.runs_out_on in (date(2026, 9, 20), date(2026, 9, 21))


def test_a_stage_has_its_total(phases: None) -> None:
    history("8")
    Stage.objects.create(slug="poc", name="POC", starts_on=date(2026, 9, 1), ends_on=date(2026, 9, 8), budget=120)
    assert plan(NOW).stages[0].spent == 7 * 8


def test_an_entered_charge_counts_and_is_not_extrapolated(phases: None) -> None:
    history("8")
    ChargeFactory.create(
        key="entered:vm", provider="google", day=date(2026, 9, 2), starts_at=at(date(2026, 9, 2)),
        ends_at=at(date(2026, 9, 3)), category="vm", provenance="entered", amount=50, original_amount=50,
    )  # fmt: skip
    current = next(state for state in plan(NOW).phases if state.current)
    assert current.spent == 15 * 8 + 50
    assert current.forecast is not None
    assert abs(current.forecast.median - 290) < 2


def test_no_data_is_said_and_not_guessed(phases: None) -> None:
    found = plan(NOW)
    assert found.month.forecast is None
    assert len(found.month.reason) > 20


def test_the_filters_hold_for_what_was_spent_and_sent(phases: None) -> None:
    history("8")
    usage(day=NOW.date() - timedelta(days=1), model="claude-opus-5-5", task="poetry", cost=Decimal(3), requests=7)
    for filters in (Filters(task=["poetry"]), Filters(model=["claude-opus-5-5"])):
        current = next(state for state in plan(NOW, filters=filters).phases if state.current)
        assert (current.spent, current.requests) == (Decimal(3), 7)
    current = next(state for state in plan(NOW, filters=Filters(provider=["openai"])).phases if state.current)
    assert (current.spent, current.requests) == (Decimal(0), 0)
