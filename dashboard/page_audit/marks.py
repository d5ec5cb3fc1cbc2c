"""Reads the marked figures of a page: see `lib.formats.figure`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser


@dataclass(frozen=True, slots=True)
class Marked:
    """One figure or verdict as a page shows it; `meaning` names it with its period and scope."""

    meaning: tuple[str, str, str]
    value: str


def marked(html: str) -> list[Marked]:
    """The marked figures of a page, and the states of its verdicts."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.rows


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Marked] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.rows += _of_attributes({name: value or "" for name, value in attrs})


def _of_attributes(values: dict[str, str]) -> Iterator[Marked]:
    period, scope = values.get("data-period", ""), values.get("data-scope", "")
    if name := values.get("data-figure"):
        yield Marked((name, period, scope), values.get("value", ""))
    if question := values.get("data-question"):
        yield Marked((f"verdict: {question}", period, scope), values.get("data-state", ""))
