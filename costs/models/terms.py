"""What a phase or a budget allows a month, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Term:
    """A budget a month, USD, from a day on; `ends_on` is the day after its last, None: until another one begins."""

    name: str
    low: Decimal
    high: Decimal
    starts_on: date
    ends_on: date | None
    carries: bool = False
