"""A span as plain data, whatever encoding brought it, and how much of one is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from traffic.ingest.bounds import MOST_ITEMS

Attributes = dict[str, Any]
Signal = Literal["traces", "logs", "metrics"]
MOST_ATTRIBUTES = 2_000  # of one span; what is beyond is not read
LONGEST_TEXT = 100_000  # of one attribute
DEEPEST = 16  # lists in lists
MOST_TIME = 2**64  # nanoseconds since 1970


class Unreadable(ValueError):
    """The body is no OTLP request; or, of one item in it, what is wrong with that item alone."""


class Span(msgspec.Struct, gc=False):
    """A span, or a log record that tells of a call as a span would."""

    trace_id: str
    span_id: str
    parent_id: str  # empty: a root
    name: str
    scope: str
    start_ns: int
    end_ns: int  # 0: the emitter gave none
    status: int  # 0 unset, 1 ok, 2 error
    attributes: Attributes
    resource: Attributes
    events: list[tuple[str, int, Attributes]] = []
    doubts: tuple[str, ...] = ()  # what of it is to be taken with care; see `doubts.py`
    is_log: bool = False
    shape: Any = None  # a `names.Shape`; made when it is first asked for, after which no name is added
    kind: Any = None  # a `kinds.Kind`, once it is judged


@dataclass(frozen=True, slots=True)
class Bad:
    """An item that cannot be read, or so many; the others of its export are."""

    reason: str
    items: int = 1


def too_many(items: int) -> Bad:
    """Those of an export that are beyond what is read."""
    return Bad(f"An export holds at most {MOST_ITEMS:,} items. {items:,} more were not read.", items)
