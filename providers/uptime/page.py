"""What the Uptime page says, from plain rows: who is up now, one cell a day, what broke. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from statistics import median
from types import MappingProxyType
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from lib.time_spans import Span
from providers.models import Deployment, DeploymentState
from providers.uptime.checks import SLACK, UNWATCHED_INTERVALS
from providers.uptime.outage_cost import NO_COST, OutageCost
from providers.uptime.report import DeploymentUptime, OutageSpan, UptimeDay, longest, mean_time_to_repair, share

DAY = timedelta(days=1)
# A day is slow when its checks took this many times the deployment's usual time, and long enough to be felt.
SLOW_TIMES, SLOW_MS = 3.0, 300.0
# How each state is shown: kind of mark, and where it stands in the list.
ORDER = {"down": 0, "starting": 1, "unknown": 2, "maintenance": 3, "up": 4}
MARKS = {"up": "ok", "down": "bad", "starting": "warn", "maintenance": "info", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class DeploymentNow:
    """A deployment at this moment. A state that nobody confirmed lately is `unknown`, whatever was last written."""

    deployment: Deployment
    state: str

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    @property
    def word(self) -> str:
        return str(DeploymentState(self.state).label)

    @property
    def stale(self) -> bool:
        return self.state != self.deployment.state


def now_of(deployment: Deployment, now: datetime) -> DeploymentNow:
    confirmed_for = timedelta(seconds=deployment.check_every_s) * UNWATCHED_INTERVALS + SLACK
    watched = deployment.last_check_at is not None and now - deployment.last_check_at <= confirmed_for
    return DeploymentNow(deployment, str(deployment.state) if watched and deployment.checked else "unknown")


@dataclass(frozen=True, slots=True)
class UptimeSummary:
    """The figures of the page's sentence."""

    total: int
    by_state: Mapping[str, Sequence[DeploymentNow]]
    slowest: DeploymentNow | None
    last_check_at: datetime | None

    @property
    def up(self) -> int:
        return len(self.by_state.get("up", ()))

    @property
    def down(self) -> Sequence[DeploymentNow]:
        return self.by_state.get("down", ())

    @property
    def unknown(self) -> Sequence[DeploymentNow]:
        return self.by_state.get("unknown", ())

    @property
    def stopped(self) -> bool:
        """Checks were made once, and none of them lately."""
        return self.last_check_at is not None and len(self.unknown) == self.total


def answer(states: Sequence[DeploymentNow]) -> UptimeSummary:
    by_state: dict[str, list[DeploymentNow]] = {}
    for entry in states:
        by_state.setdefault(entry.state, []).append(entry)
    timed = [entry for entry in by_state.get("up", ()) if entry.deployment.last_latency_ms is not None]
    checks = [entry.deployment.last_check_at for entry in states if entry.deployment.last_check_at is not None]
    return UptimeSummary(
        total=len(states),
        by_state=by_state,
        slowest=max(timed, key=lambda entry: entry.deployment.last_latency_ms or 0.0, default=None),
        last_check_at=max(checks, default=None),
    )


def worst_first(states: Iterable[DeploymentNow]) -> list[DeploymentNow]:
    return sorted(states, key=lambda entry: (ORDER[entry.state], entry.deployment.slug))


# The strip: one cell a day.


def days_of(start: datetime, end: datetime) -> list[date]:
    first, last = start.astimezone(UTC).date(), (end - timedelta(microseconds=1)).astimezone(UTC).date()
    return [first + n * DAY for n in range((last - first).days + 1)]


def cells(
    entry: DeploymentUptime, days: Sequence[date], windows: Sequence[Span], now: datetime
) -> list[dict[str, Any]]:
    """One cell a day, as the strip tag wants them."""
    by_day = {day.day: day for day in entry.days}
    usual = usual_ms(entry.days)
    labels = _labels(tuple(days), get_language())
    return [
        _cell(day, label, by_day.get(day), entry.outages, windows, usual, now)
        for day, label in zip(days, labels, strict=True)
    ]


@lru_cache(maxsize=32)
def _labels(days: tuple[date, ...], language: str | None) -> list[str]:
    """`9 Jun` of each day; kept, because a page has the same days for every deployment."""
    return [date_format(day, "j M") for day in days]


def usual_ms(days: Iterable[UptimeDay]) -> float | None:
    latencies = [day.latency_ms for day in days if day.latency_ms is not None]
    return median(latencies) if latencies else None


def _cell(
    day: date,
    label: str,
    figures: UptimeDay | None,
    outages: Sequence[OutageSpan],
    windows: Sequence[Span],
    usual: float | None,
    now: datetime,
) -> dict[str, Any]:
    if figures is None or figures.observed_s <= 0:
        planned = any(window.within(_whole(day)).seconds > 0 for window in windows)
        if planned:
            return {"label": label, "state": "maintenance", "cause": _("maintenance")}
        return {"label": label, "state": "unknown", "cause": _("not checked")}
    if figures.down_s > 0:
        whole = _whole(day)
        causes = dict.fromkeys(o.cause for o in outages if o.span(now).within(whole).seconds > 0)
        cause = f"{minutes(figures.down_s)}: {' / '.join(causes)}"
        return {"label": label, "state": "down", "lost": figures.down_s / figures.observed_s, "cause": cause}
    if usual is not None and (figures.latency_ms or 0) > max(SLOW_TIMES * usual, SLOW_MS):
        took = _("checks took %(ms)d ms, usually %(usual)d ms") % {"ms": figures.latency_ms, "usual": usual}
        return {"label": label, "state": "slow", "cause": took}
    return {"label": label, "state": "up"}


def _whole(day: date) -> Span:
    return Span(datetime.combine(day, time(), UTC), datetime.combine(day + DAY, time(), UTC))


def minutes(seconds: float) -> str:
    """An outage's length in a cell's title: at least a minute."""
    n = max(1, round(seconds / 60))
    return ngettext("%(n)d min", "%(n)d min", n) % {"n": n}


def axis(days: Sequence[date]) -> list[str]:
    """Four labels under the strips, the last of them today."""
    return [date_format(days[round(n * (len(days) - 1) / 3)], "j M") for n in range(3)] + [_("today")]


# What broke.


@dataclass(frozen=True, slots=True)
class Broke:
    """One outage of one deployment, for the list."""

    slug: str
    name: str
    outage: OutageSpan
    lasted: timedelta
    cost: OutageCost = NO_COST


@dataclass(frozen=True, slots=True)
class Record:
    """The outages of a period, newest first, and what they amount to."""

    outages: Sequence[Broke]
    down: timedelta
    longest: Broke | None
    repair: timedelta | None
    between: timedelta | None
    uptime: float | None
    cost: OutageCost = NO_COST


def record(
    entries: Sequence[DeploymentUptime],
    start: datetime,
    now: datetime,
    costs: Mapping[int, OutageCost] = MappingProxyType({}),
) -> Record:
    """Over the days from `start` on; entries may reach further back. `costs` by the stored outage's id."""
    broke = [
        Broke(entry.slug, entry.name, outage, outage.lasted(now), _cost(outage, costs))
        for entry in entries
        for outage in entry.outages
        if outage.ended_at is None or outage.ended_at > start
    ]
    broke.sort(key=lambda broken: broken.outage.started_at, reverse=True)
    days = [day for entry in entries for day in entry.days if day.day >= start.astimezone(UTC).date()]
    observed, down = sum(day.observed_s for day in days), sum(day.down_s for day in days)
    worst = longest((broken.outage for broken in broke), now)
    return Record(
        outages=broke,
        down=timedelta(seconds=down),
        longest=next((broken for broken in broke if broken.outage is worst), None),
        repair=mean_time_to_repair(broken.outage for broken in broke),
        between=timedelta(seconds=(observed - down) / len(broke)) if broke and observed else None,
        uptime=share(observed, down),
        cost=sum((broken.cost for broken in broke), NO_COST),
    )


def _cost(outage: OutageSpan, costs: Mapping[int, OutageCost]) -> OutageCost:
    return costs.get(outage.row.pk, NO_COST) if outage.row else NO_COST
