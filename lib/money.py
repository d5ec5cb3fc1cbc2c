"""Amounts of money, in USD where nothing else is said: decimals, never floats."""

from __future__ import annotations

from decimal import Decimal

ZERO = Decimal(0)
CENT = Decimal("0.01")
COST_STEP = Decimal("0.000000000001")  # twelve decimals, as costs are stored
