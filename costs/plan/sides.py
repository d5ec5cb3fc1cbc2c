"""The month in two: what is committed, and what depends on the traffic."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from costs.plan.month import Month


@dataclass(frozen=True, slots=True)
class Sides:
    """The month in two parts: committed, and dependent on traffic; None where there is no forecast."""

    committed: Decimal  # so far
    committed_to_come: Decimal
    variable: Decimal  # so far
    variable_to_come: Decimal | None

    @property
    def committed_month(self) -> Decimal:
        return self.committed + self.committed_to_come

    @property
    def variable_month(self) -> Decimal | None:
        return None if self.variable_to_come is None else self.variable + self.variable_to_come

    @property
    def month(self) -> Decimal | None:
        return None if self.variable_month is None else self.committed_month + self.variable_month

    @property
    def share(self) -> Decimal | None:
        """Share of the month that is committed."""
        return self.committed_month / self.month if self.month else None


def sides(month: Month) -> Sides:
    variable = month.spent - month.committed
    to_come = None
    if month.forecast is not None:
        to_come = month.forecast.median - month.committed - month.to_come - variable
    return Sides(month.committed, month.to_come, variable, to_come)
