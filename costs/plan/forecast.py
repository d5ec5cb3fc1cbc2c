"""The forecast of a month's cost: low, median and high, from the spend of each day. No queries.

The variable part is a level, times a pattern of weekdays, times a growth that fades; the committed part (leases,
contracts) is known and added exactly. The statistics use ratios to the mean day, so that no amount becomes a float. The
interval is made to contain the month's cost in 80 % of cases. Its width comes from the errors of the same method on
past days of the same history, over as many days as are still to come. With too little history for that it comes from
how much single days, the level and the growth have varied: a calm history has a narrow interval.

Charts draw the interval as a fan (`fan` in `costs/plan/page.py`); a band is what a phase's budget or the break-even's
uncertainty spans.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from math import exp, log, sqrt
from statistics import fmean, median

from django.utils.translation import ngettext

from costs.dates import month_of
from lib.money import CENT

FEWEST_DAYS = 7  # days of complete spend that a forecast needs
LATEST_GAP = 7  # largest age in days of the newest spend
WINDOW = 140  # days of history looked at: twenty weeks
SHRINK = 1.0  # ratios at which a weekday's own pattern counts half
QUANTILE = 1.2816  # of the normal distribution, 80 % between its two sides
STEEPEST = 0.05  # growth a day, in logarithms, beyond which it is a step and not a trend
# The assumed standard deviation of the level's daily changes, in logarithms, until some weeks show the real one; if
# days hardly differ, at most this share of their noise.
MOVES, OF_NOISE, WEEKS_TO_KNOW = 0.025, 0.1, 3
OLDEST_LOOK = 70  # a past day with so many days of history before it is a fair test of the method
FADE = 0.985  # share of the growth that is left after each day, because few teams grow without an end
WIDEST = log(10)  # a wider interval than a factor of ten is of no use
STEP = 2  # days between two looks back

# Ways to read a history: (days that make the level, share of the measured growth that is used). None is the best for
# every team, so they are averaged, weighted by their errors on this history.
WAYS = ((7, 0.0), (14, 0.0), (7, 0.4), (7, 1.0), (14, 1.0), (28, 1.0))


@dataclass(frozen=True, slots=True)
class Forecast:
    """USD of the whole month with the committed part; in 80 % of cases it lies between `low` and `high`."""

    low: Decimal
    median: Decimal
    high: Decimal
    spent: Decimal  # variable, of the days given
    committed: Decimal
    growth_per_month: Decimal  # share by which 30 days change the level, at the present pace
    path: tuple[tuple[date, Decimal], ...]  # what each open day is expected to add


@dataclass(frozen=True, slots=True)
class Outlook:
    """A forecast, or the sentence that says why there is none."""

    forecast: Forecast | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A history in units of its mean day without its weekdays; the others are of a day, in logarithms."""

    flat: tuple[float, ...]
    weekdays: tuple[float, ...]
    growth: float
    doubt: float  # standard error of the growth
    noise: float  # by which a day differs from its neighbours
    moves: float  # standard deviation by which the level wanders

    def ahead(self, way: tuple[int, float], weekdays: Sequence[tuple[int, int]]) -> list[float]:
        """The days ahead, each given as (days after the history, weekday), read in one of `WAYS`."""
        window, belief = way
        growth = self.growth * belief
        level = _level(self.flat[-window:], growth)
        return [level * exp(growth * _faded(after)) * self.weekdays[weekday] for after, weekday in weekdays]


def forecast(
    spend: Mapping[date, Decimal], today: date, committed: Decimal = Decimal(0), so_far_today: Decimal = Decimal(0)
) -> Outlook:
    """The month of `today` from the variable spend of complete days before it; the day itself is still to come.

    `spend` holds every known day, older months included; a day that is missing is unknown, not zero, and is estimated.
    `committed` is the month's whole committed cost, spent and to come; `so_far_today` is a floor for today.
    """
    first, last = month_of(today)
    history, end = _history(spend, today)
    quiet = len(history) >= FEWEST_DAYS and not any(history)
    while history and not history[0]:
        history.pop(0)  # days before the first spend are no days without spend: nothing ran yet
    if len(history) < FEWEST_DAYS and not quiet:
        return Outlook(None, _too_little(len(history)))
    amounts = {day: amount for day, amount in spend.items() if first <= day < today}
    spent = sum(amounts.values(), Decimal(0))
    open_days = [first + timedelta(i) for i in range((last - first).days + 1)]
    open_days = [day for day in open_days if day not in amounts]
    if quiet:
        return Outlook(_flat(spent + so_far_today, committed))
    scale = sum(history, Decimal(0)) / len(history)
    ratios = [float(amount / scale) for amount in history]
    # A missing day before the last known one is estimated like the next day.
    ahead = [(max(1, (day - end).days + 1), day.weekday()) for day in open_days]
    expected, width = _project(tuple(ratios), (end - timedelta(len(ratios))).weekday(), tuple(ahead))
    path = [(day, scale * Decimal(repr(ratio))) for day, ratio in zip(open_days, expected, strict=True)]
    rest = sum((amount for _, amount in path), Decimal(0))
    of_today = sum((amount for day, amount in path if day == today), Decimal(0))
    # What today has cost already is a lower bound for today only; it says nothing about the other days.
    low, middle, high = (
        spent + committed + max(of_today * by, so_far_today) + (rest - of_today) * by for by in _either_side(width)
    )
    return Outlook(
        Forecast(
            low=low.quantize(CENT),
            median=middle.quantize(CENT),
            high=high.quantize(CENT),
            spent=spent,
            committed=committed,
            growth_per_month=_growth_per_month(ratios, end),
            path=tuple((day, max(amount, so_far_today) if day == today else amount) for day, amount in path),
        )
    )


def _either_side(width: float) -> tuple[Decimal, Decimal, Decimal]:
    """Factors of the low, the expected and the high sum of open days."""
    reach = min(QUANTILE * width, WIDEST)
    return Decimal(repr(exp(-reach))), Decimal(1), Decimal(repr(exp(reach)))


def naive(spend: Mapping[date, Decimal], today: date) -> Decimal | None:
    """The simple estimate to compare with: USD so far, scaled to the whole month. None on its first day."""
    first, last = month_of(today)
    amounts = [amount for day, amount in spend.items() if first <= day < today]
    if not amounts:
        return None
    return sum(amounts, Decimal(0)) / len(amounts) * ((last - first).days + 1)


@dataclass(frozen=True, slots=True)
class Check:
    """A past month: the forecast on a day of it, the simple estimate (`naive`) and the real cost, USD."""

    month: date
    actual: Decimal
    forecast: Forecast
    naive: Decimal

    @property
    def error(self) -> Decimal:
        """The error of the median as a share of the real cost."""
        return abs(self.forecast.median / self.actual - 1)

    @property
    def naive_error(self) -> Decimal:
        return abs(self.naive / self.actual - 1)

    @property
    def covered(self) -> bool:
        return self.forecast.low <= self.actual <= self.forecast.high


def look_back(spend: Mapping[date, Decimal], day_of_month: int = 10) -> list[Check]:
    """Every complete month of the history as it was forecast on that day of it, oldest first."""
    checks = []
    for first in sorted({day.replace(day=1) for day in spend}):
        last = month_of(first)[1]
        amounts = [spend.get(first + timedelta(i)) for i in range((last - first).days + 1)]
        whole = sum((amount for amount in amounts if amount is not None), Decimal(0))
        today = first.replace(day=day_of_month)
        predicted = forecast({day: amount for day, amount in spend.items() if day < today}, today).forecast
        ruler = naive(spend, today)
        if None not in amounts and predicted is not None and ruler is not None and whole:
            checks.append(Check(first, whole, predicted, ruler))
    return checks


def _history(spend: Mapping[date, Decimal], today: date) -> tuple[list[Decimal], date]:
    """The last unbroken run of days, at most `WINDOW`, and the day after it; a refund does not make a day negative.

    A bill may be some days late, so the run need not reach yesterday, but last week's is too old to stand for it.
    """
    days: list[Decimal] = []
    lately = (today - timedelta(back) for back in range(1, LATEST_GAP + 1))
    last = next((day for day in lately if day in spend), None)
    if last is None:
        return days, today
    day = last
    while day in spend and len(days) < WINDOW:
        days.append(max(spend[day], Decimal(0)))
        day -= timedelta(1)
    return days[::-1], last + timedelta(1)


@lru_cache(maxsize=64)
def _project(
    ratios: tuple[float, ...], first_weekday: int, ahead: tuple[tuple[int, int], ...]
) -> tuple[tuple[float, ...], float]:
    """The days ahead and the standard deviation of their sum in logarithms, all ways weighed by their past errors.

    Cached, because it depends on whole days only, so its result is the same until midnight.
    """
    now = _read(ratios, first_weekday)
    past = _past_errors(ratios, first_weekday, len(ahead))
    # The past tests overlap, so they are not independent. `apart` is how many of them would not overlap.
    apart = len(past) * STEP / len(ahead)
    weights = _weights(past, apart)
    each = [now.ahead(way, ahead) for way in WAYS]
    path = tuple(sum(weight * daily[i] for weight, daily in zip(weights, each, strict=True)) for i in range(len(ahead)))
    alone = _doubt_of_a_sum(now, len(ahead))
    if not past:
        return path, sqrt(alone)
    mixed = [sum(weight * error for weight, error in zip(weights, errors, strict=True)) for errors in past]
    # The weights were fitted to the same tests, so their error is too small; this makes up for it.
    seen = fmean([error * error for error in mixed]) * (1 + 0.5 / (apart + 1))
    share = apart / (apart + 2)
    return path, sqrt(share * seen + (1 - share) * alone)


def _doubt_of_a_sum(now: Pattern, days: int) -> float:
    """Variance, in logarithms, of the sum of some days ahead, from the history's own movements.

    Of single days, of the level since the days that made it, and of the growth: it is as unsure as it is large, since
    few teams grow at one pace, and a wandering level looks like growth too.
    """
    days_known = len(now.flat)
    used = min(days_known, 14)
    single = now.noise**2 * (1 / days + 1 / used)
    level = now.moves**2 * (days + used) / 3
    growth = now.doubt**2 + now.moves**2 / days_known + now.growth**2
    return single + level + growth * ((days + used) / 2) ** 2


def clear_cache() -> None:
    """Forget what was projected before, so that a measurement is of the work itself."""
    _project.cache_clear()


def _weights(past: Sequence[Sequence[float]], apart: float) -> list[float]:
    """Weight of each way: by the inverse of its mean squared error, towards equal ones where little was seen."""
    if not past:
        return [1 / len(WAYS)] * len(WAYS)
    squares = [fmean([errors[i] ** 2 for errors in past]) for i in range(len(WAYS))]
    floor = fmean(squares) * 0.05 / max(apart, 0.5) + 1e-9
    raw = [1 / (square + floor) ** 2 for square in squares]
    return [weight / sum(raw) for weight in raw]


def _past_errors(ratios: Sequence[float], first_weekday: int, days: int) -> list[list[float]]:
    """The error of each way, in logarithms, when it forecasts as many days ahead from earlier days.

    Days with far less history than today are left out, because their errors were larger than today's can be.
    """
    past = []
    oldest = max(2 * FEWEST_DAYS, min(len(ratios) * 45 // 100, OLDEST_LOOK))
    for at in range(oldest, len(ratios) - days + 1, STEP):
        came = sum(ratios[at : at + days])
        then = _read(ratios[:at], first_weekday)
        ahead = [(i + 1, (first_weekday + at + i) % 7) for i in range(days)]
        sums = [sum(then.ahead(way, ahead)) for way in WAYS]
        if came > 0 and min(sums) > 0:
            past.append([log(came / predicted) for predicted in sums])
    return past


def _read(ratios: Sequence[float], first_weekday: int) -> Pattern:
    weekdays = _weekdays(ratios, first_weekday)
    flat = tuple(ratio / weekdays[(first_weekday + i) % 7] for i, ratio in enumerate(ratios))
    growth, doubt = _growth(flat)
    noise = _noise(flat)
    moves = _moves(flat, growth, noise)
    # A level that changes at random looks like growth for a while, so growth is reduced by how much it changes.
    if growth:
        growth *= growth * growth / (growth * growth + 2 * moves * moves / len(flat))
    return Pattern(flat, weekdays, growth, doubt, noise, moves)


def _noise(flat: Sequence[float]) -> float:
    """By which a day differs from its neighbours, in logarithms; growth and a moved level are no part of it."""
    logs = [log(ratio) for ratio in flat if ratio > 0]
    jumps = [abs(after - before) for before, after in pairwise(logs)]
    return max(1.4826 * median(jumps) / sqrt(2), 0.005) if jumps else 0.3


def _moves(flat: Sequence[float], growth: float, noise: float) -> float:
    """By which the level wanders in a day, from how much more the weeks differ than growth and noise explain."""
    weeks = [fmean(flat[end - 7 : end]) for end in range(len(flat), 6, -7)][::-1]
    logs = [log(week) for week in weeks if week > 0]
    steps = [(after - before - 7 * growth) ** 2 for before, after in pairwise(logs)]
    # Means of neighbouring weeks differ by two sevenths of a day's noise, and by 4.72 days of a wandering level.
    variance = max(0.0, sum(steps) - len(steps) * 2 * noise**2 / 7) / 4.72
    supposed = min(MOVES, OF_NOISE * noise) ** 2 * WEEKS_TO_KNOW
    return sqrt((variance + supposed) / (len(steps) + WEEKS_TO_KNOW))


def _weekdays(ratios: Sequence[float], first_weekday: int) -> tuple[float, ...]:
    """Factor of each weekday, its mean 1; the fewer weeks, the nearer to 1."""
    ratios_by_weekday: list[list[float]] = [[] for _ in range(7)]
    for i in range(3, len(ratios) - 3):
        around = sum(ratios[i - 3 : i + 4]) / 7
        if around > 0:
            ratios_by_weekday[(first_weekday + i) % 7].append(ratios[i] / around)
    factors = [(SHRINK + len(own) * median(own)) / (SHRINK + len(own)) if own else 1.0 for own in ratios_by_weekday]
    mean = fmean(factors)
    return tuple(max(factor / mean, 0.02) for factor in factors)


def _growth(flat: Sequence[float]) -> tuple[float, float]:
    """Growth a day and its standard error, in logarithms.

    The growth is the median slope between weeks, pulled to 0 by its own doubt so that noise is not taken for a trend.
    """
    weeks = [median(flat[end - 7 : end]) for end in range(len(flat), 6, -7)][::-1]
    logs = [(i * 7, log(week)) for i, week in enumerate(weeks) if week > 0]
    slopes = [(b - a) / (j - i) for place, (i, a) in enumerate(logs) for j, b in logs[place + 1 :]]
    slope = max(-STEEPEST, min(STEEPEST, median(slopes))) if slopes else 0.0
    left = [log(ratio) - slope * i for i, ratio in enumerate(flat) if ratio > 0]
    centre = median(left)
    noise = max(1.4826 * median([abs(value - centre) for value in left]), 0.02)
    count = len(left)
    doubt = noise * sqrt(12 / (count * (count * count - 1))) if count > 2 else noise
    trusted = slope * slope / (slope * slope + 2 * doubt * doubt) if slope else 0.0
    return slope * trusted, doubt


def _level(recent: Sequence[float], growth: float) -> float:
    """The last days brought to the last one's level; what is far above their middle counts only as three times it."""
    brought = [ratio * exp(growth * (len(recent) - 1 - i)) for i, ratio in enumerate(recent)]
    middle = median(brought)
    return fmean([min(ratio, 3 * middle) for ratio in brought] if middle else brought)


def _faded(days: int) -> float:
    """Days of growth that `days` ahead still bring when it fades."""
    return FADE * (1 - FADE**days) / (1 - FADE)


def _growth_per_month(ratios: Sequence[float], end: date) -> Decimal:
    growth = _read(ratios, (end - timedelta(len(ratios))).weekday()).growth
    return Decimal(repr(round(exp(growth * 30) - 1, 4)))


def _flat(spent: Decimal, committed: Decimal) -> Forecast:
    """Nothing variable was ever spent: what is committed is the month."""
    total = (spent + committed).quantize(CENT)
    return Forecast(total, total, total, spent, committed, Decimal(0), ())


def _too_little(days: int) -> str:
    text = ngettext(
        "Too little data: %(days)s complete day of spend, a forecast needs %(needed)s.",
        "Too little data: %(days)s complete days of spend, a forecast needs %(needed)s.",
        days,
    )
    return text % {"days": days, "needed": FEWEST_DAYS}
