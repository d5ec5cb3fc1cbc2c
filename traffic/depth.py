"""How deep JSON may be nested that is kept; deeper than this it is made to exhaust a stack."""

from __future__ import annotations

from typing import Any

DEEPEST = 100  # levels; readers take about a thousand, writers 254
TOO_DEEP = f"[JSON deeper than {DEEPEST} levels]"


def shallow(value: Any, depth: int = 0) -> Any:
    """The same JSON, with words in the place of what is nested deeper than `DEEPEST` levels."""
    if isinstance(value, dict):
        return TOO_DEEP if depth == DEEPEST else {name: shallow(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return TOO_DEEP if depth == DEEPEST else [shallow(item, depth + 1) for item in value]
    return value
