"""What the Break-even page shows, made from inputs and results without queries: sentences, curve, volumes, run rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.breakeven import (
    Crossing,
    Inputs,
    Point,
    Result,
    as_json,
    cells,
    days_to_cross,
    routed_requests,
    volume_saving,
)
from costs.breakeven.band import SAVING, Band
from costs.breakeven.decimals import decimal
from costs.breakeven.engine import costs_of
from costs.breakeven.saving import Saving
from costs.verdicts.amounts import about, about_requests, marked_crossing, marked_saving
from lib.confidence_intervals import Interval, points_apart
from lib.formats import count, dollars, figure, sentences, signed_percent, usd4, when

MONTH = 30  # days of a run rate
MOST_ROWS = 12


@dataclass(frozen=True, slots=True)
class BreakEvenAnswer:
    """The figures of the page's sentence; `kind` selects the sentence.

    no_traffic: no request yet · no_counterfactual: none with an API model that has a price · pays: past the crossing ·
    always: our GPUs are cheaper at every volume · refused: they
    are cheaper, but their answers are rated significantly worse · ahead: the crossing is above the run rate · again:
    past the crossing, but the next GPU made the API cheaper again · never: the curves do not cross.
    """

    kind: str
    n: int
    saving: Decimal
    crossing: int | None  # requests a month: the last one passed, else the next one
    saves_at: int | None  # requests a month at which `SAVING` is reached
    days: int | None  # until the crossing, at the present growth
    growth: Decimal | None  # share a month
    band: Band | None = None

    def sentence(self, *, marked: bool = False) -> SafeString:
        """The answer for HTML; `marked`: the crossing is the one of every page, so that an audit compares it."""
        n = figure(count(self.n), "run-rate", self.n) if marked else count(self.n)
        words = {"at": self._pays_from(marked), "n": n, "saving": self._saving(marked)}
        return format_html("{}{}", format_html(self._text(), **words), self._end())

    def _pays_from(self, marked: bool) -> str:
        """The crossing with its interval; without one the exact figure, as of a price sheet."""
        ends = self.band.crossing_ends(self.crossing) if self.band and self.crossing else None
        if not ends:
            return count(self.crossing)
        return (marked_crossing if marked else about_requests)(self.crossing, ends)

    def _saving(self, marked: bool) -> str:
        """The saving, or what the cheaper API spares, with its interval; without one the exact figure."""
        if not self.band:
            return dollars(self.saving, 0)
        amount = self.saving if self.kind in ("pays", "always", "refused") else -self.saving
        interval = Interval(self.band.saving_low, self.band.saving_high)
        words = about(amount, interval)
        return marked_saving(words, amount, interval) if marked else words

    def _text(self) -> str:
        """The sentence with placeholders for its figures, without the part that `_end` adds."""
        if self.kind == "no_traffic" and not self.crossing:
            return _("No requests yet, so there is no run rate to compare with a break-even.")
        return {
            "no_traffic": _(
                "No requests yet, so there is no run rate. With the assumed figures below, self-hosting would be "
                "cheaper above <b>{at} requests</b> a month."
            ),
            "no_counterfactual": _(
                "Nothing can be compared: no API model with a price is known for any of our requests. Choose one below."
            ),
            "pays": _("Self-hosting saves <b>{saving} a month</b>. It is cheaper above <b>{at} requests</b> a month"),
            "always": _(
                "Self-hosting is cheaper at every volume. At our <b>{n} requests</b> a month it "
                "saves <b>{saving} a month</b>."
            ),
            "refused": _(
                "Self-hosting costs <b>{saving} a month</b> less at our <b>{n} requests</b>. Its "
                "answers are rated significantly worse, so it is not called cheaper."
            ),
            "ahead": _(
                "Self-hosting is cheaper above <b>{at} requests</b> a month. Below that, at our volume, the API "
                "costs <b>{saving} a month</b> less"
            ),
            "again": _(
                "At our volume the API is cheaper again, by <b>{saving} a month</b>: it needs one more GPU and does not"
                " fill it. Self-hosting is cheaper again above <b>{at} requests</b>."
            ),
            "never": _(
                "Self-hosting is not cheaper at any higher volume. At our <b>{n} requests</b> a month the API costs"
                " <b>{saving}</b> less."
            ),
        }[self.kind]

    def _end(self) -> SafeString:
        """The volume at which `SAVING` is reached, or the days until the crossing."""
        if self.kind == "pays" and self.saves_at:
            text = _(". It saves <b>$100</b> at {at} requests.")
            return format_html(text, at=about_requests(self.saves_at, self.band.goal_ends if self.band else None))
        if self.kind == "ahead" and self.days:
            text = ngettext(
                ", and at the current growth we reach it in {n} day.",
                ", and at the current growth we reach it in {n} days.",
                self.days,
            )
            return format_html(text, n=self.days)
        return format_html("{}", "." if self.kind in ("pays", "ahead") else "")


def answer(
    inputs: Inputs, result: Result, growth: Decimal | None, refused: bool, band: Band | None = None
) -> BreakEvenAnswer:
    n = inputs.requests_per_month
    passed, coming = around(result.crossings, n)
    pays = result.cheaper == "selfhost"
    at = passed if pays or not coming else coming
    if not n:
        kind, at = "no_counterfactual" if inputs.left_out else "no_traffic", coming
    elif pays:
        kind = "refused" if refused else "pays" if at else "always"
    elif coming is None:
        kind = "never"
    else:
        kind = "again" if passed else "ahead"
    return BreakEvenAnswer(
        kind=kind,
        n=n,
        saving=abs(result.saving),
        crossing=at,
        saves_at=volume_saving(inputs, SAVING) if pays and result.saving <= SAVING else None,
        days=days_to_cross(n, at, growth) if at and not pays and growth is not None else None,
        growth=growth,
        band=band,
    )


@dataclass(frozen=True, slots=True)
class BreakEvenPage:
    """The page's headings; `rates`: run rate of each day, `gap`: how much better our answers are rated, 0 to 1."""

    inputs: Inputs
    result: Result
    answer: BreakEvenAnswer
    rates: Sequence[tuple[date, int]]
    gap: Interval | None
    refused: bool
    changed: bool = False  # whether a what-if changed the inputs
    saving: Saving | None = None

    def sentence(self) -> SafeString:
        """Which side is cheaper, as far as the interval of the saving allows to say."""
        if self.changed:
            return sentences(_("With your changes:"), self._undecided() or self.answer.sentence())
        return sentences(self._undecided() or self.answer.sentence(marked=True))

    def _undecided(self) -> str:
        """That it is too close to call, or that there are too few days; empty where one side is surely cheaper."""
        saving, words = self.saving, {"n": count(self.inputs.requests_per_month)}
        if saving is None or saving.is_told:
            return ""
        words["saving"] = about(saving.amount, saving.interval)
        if not self.changed:
            words["saving"] = marked_saving(words["saving"], saving.amount, saving.interval)
        if saving.interval is None:
            text = _(
                "There is not enough data to judge a saving at <b>{n} requests</b> a month: it takes 7 days with"
                " traffic and known cost."
            )
        else:
            text = _(
                "Too close to call: at <b>{n} requests</b> a month it is not certain whether self-hosting is cheaper:"
                " <b>{saving}</b>."
            )
            if saving.turns and not self.changed:  # the page has said before this that it is too close
                text = _(
                    "At <b>{n} requests</b> a month it is not certain whether self-hosting is cheaper: <b>{saving}</b>."
                )
        return format_html(text, **words)

    def what_if_headline(self) -> str:
        return _("What if: your changes are in the address") if self.changed else _("What if")

    def curve_headline(self) -> str:
        api = usd4(self.result.api_cost_per_request)
        words = {"api": api, "own": dollars(self.result.own_cost, 0), "n": self.result.gpus or 0}
        if self.inputs.selfhost.billing != "hourly":
            return format_html(_("${api} a request on the API, {own} a month for GPUs by the second"), **words)
        text = ngettext(
            "${api} a request on the API, {own} a month for {n} GPU",
            "${api} a request on the API, {own} a month for {n} GPUs",
            self.result.gpus or 0,
        )
        return format_html(text, **words)

    def sum_headline(self) -> str:
        if not self.inputs.requests_per_month:
            return _("No total: there are no requests yet")
        less, more = _("Total: %(sum)s a month less"), _("Total: %(sum)s a month more")
        interval = self.saving.interval if self.saving else None
        is_loss = interval.high < 0 if interval else self.result.saving < 0
        amount = self.result.saving if interval else self.answer.saving
        return (more if is_loss else less) % {"sum": about(amount, interval)}

    def sum_source(self) -> str:
        if self.inputs.price_sheet == "live":
            return _("today’s prices")
        return _("sheet %(sheet)s") % {"sheet": self.inputs.price_sheet}

    @property
    def rate_chart(self) -> dict[str, Any] | None:
        return rate_chart(self.rates, self.answer.crossing) if len(self.rates) > 1 else None

    def rate_headline(self) -> str:
        past, band = past_since(self.rates, self.answer.crossing), self.answer.band
        if len(self.rates) < 2:
            return _("No run rate yet: fewer than 30 days of data")
        if band and band.holds(self.answer.n):
            return _("Too close to call: the run rate lies within the break-even’s interval")
        if past:
            return format_html(_("Past break-even since {day}"), day=when(past))
        days = self.answer.days
        if not days:
            return _("Run rate on each of the last %(n)s days") % {"n": len(self.rates)}
        text = ngettext(
            "%(n)s day to break-even at the current growth", "%(n)s days to break-even at the current growth", days
        )
        return text % {"n": days}

    def rate_note(self) -> SafeString:
        growth = self.answer.growth
        changed = _("The run rate changed by %(growth)s in 30 days.") % {"growth": signed_percent(growth)}
        waits = _("The alert fires once, after the run rate has stayed beyond the band for the days of its rule.")
        return sentences("" if growth is None else changed, waits)

    def guard_headline(self) -> str:
        if self.refused:
            return _("Not called cheaper, because rated quality is significantly worse")
        if self.gap:
            return _("Quality is not significantly worse")
        return _("Quality is not known: too few ratings of both sides")

    def gap_words(self) -> str:
        """How our answers are rated against the API's on the same tasks."""
        return points_apart(self.gap) if self.gap else _("not known")

    @property
    def holds(self) -> bool | None:
        """Whether the ratings allow the page to call our GPUs cheaper; None if too little is rated."""
        return False if self.refused else True if self.gap else None


def around(crossings: Iterable[Crossing], n: int) -> tuple[int | None, int | None]:
    """The last volume up to n, and the first above it, from which our own GPUs cost no more."""
    into = [crossing.requests_per_month for crossing in crossings if crossing.side_to == "selfhost"]
    passed = max((at for at in into if at <= n), default=None)
    return passed, min((at for at in into if at > n), default=None)


# --- the curve -----------------------------------------------------------------------------------------------------


def drawn(inputs: Inputs, result: Result) -> dict[str, Any]:
    """Curve and crossings for the chart tag. Volume 1 is a point of its own, because the first request needs a GPU."""
    costs, points = costs_of(inputs), list(result.curve)
    if len(points) > 1 and points[1].requests_per_month > 1:
        points.insert(1, Point(1, decimal(costs.api(1)), decimal(costs.selfhost(1)), costs.gpus(1)))
    curve = [
        {"requests_per_month": p.requests_per_month, "api": p.api, "selfhost": p.selfhost, "gpus": p.gpus}
        for p in points
    ]
    return {"curve": curve, "crossings": as_json(result)["crossings"]}


@dataclass(frozen=True, slots=True)
class CrossingRow:
    """A crossing as a list shows it: all requests a month (`at`), and those that our GPUs may serve (`routed`)."""

    at: int
    routed: int
    into_own: bool
    gpus: int | None
    within: str = ""  # the interval of `at`

    def words(self) -> str:
        return _("self-hosting is cheaper above") if self.into_own else _("the API is cheaper again above")


def crossing_rows(inputs: Inputs, result: Result, band: Band | None = None) -> list[CrossingRow]:
    costs = costs_of(inputs)
    return [
        CrossingRow(
            at=crossing.requests_per_month,
            routed=routed_requests(crossing.requests_per_month, inputs.routable_share),
            into_own=crossing.side_to == "selfhost",
            gpus=costs.gpus(crossing.requests_per_month),
            within=cells.within(crossing.requests_per_month, band),
        )
        for crossing in result.crossings[:MOST_ROWS]
    ]


# --- the run rate --------------------------------------------------------------------------------------------------


def run_rates(requests: Mapping[date, int], today: date, days: int = 60) -> list[tuple[date, int]]:
    """(day, requests of the 30 days before it) for the last `days`, from the first day with 30 days of data before."""
    if not requests:
        return []
    first = max(min(requests) + timedelta(days=MONTH), today - timedelta(days=days))
    span = (today - first).days
    return [(on, _rate(requests, on)) for n in range(span + 1) if (on := first + timedelta(days=n))]


def _rate(requests: Mapping[date, int], day: date) -> int:
    return sum(requests.get(day - timedelta(days=n), 0) for n in range(1, MONTH + 1))


def growth(rates: Sequence[tuple[date, int]]) -> Decimal | None:
    """Share by which the run rate grew in the last 30 days; None without a run rate of 30 days ago."""
    if not rates:
        return None
    now, before = rates[-1][1], dict(rates).get(rates[-1][0] - timedelta(days=MONTH))
    return Decimal(now) / before - 1 if before else None


def rate_chart(rates: Sequence[tuple[date, int]], at: int | None, band: Decimal = Decimal("0.05")) -> dict[str, Any]:
    """The run rate as a line, with the crossing `at` and the band around it in which the alert does not change."""
    series = [{"name": _("run rate"), "style": "us", "points": list(rates)}]
    if at is None or not rates:
        return {"series": series, "bands": [], "limits": []}
    low, high = int(at * (1 - band)), int(at * (1 + band))
    edges = [(day, low, high) for day in (rates[0][0], rates[-1][0])]
    return {
        "series": series,
        "bands": [{"name": _("break-even, ±5 %"), "points": edges}],
        "limits": [{"y": at, "label": _("break-even %(n)s") % {"n": f"{at:,}"}, "style": "plan"}],
    }


def past_since(rates: Sequence[tuple[date, int]], at: int | None) -> date | None:
    """The day since which the run rate has stayed at or above a crossing; None if it is below or always was above."""
    if at is None or not rates or rates[-1][1] < at:
        return None
    below = [day for day, rate in rates if rate < at]
    return below[-1] + timedelta(days=1) if below else None
