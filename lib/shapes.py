"""Shapes of the JSON API that several operations share."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import PlainSerializer, WithJsonSchema

# Money leaves as text without exponent, at the precision that is stored.
Usd = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, mode="serialization"),
]


class ErrorItem(Schema):
    loc: list[str | int]
    msg: str


class Error(Schema):
    """What every 4xx and 503 answers."""

    detail: str
    errors: list[ErrorItem]


READ_ERRORS: dict[int, Any] = {401: Error, 403: Error, 422: Error, 429: Error, 503: Error}
