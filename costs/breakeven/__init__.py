"""The break-even: from complete inputs it computes what the API and our own GPUs cost, and every volume where one
becomes cheaper than the other. The names exported here read no database.
"""

from __future__ import annotations

from costs.breakeven.answer import answered
from costs.breakeven.band import Band, Day, Spread, band, spread_of
from costs.breakeven.body import InvalidInputs, inputs_from_body
from costs.breakeven.crossings import Crossing, Side
from costs.breakeven.decimals import decimal_text
from costs.breakeven.engine import (
    Point,
    Result,
    as_json,
    compute,
    days_to_cross,
    routed_requests,
    volume_saving,
)
from costs.breakeven.inputs import Billing, Inputs, PriceList, Prompts, SelfHost
from costs.breakeven.mix import Mix, Usage, measured_mix
from costs.breakeven.sensitivity import Swing, sensitivity
from costs.breakeven.shape import body_schema
from costs.breakeven.statement import StatementRow, explain
from costs.price_sheets.token_prices import TokenPrices

__all__ = [
    "Band",
    "Billing",
    "Crossing",
    "Day",
    "Inputs",
    "InvalidInputs",
    "Mix",
    "Point",
    "PriceList",
    "Prompts",
    "Result",
    "SelfHost",
    "Side",
    "Spread",
    "StatementRow",
    "Swing",
    "TokenPrices",
    "Usage",
    "answered",
    "as_json",
    "band",
    "body_schema",
    "compute",
    "days_to_cross",
    "decimal_text",
    "explain",
    "inputs_from_body",
    "measured_mix",
    "routed_requests",
    "sensitivity",
    "spread_of",
    "volume_saving",
]
