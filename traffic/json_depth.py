"""How deep JSON may be nested that is kept; deeper than this it is made to exhaust a stack."""

from __future__ import annotations

from typing import Any

import orjson

DEEPEST = 100  # levels; readers take about a thousand, writers 254
TOO_DEEP = f"[JSON deeper than {DEEPEST} levels]"


def shallow(value: Any, depth: int = 0) -> Any:
    """The same JSON, with words in the place of what is nested deeper than `DEEPEST` levels."""
    if isinstance(value, dict):
        return TOO_DEEP if depth == DEEPEST else {name: shallow(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return TOO_DEEP if depth == DEEPEST else [shallow(item, depth + 1) for item in value]
    return value


def loads(written: str | bytes) -> Any:
    """JSON as it is kept: without what is nested too deep. Raises ValueError for what is none."""
    read = orjson.loads(written)
    square, curly = ("[", "{") if isinstance(written, str) else (b"[", b"{")
    # Where there are not as many brackets as that nothing can be so deep.
    return shallow(read) if written.count(square) + written.count(curly) > DEEPEST else read  # type: ignore[arg-type]
