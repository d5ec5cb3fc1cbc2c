"""Cursor pages of our JSON API: `?limit=&cursor=` -> `{"items": [...], "next": "cursor or null"}`.

The pages of a vendor's answers are read by `providers.connectors.http.walk`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field

from lib.errors import ApiError, at

Limit = Annotated[int, Field(ge=1, le=500)]
T = TypeVar("T")
LARGEST = Decimal(10_000_000)  # of numbers that a cursor carries


class Page(Schema, Generic[T]):
    items: list[T]
    next: str | None


def encode_cursor(*values: str | int) -> str:
    """An opaque cursor of the last row's sort key."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str | None, kinds: Sequence[type]) -> list[Any] | None:
    """The values again. Raises ApiError (422) for a cursor that is not ours."""
    if not cursor:
        return None
    try:
        values = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, msgspec.DecodeError, UnicodeDecodeError):
        values = None
    fits = isinstance(values, list) and len(values) == len(kinds)
    if not fits or not all(type(value) is kind for value, kind in zip(values, kinds, strict=True)):
        raise ApiError(422, "This cursor was not given by this list.", [at(["query", "cursor"], "Unknown cursor.")])
    return list(values)


def cursor_value(kind: type, text: str) -> Any:
    """A sort value as a cursor carries it. Raises ApiError (422) for what no list of ours wrote."""
    value: Any = None
    try:
        value = kind.fromisoformat(text) if issubclass(kind, date) else kind(text)  # type: ignore[call-arg]  # ours
        good = value.tzinfo is not None if kind is datetime else "\x00" not in text
        good = good and (kind not in (float, Decimal) or abs(value) < LARGEST)
    except (ValueError, ArithmeticError):
        good = False
    if not good:
        raise ApiError(422, _("This cursor is not from this list."))
    return value


def cursor_id(number: int) -> int:
    """A row's id as a cursor carries it. Raises ApiError (422)."""
    if not 0 <= number < 2**63:
        raise ApiError(422, _("This cursor is not from this list."))
    return number
