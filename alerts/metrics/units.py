"""Units of the figures that a rule may watch: reading what a person wrote, and saying it again."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from alerts.metrics.thresholds import BadThreshold
from alerts.wording import dollars, exact, number

MOST = Decimal(10) ** 12
WRITTEN = re.compile(
    r"(?P<dollar>(?:US)?\$)?\s*+(?P<number>[\d.,' ]*\d)\s*+(?P<scale>[kKM](?![a-zA-Z]))?\s*+(?P<unit>\D*+)"
)
THOUSANDS = re.compile(r"\d{1,3}([,' ]\d{3})+(\.\d+)?")
SCALES = {"": Decimal(1), "k": Decimal(1000), "K": Decimal(1000), "M": Decimal(10**6)}


# Labels of units as charts know them; all others are counts.
CHART_UNITS = {"dollars": "usd", "per cent": "percent", "milliseconds": "ms"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: what people call it, an example, the words that mean it with their factor, and how it is said."""

    label: str
    example: str
    words: dict[str, Decimal]
    say: Callable[[Decimal], str]


def decimal_text(value: Decimal) -> str:
    """`500`, `0.25`: as few digits as say it."""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".")


def share(value: Decimal) -> str:
    return f"{decimal_text(value)}\N{NO-BREAK SPACE}%"


def money(value: Decimal) -> str:
    """Cents where there are any; what costs less than a cent keeps what it is worth."""
    if value and abs(value) < Decimal("0.1"):
        return f"${value:.4f}".rstrip("0")
    return dollars(value) if value == value.to_integral_value() else exact(value)


def time(value: Decimal) -> str:
    return f"{decimal_text(value / 1000)} s" if value >= 1000 else f"{value:.0f} ms"


ONE = Decimal(1)
USD: Final = Unit(
    gettext_noop("dollars"), "$400", {"$": ONE, "usd": ONE, "dollar": ONE, "dollars": ONE, "us$": ONE}, money
)
PERCENT: Final = Unit(gettext_noop("per cent"), "80 %", {"%": ONE, "percent": ONE, "per cent": ONE}, share)
REQUESTS: Final = Unit(
    gettext_noop("requests"),
    "50,000 requests",
    {"requests": ONE, "request": ONE, "req": ONE},
    lambda value: _("%(n)s requests") % {"n": number(value)},
)
TOKENS: Final = Unit(
    gettext_noop("tokens"),
    "2M tokens",
    {"tokens": ONE, "token": ONE, "tok": ONE},
    lambda value: _("%(n)s tokens") % {"n": number(value)},
)
DURATION: Final = Unit(
    gettext_noop("milliseconds"),
    "800 ms",
    {"ms": ONE, "milliseconds": ONE, "s": Decimal(1000), "sec": Decimal(1000), "seconds": Decimal(1000)}
    | {"min": Decimal(60_000), "minutes": Decimal(60_000)},
    time,
)
HOURS: Final = Unit(
    gettext_noop("hours"),
    "6 hours",
    {"h": ONE, "hours": ONE, "hour": ONE, "d": Decimal(24), "days": Decimal(24), "day": Decimal(24)},
    lambda value: _("%(n)s hours") % {"n": decimal_text(value)},
)
DAYS: Final = Unit(
    gettext_noop("days"),
    "3 days",
    {"d": ONE, "days": ONE, "day": ONE, "weeks": Decimal(7), "week": Decimal(7)},
    lambda value: _("%(n)s days") % {"n": decimal_text(value)},
)
UNITS = (USD, PERCENT, REQUESTS, TOKENS, DURATION, HOURS, DAYS)


def read_amount(text: str, unit: Unit, what: str) -> Decimal:
    """The amount that a person wrote, in the unit; without a unit it is taken for this one. Raises BadThreshold with a
    sentence that says what was expected."""
    values = {"given": text.strip(), "what": what, "unit": _(unit.label), "example": unit.example}
    match = WRITTEN.fullmatch(text.strip())
    digits = number_of(match["number"]) if match else None
    if match is None or digits is None:
        raise BadThreshold(_("“%(given)s” is not an amount. Write for instance %(example)s.") % values)
    word = match["unit"].strip().lower() or ("$" if match["dollar"] else "")
    factor = unit.words.get(word) if word else ONE
    if factor is None or (match["dollar"] and "$" not in unit.words):
        other = next((candidate for candidate in UNITS if ("$" if match["dollar"] else word) in candidate.words), None)
        other_label = _(other.label) if other else word
        raise BadThreshold(
            _("%(what)s is measured in %(unit)s, not in %(other)s (“%(given)s”). Write for instance %(example)s.")
            % {**values, "other": other_label}
        )
    amount = digits * SCALES[match["scale"] or ""] * factor
    if amount > MOST:
        raise BadThreshold(_("%(given)s is larger than any possible value.") % values)
    return amount


def number_of(text: str) -> Decimal | None:
    """`1,500.5` and `1500.5`; None for what might mean two things, as `1,5` does."""
    text = text.strip()
    if THOUSANDS.fullmatch(text):
        text = re.sub(r"[,' ]", "", text)
    return Decimal(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None
