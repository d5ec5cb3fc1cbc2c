"""Figures as the mails say them: plain text, one way of writing each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from costs.verdicts.amounts import marked_saving
from lib.confidence_intervals import Interval
from lib.formats import figure, figure_value, local, zone_name

# As `moment` writes it, with its weekday or without.
MOMENT = re.compile(r"\b([A-Z][a-z]+day, )?(\d{1,2} [A-Z][a-z]{2} \d{4}, \d{2}:\d{2} UTC)\b")
MOMENT_SHAPE = "%d %b %Y, %H:%M UTC"
SHORT, SHORT_WORD = 28, 14  # characters of a value, and of a word, that stay on one line of a phone
LONG = 60  # characters of a value that has a row of its own, as an address has: a command, an answer
DAYS, HOURS, MINUTES, SECONDS = (
    gettext_noop("%(n)s d"),
    gettext_noop("%(n)s h"),
    gettext_noop("%(n)s min"),
    gettext_noop("%(n)s s"),
)
UNITS = ((86_400, DAYS, 3600, HOURS), (3600, HOURS, 60, MINUTES), (60, MINUTES, 1, SECONDS))


def dollars(amount: Decimal, places: int = 2) -> str:
    """`$1,234.50`; a whole sum of a plan stands without its cents: `$400`."""
    if amount == amount.to_integral_value() and places == 2 and abs(amount) >= 1:
        places = 0
    text = f"{abs(amount):,.{places}f}"
    return f"−${text}" if amount < 0 else f"${text}"


def exact(amount: Decimal) -> str:
    """`$412.30`, always with its cents."""
    return f"${amount:,.2f}".replace("$-", "−$")


def number(value: int | Decimal) -> str:
    return f"{value:,.0f}"


def percent(share: Decimal | float) -> str:
    return f"{Decimal(share) * 100:.0f}\N{NO-BREAK SPACE}%"


def span(length: timedelta) -> str:
    """Its two largest units: `3 min 10 s`, `9 h 40 min`, `12 d`."""
    seconds = max(int(length.total_seconds()), 0)
    for size, unit, part, part_unit in UNITS:
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            largest = _(unit) % {"n": whole}
            return f"{largest} {_(part_unit) % {'n': rest // part}}" if rest >= part and whole < 10 else largest
    return _(SECONDS) % {"n": seconds}


def moment(at: datetime, *, weekday: bool = False) -> str:
    """`18 Jun 2026, 14:00 UTC`, in the zone of whoever reads it where that is known, else UTC."""
    here = local(at)
    return f"{date_format(here, 'l, j M Y, H:i' if weekday else 'j M Y, H:i')} {zone_name(here)}"


def localised(words: Any) -> Any:
    """The moments in texts that were written earlier, in UTC, as `moment` says them now; lists and all."""
    if isinstance(words, str):
        return MOMENT.sub(reformatted, words)
    if isinstance(words, list):
        return [localised(value) for value in words]
    return {key: localised(value) for key, value in words.items()} if isinstance(words, dict) else words


def reformatted(match: re.Match[str]) -> str:
    at = datetime.strptime(match[2], MOMENT_SHAPE).replace(tzinfo=UTC)
    return moment(at, weekday=bool(match[1]))


def day(on: date) -> str:
    return date_format(on, "j M")


def long_day(on: date) -> str:
    """`18 June 2026`."""
    return date_format(on, "j F Y")


def money_day(at: datetime) -> str:
    """`1 Nov 2026`: a day of money is UTC's wherever it is read, so no hour and no zone belong to it."""
    return date_format(at.astimezone(UTC).date(), "j M Y")


def listed(names: list[str], most: int = 5) -> str:
    """`a, b and c`; more than `most` are counted."""
    shown = names if len(names) <= most else [*names[: most - 1], _("%(n)s more") % {"n": len(names) - most + 1}]
    if len(shown) < 2:
        return "".join(shown)
    return _("%(some)s and %(last)s") % {"some": ", ".join(shown[:-1]), "last": shown[-1]}


@dataclass(frozen=True, slots=True)
class Fact:
    """A figure of a mail's table. What is short stays on one line, and of words only those that fit nowhere break."""

    label: str
    value: str
    origin: str
    meaning: Sequence[str] = ()  # as `meaning` gives it, where pages show the same figure

    @property
    def marked(self) -> str:
        """The value for HTML, marked with what it means."""
        if ends := self.meaning[4:]:
            return marked_saving(self.value, Decimal(self.meaning[1]), Interval(*map(Decimal, ends)))
        return figure(self.value, *self.meaning) if self.meaning else self.value

    @property
    def on_one_line(self) -> bool:
        return len(self.value) <= SHORT

    @property
    def has_a_row(self) -> bool:
        return len(self.value) > LONG or longest_word(self.value) > SHORT

    @property
    def label_on_one_line(self) -> bool:
        return len(self.label) <= SHORT_WORD

    @property
    def label_breaks(self) -> bool:
        return longest_word(self.label) > SHORT_WORD

    @property
    def origin_breaks(self) -> bool:
        return longest_word(self.origin) > SHORT_WORD + 4  # phones do not show it


def meaning(name: str, value: Decimal | float, month: date | str = "", scope: str = "") -> list[str]:
    """What follows a fact's label, value and origin where pages show the same figure: see `lib.formats.figure`.

    A saving with its interval has the ends of that after it.
    """
    return [name, figure_value(name, value), f"{month:%Y-%m}" if isinstance(month, date) else month, scope]


def longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def facts_of(words: Sequence[Sequence[str]]) -> list[Fact]:
    return [Fact(label, value, origin, more) for label, value, origin, *more in words]
