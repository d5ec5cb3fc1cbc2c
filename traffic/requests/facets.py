"""Names to choose from: callers make them up, so a page lists the most used and says how many more there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_SHOWN = 200  # names of a select, rows of a table of names


@dataclass(frozen=True, slots=True)
class FilterChoices:
    """What a filter offers: (value, label) in the order of the list, and how many more values there are."""

    pairs: Sequence[tuple[str, Any]]
    more: int = 0


def most_used(uses: Mapping[str, Any], chosen: Iterable[str] = ()) -> FilterChoices:
    """The names with the largest uses and those that are chosen, in the order of the alphabet."""
    names = set(uses)
    if len(names) > MOST_SHOWN:
        names = set(sorted(uses, key=lambda name: (-uses[name], name))[:MOST_SHOWN])
    shown = sorted(names | {name for name in chosen if name})
    return FilterChoices([(name, name) for name in shown], len(uses.keys() - set(shown)))
