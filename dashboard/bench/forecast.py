"""How long the month's forecast takes when nothing of it is remembered, beside a ruler over the same days."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from math import exp

from costs import forecast
from dashboard.bench.figures import Figure

TODAY = date(2026, 11, 10)
ROUNDS = 21


def measure() -> list[Figure]:
    spend = history()
    took = median_ms(lambda: unremembered(spend))
    ruler = median_ms(lambda: forecast.naive(spend, TODAY))
    what = "forecast of a month from 140 days, nothing remembered"
    return [Figure(what, took, "ms", ruler, "the days so far, stretched", "<= 50 ms")]


def history() -> dict[date, Decimal]:
    """As many days as the forecast looks at, with weekends, growth and noise; the same each time."""
    rnd = random.Random(7)
    days = [TODAY - timedelta(forecast.WINDOW - n) for n in range(forecast.WINDOW)]
    heights = (exp(0.004 * n + rnd.gauss(0, 0.15)) * (0.4 if day.weekday() > 4 else 1) for n, day in enumerate(days))
    return {day: Decimal(str(round(10 * height, 6))) for day, height in zip(days, heights, strict=True)}


def unremembered(spend: dict[date, Decimal]) -> None:
    forecast.forget()
    assert forecast.forecast(spend, TODAY).forecast is not None


def median_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        took.append((time.perf_counter() - start) * 1000)
    return statistics.median(took)
