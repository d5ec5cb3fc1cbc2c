"""What running our own deployments asked of people in 30 days: incidents, hours, calls; and what the team bears.

Incidents are outages of our own deployments, hours are what people entered, calls are alerts about those deployments
that reached someone (`alerts` counts them). The research's "operations too complex" has no number: the limits are the
team's own, and without any the burden is shown and only a person's tick forbids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.utils import timezone

from costs.models import Effort, OpsWorkloadLimit, PageDay
from costs.readiness.evidence import OpsWorkload
from providers.uptime.report import OutageSpan

WINDOW = timedelta(days=30)
OWN = "self"

# Hours and calls of the window, and the limits that hold, NULL where nobody has set any.
WORKLOAD_SQL = """
SELECT coalesce((SELECT sum(hours) FROM costs_effort
                 WHERE day > %(since)s AND day <= %(today)s AND withdrawn_at IS NULL), 0),
       coalesce((SELECT sum(pages) FROM costs_pageday WHERE day > %(since)s AND day <= %(today)s), 0),
       most.incidents, most.hours, most.pages
FROM (SELECT 1) AS once
LEFT JOIN (SELECT * FROM costs_opsworkloadlimit ORDER BY created_at DESC, id DESC LIMIT 1) AS most ON true
"""


def ops_workload(now: datetime, outages: Iterable[OutageSpan]) -> OpsWorkload:
    """In one statement; `outages` are those of our own deployments that the window touches."""
    today = now.astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute(WORKLOAD_SQL, {"since": today - WINDOW, "today": today})
        hours, pages, most_incidents, most_hours, most_pages = cursor.fetchone()
    started = sum(1 for outage in outages if outage.started_at >= now - WINDOW)
    return OpsWorkload(started, hours, pages, most_incidents, most_hours, most_pages)


def enter_hours(*, day: date, hours: Decimal, what: str, by: AbstractBaseUser) -> Effort:
    return Effort.objects.create(day=day, hours=hours, what=what, by_id=by.pk)


def withdraw_hours(effort: Effort) -> bool:
    """False where it was withdrawn before."""
    return bool(Effort.objects.filter(pk=effort.pk, withdrawn_at=None).update(withdrawn_at=timezone.now()))


def set_limits(
    *, incidents: int | None, hours: Decimal | None, pages: int | None, by: AbstractBaseUser
) -> OpsWorkloadLimit:
    """The newest row holds; all are kept."""
    return OpsWorkloadLimit.objects.create(incidents=incidents, hours=hours, pages=pages, by_id=by.pk)


@transaction.atomic
def save_pages(counted: dict[date, int]) -> None:
    """Put the counts of these days in the place of the earlier ones."""
    rows = [PageDay(day=day, pages=pages) for day, pages in counted.items()]
    PageDay.objects.bulk_create(rows, update_conflicts=True, unique_fields=["day"], update_fields=["pages"])
