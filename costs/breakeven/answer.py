"""The break-even as the HTTP API gives it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from costs.breakeven.band import Spread
from costs.breakeven.crossings import first_into_selfhost
from costs.breakeven.decimals import decimal_text
from costs.breakeven.engine import as_json, compute
from costs.breakeven.inputs import Inputs
from costs.breakeven.saving import saving_of

RATES = ("input", "output", "cache_write_5m", "cache_read", "batch_discount")


def answered(inputs: Inputs, spread: Spread | None = None) -> dict[str, Any]:
    """The result with its inputs, so that a reader can check every figure.

    `spread` is that of the days of the window; without it there is no interval. Money is decimal strings in USD.
    """
    result, saving = compute(inputs), saving_of(inputs, spread)
    interval = saving.interval if saving else None
    ends = saving.band.crossing_ends(first_into_selfhost(result.crossings)) if saving and saving.band else None
    return {
        **as_json(result),
        "crossing_interval": ends and list(ends),
        "inputs": inputs_json(inputs),
        "saving_interval": [text(interval.low), text(interval.high)] if interval else None,
        "saving_at_other_models": text(saving.other) if saving else None,
        "verdict": saving.verdict if saving else "not_enough_data",
        "tasks": tasks_json(inputs),
        "left_out_requests": inputs.left_out,
        "capacity": capacity_json(inputs),
    }


def tasks_json(inputs: Inputs) -> list[dict[str, Any]]:
    """Each task of the last 30 days; `api_cost` is a month's at the present run rate, null without a price."""
    compared = sum(row.requests for row in inputs.tasks)
    month = Decimal(inputs.requests_per_month) / compared if compared else Decimal(0)
    return [
        {
            "task": row.task,
            "requests": row.requests,
            "routable": row.routable,
            "api_model": row.model or None,
            "api_model_because": row.because,
            "api_cost": None
            if row.cost_per_request is None
            else decimal_text(row.cost_per_request * row.requests * month),
            "cost_per_request": None if row.cost_per_request is None else decimal_text(row.cost_per_request),
            "last_served": row.until and row.until.isoformat(),
            "chosen_by": row.chosen_by or None,
            "other_model": row.other or None,
            "left_out_requests": row.left_out,
            "unpriced_model": row.unpriced or None,
        }
        for row in inputs.tasks
    ]


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


def capacity_json(inputs: Inputs) -> dict[str, Any]:
    """Output of one GPU and its source; what a what-if has set is a person's.

    The newest trial comes first even where the calculation does not use it, which `used` says.
    """
    capacity, used = inputs.used_capacity, inputs.selfhost.gpu_tokens_per_second
    shown = inputs.unused if inputs.unused and (capacity or used is None) else capacity
    if shown is None:
        source = None if used is None else "person"
        return {
            "tokens_per_second": None if used is None else float(used),
            "source": source,
            "trial": None,
            "used": True,
        }
    return {"tokens_per_second": float(shown.tokens_per_second), "source": shown.source, "trial": shown.trial,
            "concurrency": shown.concurrency, "measured_at": shown.at and shown.at.isoformat(),
            "used": shown is capacity}  # fmt: skip
