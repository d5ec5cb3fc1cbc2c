"""What the checks of a period amount to: uptime, outages and speed of each deployment, by day and in all.

Only hours and outages are read, never single checks, so a page costs the same however often was checked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from django.db import connection

from lib import sql
from lib.dates import HOUR
from lib.time_spans import Span, without
from providers.uptime.checks import WatchedSpan, down_s

if TYPE_CHECKING:
    from providers.models import Deployment, Outage


# An hour at the edge of the period counts with the part that lies inside.
DAYS = """
SELECT deployment_id, (hour AT TIME ZONE 'UTC')::date, sum(checks), sum(failed), sum(latency_sum_ms),
       sum(LEAST(observed_s, EXTRACT(EPOCH FROM LEAST(hour + interval '1 hour', %(end)s) - GREATEST(hour, %(start)s)))),
       sum(maintenance_s), sum(maintenance_down_s)
FROM providers_checkhour
WHERE deployment_id = ANY(%(ids)s) AND hour > %(start)s - interval '1 hour' AND hour < %(end)s
GROUP BY 1, 2
"""

# Outages of which any part lies in the period; one that lasts is still there at the end.
TOUCHING = """
WHERE deployment_id = ANY(%(ids)s) AND started_at < %(end)s AND (ended_at IS NULL OR ended_at > %(start)s)
ORDER BY started_at DESC
"""

# The few hours in which something was down.
HOURS_DOWN = """
SELECT DISTINCT h.deployment_id, h.hour, h.observed_s
FROM providers_outage o JOIN providers_checkhour h
  ON h.deployment_id = o.deployment_id
 AND h.hour > GREATEST(o.started_at, %(start)s) - interval '1 hour'
 AND h.hour < LEAST(COALESCE(o.ended_at, %(end)s), %(end)s)
WHERE o.deployment_id = ANY(%(ids)s) AND o.started_at < %(end)s AND (o.ended_at IS NULL OR o.ended_at > %(start)s)
"""


@dataclass(frozen=True, slots=True)
class OutageSpan:
    """One outage; `ended_at` is None while it lasts, `row` is what is stored of it."""

    started_at: datetime
    ended_at: datetime | None
    cause: str
    row: Outage | None = field(default=None, compare=False, repr=False)

    def span(self, end: datetime) -> Span:
        return Span(self.started_at, end if self.ended_at is None else self.ended_at)

    def lasted(self, now: datetime) -> timedelta:
        return (self.ended_at or now) - self.started_at


@dataclass(slots=True)
class UptimeDay:
    """Checks of one deployment on one UTC day. Unknown is None: nothing observed is neither up nor down."""

    day: date
    checks: int = 0
    failed: int = 0
    latency_sum_ms: float = 0.0
    observed_s: float = 0.0
    down_s: float = 0.0
    maintenance_s: float = 0.0  # watched in planned windows; in none of the figures above
    maintenance_down_s: float = 0.0

    @property
    def uptime(self) -> float | None:
        return share(self.observed_s, self.down_s)

    @property
    def latency_ms(self) -> float | None:
        """Mean of the checks that went well."""
        good = self.checks - self.failed
        return self.latency_sum_ms / good if good > 0 else None


@dataclass(frozen=True, slots=True)
class DeploymentUptime:
    """One deployment over the period asked for; `days` are those with any check, in order."""

    slug: str
    name: str
    engine: str
    state: str
    uptime: float | None
    checks: int
    failed: int
    outages: Sequence[OutageSpan]
    days: Sequence[UptimeDay] = field(default=(), repr=False)

    @property
    def observed_s(self) -> float:
        return sum(day.observed_s for day in self.days)

    @property
    def down_s(self) -> float:
        return sum(day.down_s for day in self.days)

    def uptime_since(self, day: date) -> float | None:
        """Uptime of the days from this one on."""
        return share(sum(entry.observed_s for entry in self.days if entry.day >= day), self.down_since(day))

    def uptime_with_maintenance(self, day: date) -> float | None:
        """The same with planned windows counted: what failed in them was down, what answered was up."""
        days = [entry for entry in self.days if entry.day >= day]
        observed = sum(entry.observed_s + entry.maintenance_s for entry in days)
        return share(observed, sum(entry.down_s + entry.maintenance_down_s for entry in days))

    def planned_since(self, day: date) -> float:
        """Seconds watched in planned windows."""
        return sum(entry.maintenance_s for entry in self.days if entry.day >= day)

    def down_since(self, day: date) -> float:
        return sum(entry.down_s for entry in self.days if entry.day >= day)


def hour_of(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def share(observed_s: float, down: float) -> float | None:
    return max(0.0, 1.0 - down / observed_s) if observed_s > 0 else None


def report(
    deployments: Iterable[Deployment],
    start: datetime,
    end: datetime,
    windows: Mapping[int, Sequence[Span]] | None = None,
) -> list[DeploymentUptime]:
    """One entry per deployment, in their order; two statements however many there are, four where one was down.

    `windows` is the maintenance of the period by deployment, where the caller has read it.
    """
    rows = list(deployments)
    if not rows:
        return []
    ids = [row.pk for row in rows]
    outages = _outages({row.pk: row for row in rows}, start, end)
    days = _days(ids, start, end)
    for (pk, day), seconds in _down(ids, outages, start, end, windows).items():
        days[pk][day].down_s = seconds
    return [_entry(row, outages[row.pk], [days[row.pk][day] for day in sorted(days[row.pk])]) for row in rows]


def _entry(row: Deployment, outages: Sequence[OutageSpan], days: Sequence[UptimeDay]) -> DeploymentUptime:
    return DeploymentUptime(
        slug=row.slug,
        name=row.name,
        engine=row.engine,
        state=row.state,
        uptime=share(sum(day.observed_s for day in days), sum(day.down_s for day in days)),
        checks=sum(day.checks for day in days),
        failed=sum(day.failed for day in days),
        outages=outages,
        days=days,
    )


def _days(ids: Sequence[int], start: datetime, end: datetime) -> defaultdict[int, dict[date, UptimeDay]]:
    days: defaultdict[int, dict[date, UptimeDay]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"ids": list(ids), "start": start, "end": end})
        for pk, day, checks, failed, latency, observed, planned, planned_down in cursor.fetchall():
            figures = UptimeDay(day, checks, failed, latency, float(observed))
            figures.maintenance_s, figures.maintenance_down_s = planned, planned_down
            days[pk][day] = figures
    return days


def _outages(
    deployments: Mapping[int, Deployment], start: datetime, end: datetime
) -> defaultdict[int, list[OutageSpan]]:
    """Outages that touch the period, newest first."""
    from providers.models import Outage

    by_deployment: defaultdict[int, list[OutageSpan]] = defaultdict(list)
    values = {"ids": list(deployments), "start": start, "end": end}
    for outage in sql.Table(Outage, "outage").read(TOUCHING, values):
        outage.deployment = deployments[outage.deployment_id]
        by_deployment[outage.deployment_id].append(OutageSpan(outage.started_at, outage.ended_at, outage.cause, outage))
    return by_deployment


def _down(
    ids: Sequence[int],
    outages: Mapping[int, Sequence[OutageSpan]],
    start: datetime,
    end: datetime,
    windows: Mapping[int, Sequence[Span]] | None,
) -> dict[tuple[int, date], float]:
    """Seconds of outage less maintenance while watched, by deployment and UTC day."""
    from providers.models import Maintenance

    if not outages:
        return {}
    if windows is None:
        windows = Maintenance.objects.spans(outages, start, end)
    down = {pk: without((outage.span(end) for outage in some), windows.get(pk, ())) for pk, some in outages.items()}
    seconds: defaultdict[tuple[int, date], float] = defaultdict(float)
    with connection.cursor() as cursor:
        cursor.execute(HOURS_DOWN, {"ids": list(ids), "start": start, "end": end})
        for pk, hour, observed in cursor.fetchall():
            inside = Span(hour, hour + HOUR).within(Span(start, end))
            watched = WatchedSpan(inside, min(observed, inside.seconds))
            seconds[pk, hour.astimezone(UTC).date()] += down_s(down[pk], [watched])
    return dict(seconds)


# Figures over several outages. Pure.


def mean_time_to_repair(outages: Iterable[OutageSpan]) -> timedelta | None:
    """Mean length of the outages that are over."""
    lengths = [outage.ended_at - outage.started_at for outage in outages if outage.ended_at is not None]
    return sum(lengths, timedelta()) / len(lengths) if lengths else None


def longest(outages: Iterable[OutageSpan], now: datetime) -> OutageSpan | None:
    return max(outages, key=lambda outage: outage.lasted(now), default=None)
