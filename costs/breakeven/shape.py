"""The JSON schema of the what-if body, made from the bounds that `body.py` checks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costs.breakeven.body import LONGEST, NUMBERS, PATTERN, SELFHOST_NUMBERS, Bounds

NAME = {"type": "string", "minLength": 1, "maxLength": 200}


def body_schema() -> dict[str, Any]:
    """The schema of the body; every key is optional, because a missing one takes the live value."""
    selfhost = {"billing": {"type": "string", "enum": ["hourly", "per_second"]}, **_numbers(SELFHOST_NUMBERS)}
    return {
        "title": "WhatIf",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "price_sheet": {"anyOf": [NAME, {"type": "null"}]},
            "api_model": NAME,
            **_numbers(NUMBERS),
            "selfhost": {"type": "object", "additionalProperties": False, "properties": selfhost},
        },
    }


def _numbers(fields: Mapping[str, Bounds]) -> dict[str, Any]:
    return {key: _number(bounds) for key, bounds in fields.items()}


def _number(bounds: Bounds) -> dict[str, Any]:
    """A JSON number, or a text with a number. The schema cannot bound a text, so the description states the bounds."""
    kind = "integer" if bounds.whole else "number"
    least, most = (int(end) if end == int(end) else float(end) for end in (bounds.least, bounds.most))
    ways: list[dict[str, Any]] = [
        {"type": kind, "minimum": least, "maximum": most},
        {"type": "string", "pattern": f"^{PATTERN}$", "maxLength": LONGEST},
    ]
    if bounds.nullable:
        ways.append({"type": "null"})
    kind_of = "A whole number" if bounds.whole else "A number"
    return {"anyOf": ways, "description": f"{kind_of} from {bounds.least:f} to {bounds.most:f}, as text too."}
