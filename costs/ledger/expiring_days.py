"""Which days of requests are about to go by retention, and whether anything still waits for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from costs.allocation.complete_days import bill_days
from costs.models import Closing
from traffic.models import SealedDay, UsageDay
from traffic.privacy.retention import days_before
from traffic.retention_settings import current_retention as kept_now


@dataclass(frozen=True, slots=True)
class ExpiringDays:
    """`overdue` should have gone before today; `unbilled` go within the days asked for, by day and provider."""

    days: int
    first: date | None
    goes_in: int | None  # days until the oldest one goes
    overdue: list[date]
    unbilled: list[tuple[date, str]]
    approaching: bool  # nothing has ever gone, and the first is about to


def expiring_days(today: date, ahead: int) -> ExpiringDays:
    """What retention will drop within `ahead` days; five queries at most."""
    retention_days = kept_now().requests
    soon = days_before("traffic_request", today + timedelta(days=ahead - retention_days))
    if not soon:
        return ExpiringDays(retention_days, None, None, [], [], approaching=False)
    # The job runs once a day: a day is late only when a whole day more has passed.
    overdue = [day for day in soon if day < today - timedelta(days=retention_days + 1)]
    goes_in = max((soon[0] - today).days + retention_days + 1, 0)
    approaching = not overdue and goes_in > 0 and not SealedDay.objects.exists()
    return ExpiringDays(retention_days, soon[0], goes_in, overdue, unbilled(soon), approaching)


def unbilled(days: list[date]) -> list[tuple[date, str]]:
    """Of days, those on which a provider that bills us was used while its bill is neither whole nor closed."""
    whole = bill_days()
    used = UsageDay.objects.filter(day__gte=days[0], day__lte=days[-1], cost__gt=0, provider__in=whole)
    closed = {
        (closing.provider, closing.month) for closing in Closing.objects.filter(month__gte=days[0].replace(day=1))
    }
    pairs = used.values_list("day", "provider").distinct().order_by("day", "provider")
    return [(on, of) for on, of in pairs if on >= whole[of] and (of, on.replace(day=1)) not in closed]
