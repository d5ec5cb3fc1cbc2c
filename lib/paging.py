"""Cursor pages of the JSON API: `?limit=&cursor=` -> `{"items": [...], "next": "cursor or null"}`."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from ninja import Schema
from pydantic import Field

from lib.errors import ApiError, at

Limit = Annotated[int, Field(ge=1, le=500)]
T = TypeVar("T")


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
