"""The volume on the Plan page: against the planned bands, how far a budget goes with it, who served it. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, compute
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import costs_of
from costs.models import Phase
from costs.plan.budget_status import close_open_ends
from costs.plan.page import limits
from costs.price_sheets.sheets import Sheet
from costs.research.figures import OURS
from lib.formats import count, dollars, percent, rounded_count, sentences
from traffic.models import Task

WINDOW = 30
SHOWN = timedelta(days=180)
PLANNED_SHARE = 0.7  # of the requests, that our own GPUs are to serve in the hybrid phase


def volume(usage: Iterable[Mapping[str, Any]], phases: Iterable[Phase], today: date) -> dict[str, Any] | None:
    """The run rate of each day (requests of the 30 days before, its own included) and the bands of the phases planned
    for those days, for the chart tag; None without two days to join."""
    rates = [(day, rate) for day, rate in run_rates(usage, today) if day >= today - SHOWN]
    if len(rates) < 2:
        return None
    top = max(rate for _day, rate in rates) * Decimal("1.25")
    planned = list(planned_bands(phases, rates[0][0], today, top))
    return {
        "series": [{"name": _("requests a month, last 30 days"), "style": "us", "points": rates}],
        "bands": [{"name": name, "points": points} for name, points in planned],
        "limits": [{"y": n, "label": f"{n:,}"} for n in sorted(edges(phases)) if n <= top],
    }


def run_rates(usage: Iterable[Mapping[str, Any]], today: date) -> list[tuple[date, Decimal]]:
    """By day; where less than 30 days are known, as a month at the pace of those. Today is not over and left out."""
    requests: dict[date, int] = {}
    for row in usage:
        requests[row["day"]] = requests.get(row["day"], 0) + row["requests"]
    first = min(requests, default=today)
    window: deque[int] = deque(maxlen=WINDOW)
    rates = []
    for n in range((today - first).days):
        window.append(requests.get(first + timedelta(n), 0))
        rates.append((first + timedelta(n), Decimal(sum(window)) * WINDOW / len(window)))
    return rates


def edges(phases: Iterable[Phase]) -> set[int]:
    """Volumes at which a band begins, 0 left out."""
    return {phase.volume_from for phase in phases if phase.volume_from}


Points = list[tuple[date, int, Decimal]]


def planned_bands(phases: Iterable[Phase], since: date, today: date, top: Decimal) -> Iterable[tuple[str, Points]]:
    """Each planned phase's band over the days shown."""
    by_start = {phase.starts_on: phase for phase in phases}
    for term in close_open_ends(phase.term for phase in by_start.values() if phase.term):
        phase = by_start[term.starts_on]
        first, last = max(term.starts_on, since), min(term.ends_on or today, today)
        if first < last:
            upper, name = top, phase.name
            if phase.volume_to is not None:
                upper = min(Decimal(phase.volume_to), top)
                if upper < phase.volume_to:  # or the table would give the end of the chart as the end of the phase
                    name = _("%(name)s (to %(to)s, cut off)") % {"name": name, "to": count(phase.volume_to)}
            yield name, [(day, phase.volume_from, upper) for day in (first, last)]


# --- how far a phase's budget goes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BudgetReach:
    """Up to which volume the hybrid stays within a phase's budget, in the note's prices and in today's."""

    phase: Phase
    note_breaks: Decimal | None  # of the note's second phase alone
    note_at_end: Decimal | None
    live_breaks: int | None  # None: not within the band
    live_at_end: Decimal
    run_rate: int
    ends: int
    chart: dict[str, Any]

    def headline(self) -> str:
        words = {"limit": dollars(self.phase.budget_high, 0), "name": self.phase.name}
        if not self.live_breaks:
            return _("The %(limit)s budget covers the whole range of %(name)s") % words
        words["n"] = rounded_count(self.live_breaks)
        return _("The %(limit)s budget covers about %(n)s requests, not the full range of %(name)s") % words

    def note(self) -> SafeString:
        """What the research's own prices give for its second phase; empty for any other."""
        if not self.note_breaks:
            return SafeString("")
        text = _(
            "The reference case plans up to {limit} for up to 500,000 requests in this phase. By its own prices that"
            " covers about <b>{n}</b>, because 30 % of the requests stay on the API. At 500,000 the month costs"
            " <b>{end}</b>."
        )
        figures = {"limit": dollars(self.phase.budget_high, 0), "end": dollars(self.note_at_end, 0)}
        return format_html(text, n=count(self.note_breaks), **figures)

    def live_note(self) -> SafeString:
        text = _(
            "With our own mix at today’s prices, {n} requests cost <b>{end}</b> a month. Each counts at the mean cost."
        )
        past = _(
            "Our volume is above that. Raise the budget, route more to self-hosted models, or send fewer requests to"
            " the API."
        )
        costs = format_html(text, n=count(self.ends), end=dollars(self.live_at_end, 0))
        return sentences(costs, past if self.live_breaks and self.live_breaks <= self.run_rate else "")


def reach(phase: Phase, inputs: Inputs, run_rate: int, sheet: Sheet | None) -> BudgetReach:
    """The curve up to the end of a phase's band; one without an end is drawn to three times its start. With `sheet` the
    reference case is drawn beside it."""
    ends = phase.volume_to or max(3 * phase.volume_from, 2 * run_rate, 1000)
    curve = [(1, decimal(costs_of(inputs).selfhost(1)))]  # without any request nothing would be leased
    curve += [(p.requests_per_month, p.selfhost) for p in compute(inputs, curve_to=ends).curve if p.requests_per_month]
    noted = sheet if sheet and phase.slug == sheet.phases[1].slug else None
    note = note_line(noted, ends) if noted else []
    series: list[dict[str, Any]] = [
        {"name": _("hybrid at today’s prices and our mix of models"), "style": "us", "points": curve}
    ]
    if note:
        series.append({"name": _("the reference case, January 2026"), "style": "plan", "points": note})
    band = {"name": _("budget"), "points": [(n, phase.budget_low, phase.budget_high) for n in (0, ends)]}
    here = {"kind": "here", "x": min(run_rate, ends), "y": cost_at(curve, run_rate), "lift": 0.3,
            "label": _("you are here:\n%(n)s") % {"n": f"{run_rate:,}"}}  # fmt: skip
    chart = {
        "series": series,
        "bands": [band],
        "marks": [here],
        "limits": limits(phase.budget_high),
        "x_to": ends,
    }
    return BudgetReach(
        phase=phase,
        note_breaks=OURS["slip-phase-2-breaks"](noted) if noted else None,
        note_at_end=OURS["slip-phase-2-500k"](noted) if noted else None,
        live_breaks=breaks_at(inputs, phase.budget_high, ends),
        live_at_end=curve[-1][1],
        run_rate=run_rate,
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


@dataclass(frozen=True, slots=True)
class Split:
    """Who served the requests, against the plan's 70/30: all of them, by task, and day by day."""

    own: int
    requests: int
    tasks: list[TaskSplit]
    days: list[tuple[date, Decimal | None]]

    def headline(self) -> str:
        if not self.requests:
            return _("No requests in 30 days, so there is no split")
        words = {"own": percent(Decimal(self.own) / self.requests), "planned": percent(PLANNED_SHARE)}
        return _("Self-hosted share of requests: %(own)s, planned: %(planned)s") % words

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The share by day as the chart takes it; empty without two days to join."""
        return [{"name": _("self-hosted"), "style": "us", "points": self.days}] if len(self.days) > 1 else []

    @property
    def limits(self) -> list[dict[str, Any]]:
        return [{"y": PLANNED_SHARE, "label": _("plan: 70 %"), "style": "plan"}]


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
