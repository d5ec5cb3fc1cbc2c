"""The plan and where it stands: phases with their month, stages with their total, and what the month will come to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from costs.allocation.committed import NOTHING, Committed
from costs.allocation.committed import read as read_committed
from costs.allocation.queries import CountedCharges, Line, attribution_of, counted_charges, spend_lines, usage_rows
from costs.breakeven.measured_inputs import Traffic, measure
from costs.dates import month_of
from costs.models import Phase, Provenance, Stage
from costs.models.terms import Term
from costs.plan.budget_status import BudgetStatus, allowance
from costs.plan.forecast import Forecast, forecast
from costs.plan.month import Month
from lib import sql
from lib.dates import midnight
from lib.money import ZERO
from traffic.usage.filters import Filters

HISTORY = timedelta(days=200)  # what the forecast learns from, and six whole months to hold it against


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
    committed: Committed
    usage: list[dict[str, Any]]  # of every day that was read, by provider
    status: BudgetStatus | None  # the month against what the phases give it; None: no phase is planned for today
    phases: list[PhaseState]
    stages: list[StageState]
    counting: CountedCharges | None = None  # what counts of the ledger on the days that were read


@dataclass(frozen=True)
class Days:
    """Usage and spend of the days from `since` to today, read once for everything that adds them up."""

    since: date
    usage: list[dict[str, Any]]
    lines: list[Line]
    lease_share: Decimal = Decimal(1)  # of the leases' cost, what passed the filters
    committed: Committed = NOTHING  # what runs on whatever the traffic, all of it
    coming: tuple[Line, ...] = ()  # charges that come again, of the days after today to the month's end
    counting: CountedCharges | None = None  # what counts of the ledger on these days


def read_days(since: date, today: date, filters: Filters | None = None, counting: CountedCharges | None = None) -> Days:
    until = today + timedelta(days=1)
    if filters is None:
        usage = usage_by_provider(since, until)
        return days_of(since, today, usage, False, counting)
    return only(days_of(since, today, usage_rows(since, until, filters.divides()), filters.divides()), today, filters)


def days_of(
    since: date,
    today: date,
    usage: list[dict[str, Any]],
    fine: bool,
    counting: CountedCharges | None = None,
    committed: Committed | None = None,
) -> Days:
    """The spend that belongs to a usage, and what is known of the days ahead; the rest may have been read already."""
    until = today + timedelta(days=1)
    counting = counting or counted_charges(since, until)
    lines = spend_lines(since, until, usage, fine, counting)
    committed = committed or read_committed(today)
    return Days(since, usage, lines, committed=committed, coming=tuple(committed.coming()), counting=counting)


USAGE = """
SELECT day, provider, '' AS model, sum(requests)::bigint AS requests, sum(unpriced)::bigint AS unpriced,
       sum(cost) AS cost
FROM traffic_usage_day WHERE day >= %s AND day < %s GROUP BY 1, 2
"""


def usage_by_provider(since: date, until: date) -> list[dict[str, Any]]:
    """Read only what spend lines and a month's counts need: every page reads half a year of days."""
    return sql.mappings(USAGE, (since, until))


def only(days: Days, today: date, wanted: Filters) -> Days:
    """Keep what passes the filters; coarse days only know provider and model."""
    lines = [line for line in days.lines if wanted.hold(line.provider, line.attribution)]
    usage = [row for row in days.usage if wanted.hold(row["provider"], attribution_of(row))]
    coming = tuple(line for line in days.coming if wanted.hold(line.provider, line.attribution))
    share = lease_share(days.lines, lines, today.replace(day=1))
    return replace(days, usage=usage, lines=lines, lease_share=share, coming=coming)


def lease_share(lines: Iterable[Line], filtered: Iterable[Line], first: date) -> Decimal:
    """Return the share of the leases that passes the filters, this month or else ever; it divides coming hours."""
    for since in (first, date.min):
        whole, part = (
            sum((line.amount for line in some if line.day >= since and is_lease(line)), ZERO)
            for some in (lines, filtered)
        )
        if whole:
            return part / whole
    return Decimal(1)


def is_lease(line: Line) -> bool:
    return line.committed and line.provenance != Provenance.ENTERED


PHASE, STAGE = sql.Table(Phase, "phase"), sql.Table(Stage, "stage")


def all_phases() -> list[Phase]:
    """The phases, the one of the smallest volume first."""
    return PHASE.read("ORDER BY volume_from")


def plan(now: datetime, traffic: Traffic | None = None, filters: Filters | None = None) -> Plan:
    """Everything the Plan page and `GET /phases` show; the filters hold for what was spent and sent."""
    today = now.astimezone(UTC).date()
    stages = STAGE.read("ORDER BY starts_on")
    phases = all_phases()
    days = read_days(min([today - HISTORY, *(stage.starts_on for stage in stages)]), today, filters)
    current = planned_for(phases, today)
    run_rate = (traffic or measure(now, filters)).whole_run_rate
    month = this_month(now, days)
    status = hold(phases, month, days) if current else None
    return Plan(
        current=current,
        volume_phase=holding(phases, run_rate, current),
        run_rate=run_rate,
        month=month,
        committed=days.committed,
        usage=days.usage,
        status=status,
        phases=[phase_state(phase, current, month, status) for phase in phases],
        stages=[stage_state(stage, days) for stage in stages],
        counting=days.counting,
    )


def planned_for(phases: Iterable[Phase], day: date) -> Phase | None:
    """Return the phase whose dates include a day."""
    planned = [
        phase
        for phase in phases
        if phase.starts_on and phase.starts_on <= day and (phase.ends_on is None or day < phase.ends_on)
    ]
    return max(planned, key=lambda phase: phase.starts_on or day, default=None)


def holding(phases: Iterable[Phase], run_rate: int, current: Phase | None = None) -> Phase | None:
    """Return the phase whose volume band includes a run rate: the planned one of several, else the latest."""
    fitting = [phase for phase in phases if phase.holds(run_rate)]
    if current is not None and current in fitting:
        return current
    return max(fitting, key=lambda phase: (phase.starts_on or date.max, phase.pk), default=None)


def hold(phases: Iterable[Phase], month: Month, days: Days) -> BudgetStatus | None:
    """Compare the month with the phases that have days in it, each by its share."""
    return status_against(terms_of(phases), month, days)


def terms_of(phases: Iterable[Phase]) -> list[Term]:
    return [phase.term for phase in phases if phase.term]


def status_against(terms: Iterable[Term], month: Month, days: Days) -> BudgetStatus | None:
    """Compare a month with budgets; `days` must begin by the first day of the month before."""
    month_allowance = allowance(terms, month.first, by_day(days.lines))
    return BudgetStatus(month_allowance, month) if month_allowance else None


def phase_state(phase: Phase, current: Phase | None, month: Month, status: BudgetStatus | None) -> PhaseState:
    if current is None or phase.pk != current.pk:
        return PhaseState(phase, False, ZERO, 0, None, None)
    runs_out = status.runs_out_on if status else None
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
    fixed = sum((line.amount for line in days.lines if line.committed and line.day >= first), ZERO)
    coming = by_day(days.coming)
    hourly = days.committed.hourly * days.lease_share
    to_come = hourly * hours_ahead(now, last) + sum(coming.values(), ZERO)
    outlook = forecast(history, today, fixed + to_come, variable.get(today, ZERO))
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
        committed=fixed,
        to_come=to_come,
        coming=coming,
    )


def by_day(lines: Iterable[Line]) -> dict[date, Decimal]:
    """Amounts added up by day."""
    amounts: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for line in lines:
        amounts[line.day] += line.amount
    return amounts


def hours_ahead(now: datetime, last: date) -> Decimal:
    """Hours until the month is over."""
    end = midnight(last + timedelta(days=1))
    return Decimal(int((end - now).total_seconds())) / 3600
