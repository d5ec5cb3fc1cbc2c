"""Shapes of the JSON API that several operations share."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

# Money leaves as text without exponent, at the precision that is stored.
Usd = Annotated[
    Decimal,
    PlainSerializer(lambda value: f"{value:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}, mode="serialization"),
]

# What was divided, at the precision that is stored.
QuotientUsd = Annotated[Usd, AfterValidator(lambda amount: round(amount, 12))]
IsoDay = Annotated[date, PlainSerializer(lambda day: f"{day:%Y-%m-%d}", return_type=str)]
IsoMonth = Annotated[date, PlainSerializer(lambda day: f"{day:%Y-%m}", return_type=str)]
# An empty text is how the database says that there is none.
TextOrNull = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class InUsd(Schema):
    """An answer that names its currency."""

    @staticmethod
    def resolve_currency(answer: object) -> str:
        return "USD"


class ErrorItem(Schema):
    loc: list[str | int]
    msg: str


class Error(Schema):
    """What every 4xx and 503 answers."""

    detail: str
    errors: list[ErrorItem]


READ_ERRORS: dict[int, Any] = {401: Error, 403: Error, 422: Error, 429: Error, 503: Error}
