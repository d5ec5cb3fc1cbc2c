"""The month's forecast beside a ruler over the same days.

How long it takes when nothing is remembered, how far it is off and how often its interval holds the month's end, on
generated months that it was not made on.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from math import exp

from benchmarks.figures import Figure
from costs.plan import forecast

TODAY = date(2026, 11, 10)
ROUNDS = 21
SERIES = 25  # of each kind
# Noise of a day, growth a month, and by how much the level wanders in a day, all in logarithms.
KINDS = (
    (0.03, 0.0, 0.0),
    (0.1, 0.0, 0.0),
    (0.35, 0.0, 0.0),
    (0.2, 0.2, 0.0),
    (0.15, 0.35, 0.0),
    (0.15, 0.1, 0.03),
    (0.1, 0.0, 0.05),
)


def measure() -> list[Figure]:
    spend = history()
    took = median_ms(lambda: unremembered(spend))
    ruler = median_ms(lambda: forecast.naive(spend, TODAY))
    what = "forecast of a month from 140 days, nothing remembered"
    return [Figure(what, took, "ms", ruler, "the days so far, stretched", "<= 50 ms"), *held_out()]


def held_out() -> list[Figure]:
    """Day 10 of each month against its end."""
    checks = [
        check
        for number, (noise, growth, walk) in enumerate(KINDS)
        for n in range(SERIES)
        for check in forecast.look_back(history(SERIES * number + n, noise=noise, growth=growth, walk=walk))
    ]
    covered = 100 * statistics.fmean(check.covered for check in checks)
    off = 100 * statistics.fmean(float(check.error) for check in checks)
    ruler = 100 * statistics.fmean(float(check.naive_error) for check in checks)
    what = f"day 10 against the month's end, {len(checks)} generated months"
    return [
        Figure(f"{what}: inside the interval of 80 %", covered, "%", 80, "meant", "75 to 88 %"),
        Figure(f"{what}: mean error", off, "%", ruler, "the days so far, stretched", "below the reference"),
    ]


def history(seed: int = 7, *, noise: float = 0.15, growth: float = 0.13, walk: float = 0.0) -> dict[date, Decimal]:
    """As many days as the forecast looks at and a month more, with weekends; the same each time."""
    rnd, drift = random.Random(seed), 0.0
    spend = {}
    count = forecast.WINDOW + 30
    for n in range(count):
        day = TODAY - timedelta(count - n)
        drift += rnd.gauss(0, walk)
        height = exp(growth / 30 * n + drift + rnd.gauss(0, noise)) * (0.4 if day.weekday() > 4 else 1)
        spend[day] = Decimal(str(round(10 * height, 6)))
    return spend


def unremembered(spend: dict[date, Decimal]) -> None:
    forecast.clear_cache()
    assert forecast.forecast(spend, TODAY).forecast is not None


def median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)
