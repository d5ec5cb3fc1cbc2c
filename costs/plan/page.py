"""What the Plan page says, from plain figures: the month against its budget, phases, stages, the split. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, compute
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import costs_of
from costs.models import Phase
from costs.plan.budget_status import BudgetStatus
from costs.plan.forecast import Check, look_back
from costs.plan.forecast_record import ForecastRecord
from costs.plan.month import Month
from costs.plan.queries import PhaseState, Plan, StageState
from costs.price_sheets.sheets import Sheet
from costs.research.figures import OURS
from lib.dates import midnight
from traffic.models import Task

ZERO = Decimal(0)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """The page's sentence: how the month stands against the budget of the phase planned for today."""

    kind: str  # no_phase, over, runs_out, lasts, unknown
    phase: Phase | None
    month: Month
    status: BudgetStatus | None

    @property
    def limit(self) -> Decimal:
        """What this month may cost: the phases' shares of it, and what was carried."""
        return self.status.allowance.high if self.status else ZERO

    @property
    def spent(self) -> Decimal:
        return self.status.spent if self.status else self.month.spent

    @property
    def left(self) -> Decimal:
        return self.status.left if self.status else ZERO

    @property
    def runs_out_on(self) -> date | None:
        return self.status.runs_out_on if self.status else None


def answer(plan: Plan) -> PlanAnswer:
    status, month = plan.status, plan.month
    if status is None:
        return PlanAnswer("no_phase", None, month, None)
    if status.spent > status.allowance.high:
        kind = "over"
    elif status.runs_out_on is not None:
        kind = "runs_out"
    else:
        kind = "lasts" if month.forecast else "unknown"
    return PlanAnswer(kind, plan.current, month, status)


def left_a_day(answer: PlanAnswer, today: date) -> Decimal | None:
    """What may be spent on each day that is left, today included; None once nothing is left."""
    return answer.left / ((answer.month.last - today).days + 1) if answer.left > 0 else None


# --- the month as it adds up ---------------------------------------------------------------------------------------


def pace(month: Month, status: BudgetStatus | None, now: datetime) -> dict[str, Any]:
    """The month's lines for the chart tag: spent so far, the forecast's path with its fan, the budget, today."""
    spent = [(midnight(month.first), ZERO)]
    for day, amount in sorted(month.days.items()):
        spent.append((min(now, midnight(day + DAY)), spent[-1][1] + amount))
    here = spent[-1]
    series: list[dict[str, Any]] = [{"name": _("spent"), "style": "us", "points": spent}]
    bands: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = [today_mark(month, now)]
    if status is not None:
        allowance = status.allowance
        named = _("budget’s pace, %(low)s–%(high)s") % {
            "low": f"${allowance.low:,.0f}",
            "high": f"{allowance.high:,.0f}",
        }
        points = [(midnight(allowance.first), ZERO, ZERO), (midnight(allowance.end), allowance.low, allowance.high)]
        bands.append({"name": named, "points": points})
    if month.forecast is not None:
        path = expected_path(month, here)
        series.append({"name": _("forecast, median"), "style": "forecast", "points": path})
        bands.append({"name": _("low to high"), "style": "fan", "points": fan(month, path)})
        below = {"kind": "name", "x": path[-1][0], "y": path[-1][1] * Decimal("0.72"), "side": "left", "cls": "t-1"}
        marks.append({**below, "label": end_words(month)})
    marks.append({"kind": "dot", "x": here[0], "y": here[1], "side": "left",
                  "label": _("%(sum)s so far") % {"sum": f"${here[1]:,.2f}"}})  # fmt: skip
    return {"series": series, "bands": bands, "marks": marks,
            "limits": limits(status.allowance.high if status else None),
            "x_from": midnight(month.first), "x_to": midnight(month.last + DAY)}  # fmt: skip


def today_mark(month: Month, now: datetime) -> dict[str, Any]:
    late = (now.astimezone(UTC).date() - month.first).days > 12
    return {"kind": "today", "x": now, "label": _("today"), "side": "left" if late else "right"}


def limits(high: Decimal | None) -> list[dict[str, Any]]:
    return [{"y": high, "label": _("limit %(sum)s") % {"sum": f"${high:,.0f}"}}] if high is not None else []


def expected_path(month: Month, here: tuple[datetime, Decimal]) -> list[tuple[datetime, Decimal]]:
    """From now to the month's end, day by day; it ends on the median whatever today still brings."""
    assert month.forecast is not None
    path = [here]
    for day, amount in month.ahead():
        path.append((midnight(day + DAY), path[-1][1] + amount))
    if len(path) == 1:
        path.append((midnight(month.last + DAY), max(month.forecast.median, here[1])))
    return path


def fan(month: Month, path: Sequence[tuple[datetime, Decimal]]) -> list[tuple[datetime, Decimal, Decimal]]:
    """The forecast's low and high, opening as the path goes."""
    assert month.forecast is not None
    start, end = path[0][1], path[-1][1]
    rise = end - start
    below, above = end - month.forecast.low, month.forecast.high - end
    shares = [((y - start) / rise if rise else Decimal(n) / (len(path) - 1)) for n, (_x, y) in enumerate(path)]
    return [(x, y - below * part, y + above * part) for (x, y), part in zip(path, shares, strict=True)]


def end_words(month: Month) -> str:
    forecast = month.forecast
    assert forecast is not None
    return f"{date_format(month.first, 'F')}: ${forecast.median:,.0f}\n" + _("%(low)s low, %(high)s high") % {
        "low": f"{forecast.low:,.0f}", "high": f"{forecast.high:,.0f}",
    }  # fmt: skip


# --- phases, stages ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PhaseRow:
    state: PhaseState
    mark: str
    word: str
    holds_volume: bool

    @property
    def last_day(self) -> date | None:
        return self.state.phase.ends_on - DAY if self.state.phase.ends_on else None


def phase_rows(plan: Plan, today: date) -> list[PhaseRow]:
    return [_phase_row(state, plan, today) for state in plan.phases]


def _phase_row(state: PhaseState, plan: Plan, today: date) -> PhaseRow:
    phase = state.phase
    if state.current:
        mark, word = "info", _("planned for today")
    elif phase.starts_on is None:
        mark, word = "unknown", _("no date yet")
    elif phase.ends_on is not None and phase.ends_on <= today:
        mark, word = "unknown", _("ended")
    else:
        mark, word = "unknown", _("to come")
    return PhaseRow(state, mark, word, plan.volume_phase is not None and plan.volume_phase.pk == phase.pk)


@dataclass(frozen=True, slots=True)
class StageRow:
    state: StageState
    mark: str
    word: str

    @property
    def left(self) -> Decimal:
        return self.state.stage.budget - self.state.spent

    @property
    def last_day(self) -> date:
        return self.state.stage.ends_on - DAY


@dataclass(frozen=True, slots=True)
class Stages:
    rows: list[StageRow]
    budget: Decimal
    spent: Decimal
    largest: Decimal  # the scale of the bars

    @property
    def left(self) -> Decimal:
        return self.budget - self.spent


def stages(states: Iterable[StageState], today: date) -> Stages:
    rows = [_stage_row(state, today) for state in states]
    sums = [row.state.stage.budget for row in rows], [row.state.spent for row in rows]
    return Stages(rows, sum(sums[0], ZERO), sum(sums[1], ZERO), max([*sums[0], *sums[1]], default=ZERO))


def _stage_row(state: StageState, today: date) -> StageRow:
    stage = state.stage
    if state.spent > stage.budget:
        return StageRow(state, "bad", _("over its budget"))
    if today < stage.starts_on:
        return StageRow(state, "unknown", _("to come"))
    if today >= stage.ends_on:
        return StageRow(state, "ok", _("done"))
    return StageRow(state, "info", _("under way"))


@dataclass(frozen=True, slots=True)
class Research:
    """The note's six months: its own figures, and what follows from its own prices."""

    total: Decimal
    api_only: Decimal
    saving: Decimal
    share: Decimal
    our_api_only: Decimal
    our_saving: Decimal
    our_share: Decimal
    requests: int


def research(sheet: Sheet) -> Research:
    total, quoted, ours = OURS["plan-total"](sheet), sheet.plan.api_only_total, OURS["slip-api-only-total"](sheet)
    return Research(
        total=total,
        api_only=quoted,
        saving=quoted - total,
        share=(quoted - total) / quoted,
        our_api_only=ours,
        our_saving=ours - total,
        our_share=(ours - total) / ours,
        requests=sheet.plan.requests_per_month,
    )


# --- how far a phase's budget goes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BudgetReach:
    """Up to which volume the hybrid stays within a phase's budget, in the note's prices and in today's."""

    phase: Phase
    note_breaks: Decimal | None  # of the note's second phase alone
    note_at_end: Decimal | None
    live_breaks: int | None  # None: not within the band
    live_at_end: Decimal
    ends: int
    chart: dict[str, Any]


def reach(phase: Phase, inputs: Inputs, run_rate: int, sheet: Sheet) -> BudgetReach:
    """The curve up to the end of a phase's band; one without an end is drawn to three times its start."""
    ends = phase.volume_to or max(3 * phase.volume_from, 2 * run_rate, 1000)
    curve = [(1, decimal(costs_of(inputs).selfhost(1)))]  # without any request nothing would be leased
    curve += [(p.requests_per_month, p.selfhost) for p in compute(inputs, curve_to=ends).curve if p.requests_per_month]
    noted = next((p for p in sheet.phases if p.slug == phase.slug and p.slug == sheet.phases[1].slug), None)
    note = note_line(sheet, ends) if noted else []
    series: list[dict[str, Any]] = [
        {"name": _("hybrid at today’s prices and our own mix"), "style": "us", "points": curve}
    ]
    if note:
        series.append({"name": _("the research’s example, January 2026"), "style": "plan", "points": note})
    band = {"name": _("budget"), "points": [(n, phase.budget_low, phase.budget_high) for n in (0, ends)]}
    here = {"kind": "here", "x": min(run_rate, ends), "y": cost_at(curve, run_rate), "lift": 0.3,
            "label": _("you are here:\n%(n)s") % {"n": f"{run_rate:,}"}}  # fmt: skip
    chart = {
        "series": series,
        "bands": [band],
        "marks": [here],
        "limits": limits(phase.budget_high),
        "x_from": 0,
        "x_to": ends,
    }
    return BudgetReach(
        phase=phase,
        note_breaks=OURS["slip-phase-2-breaks"](sheet) if noted else None,
        note_at_end=OURS["slip-phase-2-500k"](sheet) if noted else None,
        live_breaks=breaks_at(inputs, phase.budget_high, ends),
        live_at_end=curve[-1][1],
        ends=ends,
        chart=chart,
    )


def note_line(sheet: Sheet, ends: int) -> list[tuple[int, Decimal]]:
    """The note's phase 2 by volume: one GPU, and the API for the 30 % that is not routable. A straight line."""
    at_150k, at_500k = OURS["slip-phase-2-150k"](sheet), OURS["slip-phase-2-500k"](sheet)
    slope = (at_500k - at_150k) / 350_000
    return [(n, at_150k + slope * (n - 150_000)) for n in (0, ends)]


def cost_at(curve: Sequence[tuple[int, Decimal]], n: int) -> Decimal:
    """The cost at the curve's last point up to n."""
    return max((point for point in curve if point[0] <= n), default=curve[0])[1]


def breaks_at(inputs: Inputs, budget: Decimal, ends: int) -> int | None:
    """The first volume at which the hybrid costs more than a budget, found by halving: the cost never falls."""
    costs, limit = costs_of(inputs), Fraction(budget)
    low, high = 0, ends
    if costs.selfhost(high) <= limit:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if costs.selfhost(middle) > limit else (middle + 1, high)
    return low


# --- the split between our own GPUs and the API --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskSplit:
    """Requests of one task, and how many of them our own GPUs served."""

    label: str
    requests: int
    own: int

    @property
    def share(self) -> Decimal | None:
        return Decimal(self.own) / self.requests if self.requests else None


def splits(groups: Iterable[Mapping[str, Any]]) -> list[TaskSplit]:
    """By task, the most requests first."""
    sums_by_task: dict[str, list[int]] = {}
    for row in groups:
        sums = sums_by_task.setdefault(row["task"], [0, 0])
        sums[0] += row["requests"]
        sums[1] += row["requests"] if row["ours"] else 0
    labels = dict(Task.choices)
    rows = [TaskSplit(str(labels.get(task, task)), *sums) for task, sums in sums_by_task.items()]
    return sorted(rows, key=lambda row: -row.requests)


def shares_by_day(rows: Iterable[Mapping[str, Any]]) -> list[tuple[date, Decimal | None]]:
    """The share that our own GPUs served, day by day; a day without requests is a gap."""
    sums_by_day: dict[date, list[int]] = {}
    for row in rows:
        sums = sums_by_day.setdefault(row["day"], [0, 0])
        sums[0] += row["requests"]
        sums[1] += row["requests"] if row["ours"] else 0
    if not sums_by_day:
        return []
    first, last = min(sums_by_day), max(sums_by_day)
    days = [first + timedelta(n) for n in range((last - first).days + 1)]
    return [
        (day, Decimal(sums_by_day[day][1]) / sums_by_day[day][0] if sums_by_day.get(day, [0])[0] else None)
        for day in days
    ]


# --- how good the forecast has been --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ForecastReview:
    """Past months as they were forecast on their tenth day, and how often any of their days was right."""

    checks: list[Check]
    looks: ForecastRecord

    @property
    def error(self) -> Decimal:
        return sum((check.error for check in self.checks), ZERO) / len(self.checks)

    @property
    def naive_error(self) -> Decimal:
        return sum((check.naive_error for check in self.checks), ZERO) / len(self.checks)

    @property
    def covered(self) -> int:
        return sum(check.covered for check in self.checks)

    @property
    def rows(self) -> list[tuple[Check, tuple[int, int] | None]]:
        """Each month, with how many of its days had its end inside their interval, where that was looked at."""
        return [(check, self.looks.months.get(check.month)) for check in self.checks]


def record(history: Mapping[date, Decimal], looks: ForecastRecord) -> ForecastReview:
    return ForecastReview(list(_record(tuple(sorted(history.items())))), looks)


@lru_cache(maxsize=8)
def _record(history: tuple[tuple[date, Decimal], ...]) -> tuple[Check, ...]:
    """Kept, because past days seldom change and the forecast is read anew for every month."""
    return tuple(look_back(dict(history)))
