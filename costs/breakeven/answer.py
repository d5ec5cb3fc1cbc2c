"""The contract's answer with the inputs that it was computed from, so that every figure can be followed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costs.breakeven.engine import as_json, compute
from costs.breakeven.inputs import Inputs

RATES = ("input", "output", "cache_write_5m", "cache_read", "batch_discount")


def answered(inputs: Inputs) -> dict[str, Any]:
    return {**as_json(compute(inputs)), "inputs": inputs_json(inputs)}


def inputs_json(inputs: Inputs) -> dict[str, Any]:
    own = inputs.selfhost
    return {
        "price_sheet": inputs.price_sheet,
        "api_model": inputs.api_model,
        **{name: text(getattr(inputs, name)) for name in ("input_tokens", "output_tokens", "cache_read_share")},
        **{name: text(getattr(inputs, name)) for name in ("cache_write_tokens", "batch_share", "routable_share")},
        "requests_per_month": inputs.requests_per_month,
        "prices": {name: text(getattr(inputs.prices, name)) for name in RATES},
        "selfhost": {name: text(getattr(own, name)) for name in own.__slots__},
    }


def text(value: Any) -> Any:
    return f"{round(value, 12).normalize():f}" if isinstance(value, Decimal) else value
