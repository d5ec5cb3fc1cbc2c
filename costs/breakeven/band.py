"""The 95 % interval of the break-even: requests and their cost differ from day to day, so the answer does too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven.crossings import first_into_selfhost
from costs.breakeven.engine import WholeCosts, costs_of, find_all_crossings, volume_saving
from costs.breakeven.inputs import MOST_REQUESTS, Inputs
from costs.breakeven.sensitivity import repriced
from costs.verdicts.amounts import Volumes
from lib.confidence_intervals import Z
from lib.formats import count, percent, sentences, signed_usd

FEWEST_DAYS = 7
SAVING = Decimal(100)  # USD a month that the go or no-go criterion asks for
MOST_STEPS = 20  # steps of the GPU staircase that are looked at inside the band


@dataclass(frozen=True, slots=True)
class Day:
    """One day: all requests, those that the API served at a known cost (`priced`), and that cost in USD."""

    requests: int
    priced: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Spread:
    """Half the widths of two 95 % intervals, as shares of the mean: cost of an API request, and the run rate."""

    request: Decimal
    volume: Decimal
    days: int


@dataclass(frozen=True, slots=True)
class Band:
    """The values between which the answer lies with 95 %: requests a month, and savings in USD a month.

    A crossing of None means that the curves do not cross at that end of the interval.
    """

    spread: Spread
    volume_low: int
    volume_high: int
    crossing_low: int | None  # at the upper end of what an API request costs
    crossing_high: int | None  # at its lower end
    saving_low: Decimal
    saving_high: Decimal
    goal_low: int | None = None  # the volume at which `SAVING` is reached, at both ends like the crossing
    goal_high: int | None = None
    one_choice: tuple[Decimal, Decimal] | None = None  # the savings at the likeliest models alone, if this holds two

    @property
    def is_told(self) -> bool:
        """Whether the same side is cheaper in the whole band."""
        return self.saving_low > 0 or self.saving_high < 0

    def holds(self, requests: int) -> bool:
        """Whether the curves may cross at this volume."""
        low, high = self.crossing_low, self.crossing_high
        return (low, high) != (None, None) and (low or 0) <= requests and (high is None or requests <= high)

    def crossing_ends(self, crossing: int | None) -> Volumes | None:
        """Between which volumes a crossing lies; None for one that is not the first."""
        return (self.crossing_low, self.crossing_high) if crossing is None or self.holds(crossing) else None

    @property
    def goal_ends(self) -> Volumes:
        """Between which volumes `SAVING` is reached."""
        return self.goal_low, self.goal_high

    def note(self) -> SafeString:
        sure = _(
            "Uncertainty (95 %%), from the differences between the last %(days)s days: the cost of a request is"
            " ±%(request)s, the run rate %(low)s–%(high)s."
        ) % {
            "days": self.spread.days, "request": percent(self.spread.request), "low": count(self.volume_low),
            "high": count(self.volume_high),
        }  # fmt: skip
        saves = _("and saves %(low)s to %(high)s a month.") % {
            "low": signed_usd(self.saving_low), "high": signed_usd(self.saving_high),
        }  # fmt: skip
        untold = format_html("<b>{}</b>", _("Too close to call."))
        return sentences(sure, self._models(), self._crossings(), saves, "" if self.is_told else untold)

    def _models(self) -> str:
        """That the interval also holds the second models, and how far it reaches without them."""
        if self.one_choice is None:
            return ""
        text = _(
            "A task’s API model is uncertain too, so both plausible models are included."
            " The likelier one alone saves %(low)s to %(high)s a month."
        )
        return text % {"low": signed_usd(self.one_choice[0]), "high": signed_usd(self.one_choice[1])}

    def _crossings(self) -> str:
        if self.crossing_low is None:
            return _("Within that, self-hosting may never be cheaper,")
        low = count(self.crossing_low)
        if self.crossing_high is None:
            return _("Within that, self-hosting is cheaper above %(low)s at best and never at worst,") % {"low": low}
        words = {"low": low, "high": count(self.crossing_high)}
        return _("Within that, self-hosting is cheaper above %(low)s to %(high)s,") % words


def spread_of(days: Sequence[Day]) -> Spread | None:
    """The spread of these days; None with fewer than seven days that have traffic and a known cost."""
    with_requests = [day for day in days if day.requests]
    priced = [day for day in with_requests if day.priced and day.cost]
    if len(priced) < FEWEST_DAYS:
        return None
    return Spread(_of_ratio(priced), _of_mean([day.requests for day in with_requests]), len(with_requests))


def _of_mean(counts: Sequence[int]) -> Decimal:
    """Half the 95 % interval of the mean of daily counts, as a share of that mean."""
    n, total = len(counts), Decimal(sum(counts))
    mean = total / n
    variance = sum(((day - mean) ** 2 for day in counts), Decimal(0)) / (n - 1)
    return Z * (variance / n).sqrt() / mean


def _of_ratio(days: Sequence[Day]) -> Decimal:
    """Half the 95 % interval of cost per request, as a share of it."""
    # The standard error of a ratio estimator whose sample units are days: requests of one day are not independent.
    n, requests = len(days), Decimal(sum(day.priced for day in days))
    each = sum((day.cost for day in days), Decimal(0)) / requests
    squares = sum(((day.cost - each * day.priced) ** 2 for day in days), Decimal(0))
    error = (squares / (n - 1) * n).sqrt() / requests
    return Z * error / each


def band(inputs: Inputs, spread: Spread, *, goals: bool = True) -> Band:
    """The lowest and highest crossing and saving inside both intervals of `spread`; without `goals` no goal.

    The saving is piecewise linear in the volume with a jump at each step, so its extremes lie at the ends of the
    interval or on either side of a step; only those volumes are computed.
    """
    dearest, cheapest = repriced(inputs, 1 + spread.request), repriced(inputs, max(1 - spread.request, Decimal(0)))
    n = inputs.requests_per_month
    low = int(n * max(1 - spread.volume, Decimal(0)))
    high = min(int(n * (1 + spread.volume)), MOST_REQUESTS)
    savings = [saving for side in (dearest, cheapest) for saving in _savings(side, low, high)]
    goal = [volume_saving(side, SAVING) for side in (dearest, cheapest)] if goals else ()
    return Band(spread, low, high, _into(dearest), _into(cheapest), min(savings), max(savings), *goal)


def _savings(inputs: Inputs, low: int, high: int) -> list[Decimal]:
    costs = costs_of(inputs)
    return WholeCosts.of(costs).savings({low, high, *_edges(costs.load, low, high)})


def _edges(load: Fraction, low: int, high: int) -> list[int]:
    """The last volume of each step and the first of the next, as far as they lie between `low` and `high`.

    Volume 0 is a step of its own, as it needs no GPU.
    """
    if not load:
        return []
    first = int(low * load)
    ends = [int(step / load) for step in range(first, min(int(high * load), first + MOST_STEPS) + 1)]
    return [n for end in ends for n in (end, end + 1) if low <= n <= high]


def _into(inputs: Inputs) -> int | None:
    return first_into_selfhost(find_all_crossings(inputs))


def as_json(band: Band) -> dict[str, Any]:
    return {
        "days": band.spread.days,
        "requests_per_month": [band.volume_low, band.volume_high],
        "crossing": [band.crossing_low, band.crossing_high],
        "saving": [f"{band.saving_low:f}", f"{band.saving_high:f}"],
    }
