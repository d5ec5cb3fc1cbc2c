"""The plan and where it stands: phases with their month, stages with their total, and what the month will come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from costs.allowance import Held, Term, allowance
from costs.forecast import Forecast, forecast, month_of
from costs.live import Traffic, measure
from costs.models import Phase, Provenance, Stage
from costs.spend import ZERO, Line, spend_lines, usage_rows, who_of
from providers.models import Lease
from traffic.filters import Filters
from traffic.models import UsageDay

HISTORY = timedelta(days=200)  # what the forecast learns from, and six whole months to hold it against


@dataclass(frozen=True)
class Month:
    """The month so far and what it will come to. `forecast` is None with a reason when there is too little data."""

    first: date
    last: date
    spent: Decimal
    requests: int
    unpriced_requests: int
    forecast: Forecast | None
    reason: str
    days: dict[date, Decimal]  # spend of each day so far, today included

    history: dict[date, Decimal]  # variable spend of every known day before today, earlier months included
    committed: Decimal = ZERO  # of what is spent: leases and entered charges

    def ahead(self) -> list[tuple[date, Decimal]]:
        """What the rest of today and each day after it should add, at the forecast's middle; leases run on evenly."""
        if self.forecast is None:
            return []
        total = sum(self.days.values(), ZERO)
        today = max(self.days, default=self.first)
        later = [today + timedelta(n) for n in range(1, (self.last - today).days + 1)]
        path = dict(self.forecast.path)
        rest = max(path.get(today, ZERO) - self.days.get(today, ZERO), ZERO)
        expected = rest + sum((path.get(day, ZERO) for day in later), ZERO)
        steady = (self.forecast.median - total - expected) / len(later) if later else ZERO
        return [*([(today, rest)] if rest else []), *((day, path.get(day, ZERO) + steady) for day in later)]


@dataclass(frozen=True)
class PhaseState:
    """A phase; of the month's figures only the current one has any."""

    phase: Phase
    current: bool
    spent: Decimal
    requests: int
    forecast: Forecast | None
    runs_out_on: date | None


@dataclass(frozen=True)
class StageState:
    stage: Stage
    spent: Decimal


@dataclass(frozen=True)
class Plan:
    current: Phase | None  # planned for today
    volume_phase: Phase | None  # whose band holds the run rate
    run_rate: int  # requests a month
    month: Month
    held: Held | None  # the month against what the phases give it; None: no phase is planned for today
    phases: list[PhaseState]
    stages: list[StageState]


@dataclass(frozen=True)
class Days:
    """Usage and spend of the days from `since` to today, read once for everything that adds them up."""

    since: date
    usage: list[dict[str, Any]]
    lines: list[Line]
    lease_share: Decimal = Decimal(1)  # of the leases' cost, what passed the filters


def read_days(since: date, today: date, filters: Filters | None = None) -> Days:
    until = today + timedelta(days=1)
    if filters is None:
        usage = usage_by_provider(since, until)
        return Days(since, usage, spend_lines(since, until, usage, fine=False))
    return filtered_days(since, until, today, filters)


def usage_by_provider(since: date, until: date) -> list[dict[str, Any]]:
    """What `spend_lines` and a month's counts need and no more: half a year of days is read for every page."""
    names = ("requests", "unpriced", "cost")
    days = UsageDay.objects.filter(day__gte=since, day__lt=until).values_list("day", "provider")
    rows = days.annotate(**{f"{name}_sum": Sum(name) for name in names})
    return [dict(zip(("day", "provider", *names), row, strict=True)) | {"model": ""} for row in rows]


def filtered_days(since: date, until: date, today: date, wanted: Filters) -> Days:
    fine = wanted.divides()
    usage = usage_rows(since, until, fine)
    return only(Days(since, usage, spend_lines(since, until, usage, fine)), today, wanted)


def only(days: Days, today: date, wanted: Filters) -> Days:
    """What passes the filters; days that were not read at their finest know nothing but the provider and the model."""
    kept = [line for line in days.lines if wanted.hold(line.provider, line.who)]
    usage = [row for row in days.usage if wanted.hold(row["provider"], who_of(row))]
    return Days(days.since, usage, kept, lease_share(days.lines, kept, today.replace(day=1)))


def lease_share(lines: Iterable[Line], kept: Iterable[Line], first: date) -> Decimal:
    """Which share of this month's leases was kept: the hours to come are divided as those that were."""
    whole, part = (
        sum((line.amount for line in some if line.day >= first and is_lease(line)), ZERO) for some in (lines, kept)
    )
    return part / whole if whole else Decimal(1)


def is_lease(line: Line) -> bool:
    return line.committed and line.provenance != Provenance.ENTERED


def plan(now: datetime, traffic: Traffic | None = None, filters: Filters | None = None) -> Plan:
    """Everything the Plan page and `GET /phases` show; the filters hold for what was spent and sent."""
    today = now.astimezone(UTC).date()
    stages = list(Stage.objects.all())
    phases = list(Phase.objects.all())
    days = read_days(min([today - HISTORY, *(stage.starts_on for stage in stages)]), today, filters)
    current = Phase.objects.planned_for(today)
    run_rate = (traffic or measure(now, filters)).run_rate
    month = this_month(now, days)
    held = hold(phases, month, days) if current else None
    return Plan(
        current=current,
        volume_phase=holding(phases, run_rate, current),
        run_rate=run_rate,
        month=month,
        held=held,
        phases=[phase_state(phase, current, month, held) for phase in phases],
        stages=[stage_state(stage, days) for stage in stages],
    )


def holding(phases: Iterable[Phase], run_rate: int, current: Phase | None = None) -> Phase | None:
    """The phase whose volume band holds a run rate: the planned one where several do, else the one that begins last."""
    found = [phase for phase in phases if phase.holds(run_rate)]
    if current is not None and current in found:
        return current
    return max(found, key=lambda phase: (phase.starts_on or date.max, phase.pk), default=None)


def hold(phases: Iterable[Phase], month: Month, days: Days) -> Held | None:
    """The month against the phases that have days in it, each by its share."""
    return held_against(terms_of(phases), month, days)


def terms_of(phases: Iterable[Phase]) -> list[Term]:
    return [phase.term for phase in phases if phase.term]


def held_against(terms: Iterable[Term], month: Month, days: Days) -> Held | None:
    """A month against budgets; `days` must reach back to the first day of the month before."""
    found = allowance(terms, month.first, by_day(days.lines))
    return Held(found, month) if found else None


def phase_state(phase: Phase, current: Phase | None, month: Month, held: Held | None) -> PhaseState:
    if current is None or phase.pk != current.pk:
        return PhaseState(phase, False, ZERO, 0, None, None)
    runs_out = held.runs_out_on if held else None
    return PhaseState(phase, True, month.spent, month.requests, month.forecast, runs_out)


def stage_state(stage: Stage, days: Days) -> StageState:
    inside = (line.amount for line in days.lines if stage.starts_on <= line.day < stage.ends_on)
    return StageState(stage, sum(inside, ZERO))


def this_month(now: datetime, days: Days | None = None) -> Month:
    """The month under way: what is spent, by day, and its forecast from the days before today."""
    today = now.astimezone(UTC).date()
    first, last = month_of(today)
    days = days or read_days(min(first, today - HISTORY), today)
    variable = by_day(line for line in days.lines if not line.committed)
    spent = by_day(line for line in days.lines if line.day >= first)
    # A day before the first that anything is known of is unknown, not zero.
    known_from = min([today, *(row["day"] for row in days.usage), *(line.day for line in days.lines)])
    history = {known_from + timedelta(n): ZERO for n in range((today - known_from).days)}
    history |= {day: amount for day, amount in variable.items() if day < today}
    committed = sum((line.amount for line in days.lines if line.committed and line.day >= first), ZERO)
    ahead = lease_hours_ahead(now, last) * days.lease_share
    outlook = forecast(history, today, committed + ahead, variable.get(today, ZERO))
    month = [row for row in days.usage if row["day"] >= first]
    return Month(
        first=first,
        last=last,
        spent=sum(spent.values(), ZERO),
        requests=sum(row["requests"] for row in month),
        unpriced_requests=sum(row["unpriced"] for row in month),
        forecast=outlook.forecast,
        reason=outlook.reason,
        days={first + timedelta(n): spent.get(first + timedelta(n), ZERO) for n in range((today - first).days + 1)},
        history=history,
        committed=committed,
    )


def by_day(lines: Iterable[Line]) -> dict[date, Decimal]:
    """Amounts added up by day."""
    found: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        found[line.day] += line.amount
    return found


def lease_hours_ahead(now: datetime, last: date) -> Decimal:
    """What the leases of now will cost until the month is over, if nobody stops them."""
    end = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
    hours = Decimal(int((end - now).total_seconds())) / 3600
    return sum((lease.price_per_hour * hours for lease in Lease.objects.active()), ZERO)
