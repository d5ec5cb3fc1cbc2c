"""What the Plan page says, from plain figures: the month against its budget, phases, stages, the split. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.plan.budget_status import BudgetStatus
from costs.plan.forecast import Check, look_back
from costs.plan.forecast_record import ForecastRecord
from costs.plan.month import Month
from costs.plan.queries import PhaseState, Plan, StageState
from costs.plan.verdict import plan_verdict
from costs.price_sheets.sheets import Sheet
from costs.research.figures import OURS
from costs.verdicts.verdict import State, Verdict
from lib.dates import DAY, midnight
from lib.formats import at_least_dollars, count, dollars, missing, percent, rounded_count, sentences, usd, when
from lib.formats import month as month_name
from lib.money import ZERO


@dataclass(frozen=True, slots=True)
class PlanPage:
    """How the month stands against the budget of the phase planned for today, and the volume against its band."""

    plan: Plan
    today: date

    @property
    def month(self) -> Month:
        return self.plan.month

    @property
    def status(self) -> BudgetStatus | None:
        return self.plan.status

    @property
    def left(self) -> Decimal:
        return self.status.left if self.status else ZERO

    @property
    def runs_out_on(self) -> date | None:
        return self.status.runs_out_on if self.status else None

    @property
    def has_left_band(self) -> bool:
        """Whether the volume belongs to another phase than the one planned for today."""
        current, held = self.plan.current, self.plan.volume_phase
        return current is not None and held is not None and current.pk != held.pk

    def answer(self) -> SafeString:
        month, status = self.month, self.status
        words = {
            "month": month_name(month.first),
            "spent": at_least_dollars(status.spent if status else month.spent, month.unpriced_requests),
        }
        if status is None or self.plan.current is None:
            text = _("No phase is planned for today, so {month}’s {spent} has no budget.")
            return format_html(text, **words)
        words |= {"name": self.plan.current.name}
        text = _("We are in phase <b>{name}</b>.")
        if status.spent > status.allowance.high:
            text = _("We are in phase <b>{name}</b>, and {month}’s budget ran out on <b>{on}</b>.")
            words |= {"on": when(status.runs_out_on)}
        return sentences(format_html(text, **words), self.verdict.sentence, self._runs_out(status), self.verdict.needed)

    @property
    def verdict(self) -> Verdict:
        """Whether the month is on plan, as on the Overview."""
        return plan_verdict(self.month, self.status, self.today)

    def _runs_out(self, status: BudgetStatus) -> str:
        """The day on which the money runs out, where the whole forecast is over the budget."""
        if self.verdict.state != State.NOT_MET or status.left < 0 or status.runs_out_on is None:
            return ""
        return format_html(_("At this pace the budget runs out on <b>{on}</b>."), on=when(status.runs_out_on))

    def pace_headline(self) -> str:
        forecast, words = self.month.forecast, {"month": month_name(self.month.first)}
        if forecast is None:
            return _("%(month)s, cumulative") % words
        if self.plan.current is None:
            return _("%(month)s forecast: %(middle)s") % {**words, "middle": dollars(forecast.median, 0)}
        ends = {"low": dollars(forecast.low, 0), "high": dollars(forecast.high, 0)}
        return _("%(month)s forecast: %(low)s to %(high)s") % {**words, **ends}

    def left_headline(self) -> str:
        if self.left <= 0:
            return _("Nothing left")
        days = (self.month.last - self.today).days + 1
        text = ngettext("Left: %(sum)s for the last day", "Left: %(sum)s a day for %(days)s days", days)
        if self.month.unpriced_requests:
            text = ngettext(
                "Left: at most %(sum)s for the last day", "Left: at most %(sum)s a day for %(days)s days", days
            )
        return text % {"sum": dollars(self.left / days), "days": days}

    def phases_headline(self) -> str:
        """The phase of today and that of the volume, where they differ; `volume_headline` says where they do not."""
        current, held = self.plan.current, self.plan.volume_phase
        if current and held and self.has_left_band:
            return _("Planned: %(name)s, actual volume: %(held)s") % {"name": current.name, "held": held.name}
        return _("The phases and their budgets a month")

    def volume_headline(self) -> str:
        current, rate = self.plan.current, rounded_count(self.plan.run_rate)
        if current is None:
            return _("About %(n)s requests a month, with no phase planned for today") % {"n": rate}
        inside, outside = (
            _("About %(n)s requests a month are within the range of %(name)s"),
            _("About %(n)s requests a month are outside the range of %(name)s"),
        )
        return (outside if self.has_left_band else inside) % {"n": rate, "name": current.name}


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

    def band(self) -> str:
        phase = self.state.phase
        return f"{count(phase.volume_from)}–{_('any') if phase.volume_to is None else count(phase.volume_to)}"

    def forecast(self) -> SafeString:
        """The month's forecast of the phase planned for today, with its interval below it; a dash for the others."""
        if not self.state.current:
            return missing("dash")
        forecast = self.state.forecast
        if forecast is None:
            return missing()
        text = '{}<span class="secondary">{}–{}</span>'
        return format_html(text, usd(forecast.median), usd(forecast.low), usd(forecast.high))

    def runs_out(self) -> str:
        if not self.state.current:
            return missing("dash")
        unknown = _("not this month") if self.state.forecast else _("not enough data")
        return when(self.state.runs_out_on) if self.state.runs_out_on else unknown

    def planned(self) -> SafeString:
        """From when to when it is planned."""
        phase = self.state.phase
        if phase.starts_on is None:
            return missing("dash")
        return format_html("{}–{}", when(phase.starts_on), when(phase.ends_on - DAY) if phase.ends_on else _("open"))


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

    def headline(self) -> str:
        if not self.rows:
            return _("No stage is planned")
        words = {"spent": dollars(self.spent), "budget": dollars(self.budget, 0)}
        return _("The stages have cost %(spent)s of %(budget)s") % words


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

    def note(self) -> str:
        text = _(
            "The reference case plans %(total)s for six months, against %(api)s on the API alone at %(requests)s"
            " requests a month. That is %(saving)s less (%(share)s). Its own prices give %(ours)s for the API, so"
            " %(our_saving)s less (%(our_share)s)."
        )
        return text % self.words()

    def headline(self) -> str:
        text = _("The reference case plans %(total)s against %(api)s, and its prices do not give %(api)s")
        return text % self.words()

    def warning(self) -> str:
        """What to look at before this becomes the plan."""
        text = _(
            "It plans %(total)s for evaluation, proof of concept and five months of production. It compares that with"
            " %(api)s on the API alone at %(requests)s requests a month: a saving of %(saving)s (%(share)s). Its own"
            " prices give %(ours)s for the API alone, so the saving is %(our_saving)s (%(our_share)s). Compare the"
            " budgets below with your own traffic before you use them."
        )
        return text % self.words()

    def words(self) -> dict[str, str]:
        return {
            "total": dollars(self.total, 0), "api": dollars(self.api_only, 0), "requests": count(self.requests),
            "saving": dollars(self.saving, 0), "share": percent(self.share), "ours": dollars(self.our_api_only, 0),
            "our_saving": dollars(self.our_saving, 0), "our_share": percent(self.our_share),
        }  # fmt: skip


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

    def headline(self) -> str:
        if not self.checks:
            return _("No forecast of a whole month yet")
        words = {"error": percent(self.error), "naive": percent(self.naive_error)}
        return _("Forecast error on day 10: %(error)s (straight-line estimate: %(naive)s)") % words

    def fan_note(self) -> SafeString:
        """What the fan of the month's chart is meant to hold, and what it has held where that is clearly less."""
        if not self.looks.is_narrow:
            return format_html("{}", _("USD, cumulative, 80 % forecast interval"))
        text = _(
            'USD, cumulative · forecast interval meant to hold 80 % of the ends, <a href="#record-h">{share} so far</a>'
        )
        return format_html(text, share=percent(self.looks.share))

    def note(self) -> SafeString:
        text = ngettext(
            "Straight-line estimate: the days so far, extended to the whole month. %(covered)s of %(n)s month ended"
            " between low and high. The target is four in five.",
            "Straight-line estimate: the days so far, extended to the whole month. %(covered)s of %(n)s months ended"
            " between low and high. The target is four in five.",
            len(self.checks),
        )
        narrow = _("That is below the target: where the pace changes within a month, the interval is too narrow.")
        return sentences(
            text % {"covered": self.covered, "n": len(self.checks)},
            self._looked_at() if self.looks.of else "",
            narrow if self.looks.is_narrow else "",
        )

    def _looked_at(self) -> SafeString:
        text = _("From every day instead of day 10 alone, the end was inside on {inside} of {of} days: <b>{share}</b>.")
        return format_html(text, inside=self.looks.inside, of=self.looks.of, share=percent(self.looks.share))

    @property
    def rows(self) -> list[tuple[Check, str]]:
        """Each month, with how many of its days had its end inside their interval, where that was looked at."""
        looks = [self.looks.months.get(check.month) for check in self.checks]
        words = [
            _("%(inside)s of %(of)s") % {"inside": look[0], "of": look[1]} if look else missing("dash")
            for look in looks
        ]
        return list(zip(self.checks, words, strict=True))


def record(history: Mapping[date, Decimal], looks: ForecastRecord) -> ForecastReview:
    return ForecastReview(list(_record(tuple(sorted(history.items())))), looks)


@lru_cache(maxsize=8)
def _record(history: tuple[tuple[date, Decimal], ...]) -> tuple[Check, ...]:
    """Kept, because past days seldom change and the forecast is read anew for every month."""
    return tuple(look_back(dict(history)))
