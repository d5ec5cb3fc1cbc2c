"""Figures as the mails say them: plain text, one way of writing each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

# As `moment` writes it.
MOMENT = re.compile(r"\b\d{1,2} [A-Z][a-z]{2} \d{4}, \d{2}:\d{2} UTC\b")
MOMENT_SHAPE = "%d %b %Y, %H:%M UTC"
SHORT, SHORT_WORD = 28, 14  # characters of a value, and of a word, that stay on one line of a phone
UNITS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


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
            return f"{whole} {unit}" + (f" {rest // part} {part_unit}" if rest >= part and whole < 10 else "")
    return f"{seconds} s"


def moment(at: datetime) -> str:
    """`18 Jun 2026, 14:00 UTC`, in the zone of whoever reads it where that is known, else UTC."""
    local = timezone.localtime(at)
    name = local.tzname() or "UTC"
    return f"{local:%-d %b %Y, %H:%M} {f'UTC{name}' if name[0] in '+-' else name}"


def here(said: Any) -> Any:
    """The moments in texts that were written earlier, in UTC, as `moment` says them now; lists and all."""
    if isinstance(said, str):
        return MOMENT.sub(lambda found: moment(datetime.strptime(found[0], MOMENT_SHAPE).replace(tzinfo=UTC)), said)
    if isinstance(said, list):
        return [here(one) for one in said]
    return {key: here(one) for key, one in said.items()} if isinstance(said, dict) else said


def day(on: date) -> str:
    return f"{on:%-d %b}"


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

    @property
    def on_one_line(self) -> bool:
        return len(self.value) <= SHORT

    @property
    def label_breaks(self) -> bool:
        return longest_word(self.label) > SHORT_WORD

    @property
    def origin_breaks(self) -> bool:
        return longest_word(self.origin) > SHORT_WORD + 4  # phones do not show it


def longest_word(text: str) -> int:
    return max(map(len, text.split()), default=0)


def facts_of(words: Sequence[Sequence[str]]) -> list[Fact]:
    return [Fact(*one) for one in words]
