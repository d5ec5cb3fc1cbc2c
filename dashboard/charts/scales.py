"""Scales from values to places in the plot, ticks, and the text of a tick in each unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from django.utils.dates import MONTHS_3

from lib import formats as money
from lib.dates import midnight

Value = Decimal | int | float | date | datetime
DAY_S = 86_400
HOUR_S = 3_600


def number(value: Value) -> float:
    """A value as a float for drawing only: seconds since 1970 for moments. Money stays Decimal everywhere else."""
    if isinstance(value, Decimal | int | float):
        return float(value)
    if isinstance(value, datetime):
        return money.aware(value).timestamp()
    return midnight(value).timestamp()


@dataclass(frozen=True)
class Scale:
    """Maps values to 0 (`low`) to 1 (`high`); a logarithmic scale needs `low` above 0."""

    low: float
    high: float
    log: bool = False

    def at(self, value: Value) -> float:
        position, low, high = number(value), self.low, self.high
        if self.log:
            position, low, high = math.log(max(position, low)), math.log(low), math.log(high)
        return (position - low) / (high - low) if high > low else 0.0

    def inside(self, value: Value) -> float:
        """Like `at`, limited to 0 to 1."""
        return min(1.0, max(0.0, self.at(value)))


def step_of(span: float, about: int) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that divides `span` into at most `about` parts."""
    if span <= 0:
        return 1.0
    rough = span / about
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= rough * 0.999999)


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round values from `low` to at least `high`; the last one is the end of the axis."""
    step = step_of(high - low, about)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, max(last, first + 1) + 1)]


def axis_of(low: float, high: float) -> tuple[list[float], float]:
    """Grid values from at most `low`, and the top of the axis, which leaves some space above `high`."""
    grid = ticks(low, high)
    near = grid[-1] - high <= (high - grid[0]) * 0.15
    top = grid[-1] if near else high + (high - grid[0]) * 0.07
    return [value for value in grid if value <= top * 1.0001], top


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5 times powers of ten between the ends; powers of ten only if there would be more than seven ticks."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    fine = [m * 10.0**p for p in powers for m in (1, 2, 5) if low * 0.999 <= m * 10.0**p <= high * 1.001]
    coarse = [10.0**p for p in powers if low * 0.999 <= 10.0**p <= high * 1.001]
    return fine if len(fine) <= 7 else coarse


def moment(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def time_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Ticks of a time axis with their labels: minutes and hours up to three days, days up to ten weeks, then months."""
    span = high - low
    if span <= 3 * DAY_S:
        return hour_ticks(low, high)
    return day_ticks(low, high) if span <= 70 * DAY_S else month_ticks(low, high)


def hour_ticks(low: float, high: float) -> list[tuple[float, str]]:
    minutes = (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)
    step = next((m * 60 for m in minutes if (high - low) / (m * 60) <= 7), 12 * HOUR_S)
    first = math.ceil(low / step - 1e-9)
    return [(n * step, f"{moment(n * step):%H:%M}") for n in range(first, int(high // step) + 1)]


def day_ticks(low: float, high: float) -> list[tuple[float, str]]:
    start, days = moment(low).date(), round((high - low) / DAY_S)
    step = next((n for n in (1, 2, 5, 7, 10, 14) if days / n <= 8), 14)
    chosen: list[tuple[float, str]] = []
    month = 0
    for offset in range(days + 1):
        day = start + timedelta(days=offset)
        if is_tick_day(day, offset, step):
            new = day.month != month
            if new and chosen and number(day) - chosen[-1][0] < step * 0.6 * DAY_S:
                chosen.pop()  # the label 30 would overlap with 1 Jul
            chosen.append((number(day), f"{day.day} {month_word(day)}" if new else str(day.day)))
            month = day.month
    return chosen


def is_tick_day(day: date, offset: int, step: int) -> bool:
    """Whether a day has a tick: with a step of five the days 1, 5, 10 ... of a month, else each n-th from the first."""
    if step == 5:
        return day.day == 1 or (day.day % 5 == 0 and day.day != 30) or (day.day == 30 and offset > 0)
    return offset % step == 0


def month_ticks(low: float, high: float) -> list[tuple[float, str]]:
    first, last = moment(low), moment(high)
    months = [divmod(n, 12) for n in range(first.year * 12 + first.month - 1, last.year * 12 + last.month)]
    step = max(1, math.ceil(len(months) / 8))
    starts = [date(year, index + 1, 1) for year, index in months[::step]]
    return [
        (number(day), f"{month_word(day)} {day.year}" if day.month == 1 else month_word(day))
        for day in starts
        if low - 1 <= number(day) <= high
    ]


def month_word(day: date) -> str:
    return str(MONTHS_3[day.month]).capitalize()


def trimmed(value: float, places: int) -> str:
    return f"{value:,.{places}f}".rstrip("0").rstrip(".") if places else f"{value:,.0f}"


def short_count(value: float) -> str:
    """100000 -> 100K, 2500000 -> 2.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{trimmed(value / size, 2)}{letter}"
    return trimmed(value, 2)


def short_money(value: float) -> str:
    """A tick in dollars: $0, $0.50, $1,200, $15K."""
    sign, size = (money.MINUS if value < 0 else ""), abs(value)
    if size >= 10_000:
        return f"{sign}${short_count(size)}"
    return f"{sign}${size:,.0f}" if size == int(size) else f"{sign}${size:,.{2 if size >= 0.01 else 4}f}"


def short_seconds(value: float) -> str:
    """Milliseconds as a tick: 50 ms, 0.5 s, 10 s, 2 min."""
    if value >= 120_000:
        return f"{trimmed(value / 60_000, 1)} min"
    return f"{trimmed(value / 1000, 2)} s" if value >= 100 else f"{trimmed(value, 1)} ms"


def short_percent(value: float) -> str:
    return f"{trimmed(value * 100, 2)}{money.THIN}%"


TICK_WORDS = {"usd": short_money, "count": short_count, "ms": short_seconds, "percent": short_percent}
FULL_WORDS = {
    "usd": money.usd,
    "count": money.count,
    "ms": money.duration,
    "percent": money.percent,
}


def tick_word(value: float, unit: str) -> str:
    return TICK_WORDS.get(unit, short_count)(value)


def word(value: object, unit: str) -> str:
    """A figure with all its digits in a chart's table; None is shown as unknown."""
    return FULL_WORDS.get(unit, money.count)(value)


def x_word(value: Value) -> str:
    """A place on the x axis as text in a chart's table."""
    if isinstance(value, datetime):
        at = money.aware(value)
        return f"{money.day_text(at)}, {at:%H:%M}"
    return money.day_text(value) if isinstance(value, date) else money.count(value)


def extent(values: Iterable[Value | None]) -> tuple[float, float]:
    """Least and greatest known value; (0, 1) when nothing is known."""
    numbers = [number(v) for v in values if v is not None]
    return (min(numbers), max(numbers)) if numbers else (0.0, 1.0)


def spread(places: Sequence[float], gap: float) -> list[float]:
    """`places` (0 to 1) moved apart to at least `gap`, in the same order and as little as possible."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in pairwise(order):
        moved[after] = max(moved[after], moved[before] + gap)
    limit = 1.0
    for i in reversed(order):
        moved[i] = min(moved[i], limit)
        limit = moved[i] - gap
    return moved
