"""What self-hosting saves a month, and how sure that is: the one place that says so. No queries."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costs.breakeven.band import Band, Spread, band
from costs.breakeven.counterfactual import at_other_models
from costs.breakeven.engine import compute
from costs.breakeven.inputs import Inputs
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

    @property
    def turns(self) -> bool:
        """Whether the second models give the saving the other sign."""
        return self.other is not None and (self.amount > 0) != (self.other > 0)

    @property
    def is_told(self) -> bool:
        """Whether one side is cheaper in the whole interval and at both choices of models."""
        interval = self.interval
        return interval is not None and not self.turns and (interval.low > 0 or interval.high < 0)


def saving_of(inputs: Inputs, spread: Spread | None) -> Saving | None:
    """The saving of these inputs; None without traffic that is compared."""
    if not inputs.requests_per_month:
        return None
    other = at_other_models(inputs)
    bands = [made for made in (whole_band(inputs, spread), whole_band(other, spread)) if made]
    interval = None
    if bands:
        interval = Interval(min(made.saving_low for made in bands), max(made.saving_high for made in bands))
    return Saving(compute(inputs).saving, interval, compute(other).saving if other else None)


def whole_band(inputs: Inputs | None, spread: Spread | None) -> Band | None:
    """The band around the break-even; None without traffic or with too few days."""
    return band(inputs, spread) if inputs and spread and inputs.requests_per_month else None
