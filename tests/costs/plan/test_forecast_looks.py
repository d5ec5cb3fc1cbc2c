"""The forecast held against each day of the months that are over, kept and told on Plan."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from costs.models import ForecastLook
from costs.plan.forecast_record import ForecastRecord, over, record_forecasts, recorded_forecasts
from tests.costs.people import client_of, text
from tests.costs.usage_rows import usage
from tests.factories import PhaseFactory
from traffic.models import UsageDay

D = Decimal
NOW = datetime(2026, 9, 3, 12, tzinfo=UTC)
AUGUST = date(2026, 8, 1)


@pytest.fixture
def steady(db: Any) -> None:
    """Four USD a day since the middle of July, a little more and less in turn."""
    for n in range(50):
        usage(day=date(2026, 7, 15) + timedelta(days=n), cost=D(4) + D(n % 3 - 1) / 10)


def test_each_day_of_a_whole_month_but_its_first_is_looked_from_once(steady: None) -> None:
    assert record_forecasts(NOW, most=12) == 12
    assert record_forecasts(NOW) == 18
    assert record_forecasts(NOW) == 0
    looks = recorded_forecasts(AUGUST)
    assert list(looks.months) == [AUGUST] and looks.of == 30
    assert looks.share is not None and looks.share > D("0.9") and not looks.is_narrow
    assert set(ForecastLook.objects.values_list("actual", flat=True)) == {D("124.10")}


def test_log_says_how_many_days_were_looked_from(steady: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="costs.plan.forecast_record")
    record_forecasts(NOW, most=12)
    (line,) = caplog.messages
    assert line.startswith("forecasts_recorded days=12 ms=")


def test_a_month_that_came_to_something_else_since_is_looked_at_anew(steady: None) -> None:
    record_forecasts(NOW)
    UsageDay.objects.filter(day=date(2026, 8, 31)).update(cost=D(64))
    assert record_forecasts(NOW) == 30
    looks = recorded_forecasts(AUGUST)
    assert (looks.inside, looks.of, looks.is_narrow) == (0, 30, True)
    assert recorded_forecasts(date(2026, 9, 1)).share is None


def test_months_with_a_day_unknown_or_to_come_or_without_spend_are_left_out() -> None:
    days = {AUGUST + timedelta(n): D(1) for n in range(31)}
    assert len(list(over(days, date(2026, 9, 1)))) == 30
    assert not list(over(days, date(2026, 8, 31)))
    assert not list(over({day: D(0) for day in days}, date(2026, 9, 1)))
    del days[date(2026, 8, 9)]
    assert not list(over(days, date(2026, 9, 1)))


def test_plan_says_how_often_the_interval_held_and_that_it_is_too_narrow(db: Any) -> None:
    today = timezone.now().astimezone(UTC).date()
    last = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    for n in range((today - last).days + 40):
        usage(day=last - timedelta(days=40) + timedelta(days=n), cost=D(4))
    PhaseFactory.create(slug="now", name="Now", budget_low=50, budget_high=150, starts_on=last - timedelta(days=90))
    client = client_of("manager")
    assert "From every day" not in text(client, "/plan/")
    for n in range(10):
        high = D(130) if n < 7 else D(1)
        ForecastLook.objects.create(day=last + timedelta(n + 1), low=0, median=1, high=high, actual=D(120))
    page = text(client, "/plan/")
    assert '<td class="num wrap">7 of 10</td>' in page
    assert "the end was inside on 7 of 10 days: <b>70" in page
    assert "the interval is too narrow" in page
    assert "hold 80 % of the ends" in page and "four months in five end inside" not in page


def test_nothing_looked_at_has_no_share() -> None:
    assert ForecastRecord({}).share is None and not ForecastRecord({}).is_narrow
