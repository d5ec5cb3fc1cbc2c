"""The plan and where it stands: phases with their month, stages with their total, and what the month will come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from costs.forecast import Forecast, forecast, month_of
from costs.live import measure
from costs.models import Phase, Stage
from costs.spend import ZERO, Line, spend, spend_lines, usage_rows
from providers.models import Lease

HISTORY = timedelta(days=120)  # what the forecast learns from


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

    def runs_out_on(self, budget: Decimal) -> date | None:
        """The day on which the month's spend passes the budget, at the forecast's middle; None: not this month."""
        total = ZERO
        for day, amount in sorted(self.days.items()):
            total += amount
            if total > budget:
                return day
        if self.forecast is None:
            return None
        ahead = dict(self.forecast.path)
        open_days = [self.first + timedelta(n) for n in range((self.last - self.first).days + 1)]
        open_days = [day for day in open_days if day > max(self.days, default=self.first)]
        missing = self.forecast.median - total
        expected = sum((ahead.get(day, ZERO) for day in open_days), ZERO)
        steady = (missing - expected) / len(open_days) if open_days else ZERO
        for day in open_days:
            total += ahead.get(day, ZERO) + steady
            if total > budget:
                return day
        return None


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
    phases: list[PhaseState]
    stages: list[StageState]


def plan(now: datetime) -> Plan:
    """Everything the Plan page and `GET /phases` show."""
    today = now.astimezone(UTC).date()
    current = Phase.objects.planned_for(today)
    run_rate = measure(now).run_rate
    month = this_month(now)
    return Plan(
        current=current,
        volume_phase=Phase.objects.holding(run_rate),
        run_rate=run_rate,
        month=month,
        phases=[phase_state(phase, current, month) for phase in Phase.objects.all()],
        stages=[stage_state(stage, today) for stage in Stage.objects.all()],
    )


def phase_state(phase: Phase, current: Phase | None, month: Month) -> PhaseState:
    if current is None or phase.pk != current.pk:
        return PhaseState(phase, False, ZERO, 0, None, None)
    return PhaseState(phase, True, month.spent, month.requests, month.forecast, month.runs_out_on(phase.budget_high))


def stage_state(stage: Stage, today: date) -> StageState:
    until = min(stage.ends_on, today + timedelta(days=1))
    spent = spend(stage.starts_on, until, "day").total if until > stage.starts_on else ZERO
    return StageState(stage, spent)


def this_month(now: datetime) -> Month:
    """The month under way: what is spent, by day, and its forecast from the days before today."""
    today = now.astimezone(UTC).date()
    first, last = month_of(today)
    since = min(first, today - HISTORY)
    usage = usage_rows(since, today + timedelta(days=1), fine=False)
    lines = spend_lines(since, today + timedelta(days=1), usage, fine=False)
    variable = by_day(line for line in lines if not line.committed)
    days = by_day(line for line in lines if line.day >= first)
    # A day before the first that anything is known of is unknown, not zero.
    known_from = min([today, *(row["day"] for row in usage), *(line.day for line in lines)])
    history = {known_from + timedelta(n): ZERO for n in range((today - known_from).days)}
    history |= {day: amount for day, amount in variable.items() if day < today}
    committed = sum((line.amount for line in lines if line.committed and line.day >= first), ZERO)
    outlook = forecast(history, today, committed + lease_hours_ahead(now, last), variable.get(today, ZERO))
    month = [row for row in usage if row["day"] >= first]
    return Month(
        first=first,
        last=last,
        spent=sum(days.values(), ZERO),
        requests=sum(row["requests"] for row in month),
        unpriced_requests=sum(row["unpriced"] for row in month),
        forecast=outlook.forecast,
        reason=outlook.reason,
        days={first + timedelta(n): days.get(first + timedelta(n), ZERO) for n in range((today - first).days + 1)},
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
