"""What self-hosting saves a month, and how sure that is: the one place that says so. No queries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from costs.breakeven.band import Band, Spread, band
from costs.breakeven.counterfactual import at_other_models
from costs.breakeven.engine import WholeCosts, costs_of, saving_at_run_rate
from costs.breakeven.inputs import Inputs
from costs.breakeven.sensitivity import repriced
from costs.verdicts.amounts import Volumes
from lib.confidence_intervals import Interval


@dataclass(frozen=True, slots=True)
class Saving:
    """USD a month that self-hosting saves; negative where it costs more.

    `interval` holds it with 95 %, at the first and at the second most plausible models of the tasks; None while there
    are too few days. `other` is the saving at the second models, None where no task has one.
    """

    amount: Decimal
    interval: Interval | None
    other: Decimal | None = None
    band: Band | None = None  # that the interval is of
    worse: bool = False  # whether answers of our own GPUs are rated significantly worse than the API's

    @property
    def turns(self) -> bool:
        """Whether the second models give the saving the other sign."""
        return self.other is not None and (self.amount > 0) != (self.other > 0)

    @property
    def verdict(self) -> str:
        """`api` or `selfhost` where it is told which is cheaper, else `too_close`, or `not_enough_data`."""
        if self.interval is None:
            return "not_enough_data"
        return "too_close" if not self.is_told else "selfhost" if self.interval.low > 0 else "api"

    @property
    def is_refused(self) -> bool:
        """Whether our own GPUs cost less, but are not called cheaper because their answers are rated worse."""
        return self.worse and self.verdict == "selfhost"

    @property
    def is_told(self) -> bool:
        """Whether one side is cheaper in the whole interval and at both choices of models."""
        interval = self.interval
        return interval is not None and not self.turns and (interval.low > 0 or interval.high < 0)


def saving_of(inputs: Inputs, spread: Spread | None, *, worse: bool = False, goals: bool = True) -> Saving | None:
    """The saving of these inputs; None without traffic that is compared.

    `worse`: whether the ratings of our own answers are significantly worse than those of the API's.
    """
    if not inputs.requests_per_month:
        return None
    other, made = at_other_models(inputs), whole_band(inputs, spread, goals=goals)
    interval = Interval(made.saving_low, made.saving_high) if made else None
    second = saving_at_run_rate(other) if other else None
    return Saving(saving_at_run_rate(inputs), interval, second, made, worse)


def savings_at(volumes: Iterable[int], inputs: Inputs, spread: Spread | None, *, worse: bool = False) -> list[Saving]:
    """The saving at each of these volumes, requests a month: only what a request costs is uncertain then."""
    other = at_other_models(inputs)
    models = [inputs, other] if other else [inputs]
    factors = (1 + spread.request, max(1 - spread.request, Decimal(0))) if spread else ()
    at = list(volumes)
    first, *second = (WholeCosts.of(costs_of(row)).savings(at) for row in models)
    around = [WholeCosts.of(costs_of(repriced(row, factor))).savings(at) for row in models for factor in factors]
    ends: list[Interval | None] = [Interval(min(amounts), max(amounts)) for amounts in zip(*around, strict=True)]
    none = [None] * len(at)
    rows = zip(first, ends or none, second[0] if second else none, strict=True)
    return [Saving(*row, worse=worse) for row in rows]


def whole_band(inputs: Inputs, spread: Spread | None, *, goals: bool = True) -> Band | None:
    """The band around the break-even that holds both choices of models; None without traffic or with too few days."""
    if spread is None or not inputs.requests_per_month:
        return None
    first, other = band(inputs, spread, goals=goals), at_other_models(inputs)
    if other is None:
        return first
    second = band(other, spread, goals=goals)
    low, high = _both((first.crossing_low, first.crossing_high), (second.crossing_low, second.crossing_high))
    goal_low, goal_high = _both(first.goal_ends, second.goal_ends)
    return replace(
        first,
        crossing_low=low,
        crossing_high=high,
        goal_low=goal_low,
        goal_high=goal_high,
        saving_low=min(first.saving_low, second.saving_low),
        saving_high=max(first.saving_high, second.saving_high),
        one_choice=(first.saving_low, first.saving_high),
    )


def _both(first: Volumes, second: Volumes) -> Volumes:
    """The span that holds both; an end of None is at no volume."""
    highs = [at for at in (first[1], second[1]) if at is not None]
    low = min((at for at in (first[0], second[0]) if at is not None), default=None)
    return low, max(highs) if len(highs) == 2 else None
