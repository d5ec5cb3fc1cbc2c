"""The pages of lists and their order.

Cursor pages of our JSON API: `?limit=&cursor=` -> `{"items": [...], "next": "cursor or null"}`. The order of a page's
list: `?sort=cost`, and `?sort=-cost` from the largest down. The pages of a vendor's answers are read by
`providers.connectors.http.walk`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field

from lib.errors import ApiError, at

Limit = Annotated[int, Field(ge=1, le=500)]
T = TypeVar("T")
LARGEST = Decimal(10_000_000)  # of numbers that a cursor carries
# What a list can be sorted by: the key in the address, and the value of a row. None is unknown.
Sorts = Mapping[str, Callable[[Any], Any]]


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


def known_sort(sort: str | None, keys: Iterable[str]) -> str:
    """The order that the address asks for (`cost`, or `-cost` from the largest down); empty for none of these keys."""
    return sort if sort and sort.removeprefix("-") in keys else ""


def in_order(rows: Iterable[T], sorts: Sorts, sort: str | None) -> list[T]:
    """The rows in the order of `sort`, unchanged for none of these; what has no value is last in both directions."""
    order = known_sort(sort, sorts)
    if not order:
        return list(rows)
    value = sorts[order.removeprefix("-")]
    pairs = [(_comparable(value(row)), row) for row in rows]
    with_value = [pair for pair in pairs if pair[0] is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=order.startswith("-"))
    return [row for _value, row in [*with_value, *(pair for pair in pairs if pair[0] is None)]]


def _comparable(value: Any) -> Any:
    """Words without regard to capitals."""
    return (str(value).casefold() or None) if isinstance(value, (str, Promise)) else value


def page_number(text: str) -> int:
    """The number of a page in an address, from 1 on; 1 for what is none."""
    return max(1, int(text)) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
