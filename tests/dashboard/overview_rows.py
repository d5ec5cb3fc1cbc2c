"""A deployment as the Overview shows it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from costs.models import Phase
from costs.plan.forecast import Forecast
from costs.plan.month import Month
from costs.plan.queries import Days, hold
from dashboard.overview.money import Money
from providers.models import CheckHour, Deployment, DeploymentState
from tests.factories import DeploymentFactory


def deployment(slug: str, provider: str = "anthropic", **more: Any) -> Deployment:
    now = timezone.now()
    made = DeploymentFactory.create(
        slug=slug, name=slug.title(), provider=provider, url="http://127.0.0.1:9/v1",
        **{"state": DeploymentState.UP, "state_since": now, "last_check_at": now, "last_latency_ms": 40.0} | more,
    )  # fmt: skip
    hour = now.replace(minute=0, second=0, microsecond=0)
    CheckHour.objects.bulk_create(
        CheckHour(deployment=made, hour=hour - timedelta(hours=n), checks=120, observed_s=3600, latency_sum_ms=120 * 40)
        for n in range(1, 49)
    )
    return made


FIRST = date(2026, 11, 1)

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)


def money(spent: int, forecast: tuple[int, int, int] | None, high: int | None = 400) -> Money:
    said = None
    if forecast:
        low, median, top = (Decimal(value) for value in forecast)
        said = Forecast(low, median, top, Decimal(spent), Decimal(0), Decimal(0), ())
    month = Month(FIRST, date(2026, 11, 30), Decimal(spent), 1000, 0, said, "", {FIRST: Decimal(spent)}, {})
    held, planned = None, None
    if high:
        planned = Phase(name="P", budget_low=Decimal(300), budget_high=Decimal(high), volume_from=0, starts_on=FIRST)
        held = hold([planned], month, Days(FIRST, [], []))
    return Money(
        month, planned, 1, None, {"billed": Decimal(spent)}, None, FIRST, Decimal(200), None, NOON, held, Decimal(spent)
    )
