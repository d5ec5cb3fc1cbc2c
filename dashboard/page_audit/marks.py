"""Reads the marked figures of a page: see `lib.formats.figure`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from html.parser import HTMLParser

NUMBER = re.compile(r"(?P<bound>[<>]\s?\$?)?(?P<sign>[+−-])?\$?(?P<digits>\d[\d,]*(?:\.\d+)?)(?P<percent>\s?%)?")
RANGE = re.compile(r"\$?[\d,.]{1,30}–(?=\$?\d)")  # the low end of one
ROUNDED = 3  # significant digits of a count in a sentence


@dataclass(frozen=True, slots=True)
class Marked:
    """One figure or verdict as a page shows it; `meaning` names it with its period and scope."""

    meaning: tuple[str, str, str]
    value: str
    text: str = ""  # inside the mark of a figure

    @property
    def wrong(self) -> bool:
        """Whether the text is not the value, rounded to the digits that the text shows."""
        return not self.meaning[0].startswith("verdict: ") and not shows(self.text, self.value)


def shows(text: str, value: str) -> bool:
    """Whether the first number of a text is this value, rounded to the digits shown.

    Of a range like `$300–400` it is the second. A number without a sign may be a loss that the words around it name. A
    text without a number shows zero: `No alerts`.
    """
    try:
        exact = Decimal(value)
    except InvalidOperation:
        return value == text
    number = NUMBER.search(RANGE.sub("", text))
    if number is None:
        return not exact
    shown = Decimal(number["digits"].replace(",", ""))
    if number["percent"]:
        exact *= 100
    if number["sign"]:
        shown = shown if number["sign"] == "+" else -shown
    else:
        exact = abs(exact)
    if number["bound"]:  # `<1 %`, `>−1 %`: too small for its digits
        return abs(exact) <= abs(shown)
    return abs(exact - shown) <= step(number["digits"]) / 2


def step(digits: str) -> Decimal:
    """What the last digit that a number shows is worth: 0.01 of `1.50`, 100 of `87,800`, 1 of `400`."""
    places = Decimal(digits.replace(",", "")).as_tuple()
    zeros = len(digits) - len(digits.rstrip("0,")) - digits[len(digits.rstrip("0,")) :].count(",")
    if places.exponent:
        return Decimal(1).scaleb(int(places.exponent))
    return Decimal(10) ** min(zeros, max(len(places.digits) - ROUNDED, 0))


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
        self.figure: Marked | None = None  # whose text is being read

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        meaning = values.get("data-period", ""), values.get("data-scope", "")
        if tag == "data" and (name := values.get("data-figure")):
            self.figure = Marked((name, *meaning), values.get("value", ""))
        if question := values.get("data-question"):
            self.rows.append(Marked((f"verdict: {question}", *meaning), values.get("data-state", "")))

    def handle_data(self, data: str) -> None:
        if self.figure:
            self.figure = replace(self.figure, text=self.figure.text + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "data" and self.figure:
            self.rows.append(self.figure)
            self.figure = None
