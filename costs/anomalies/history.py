"""What is usual: medians by weekday and a level of late, with the spread around them. Pure.

Windows are numbered backwards: 0 is the one that ends now, 7 the same a week before. So `n % 7` is 0 for windows on the
same weekday as now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import median

from costs.anomalies.sums import Metric, Sums

DAYS = 56  # of history
LEAST_POINTS, LEAST_DAYS = 14, 21  # before anything is usual
LATE = 14  # days that say where the level is now: an anomaly of up to a week does not move their median
LEAST_LATE = 4  # of them, before the level of today is known: what was usual a month ago says little of now
LEAST_WEEKDAYS = 3  # days of the same weekday as now, before anything of it is usual
NORMAL = 1.4826  # of a normal distribution, its deviation over its median absolute deviation


@dataclass(frozen=True, slots=True)
class JudgedValue:
    """One figure against its history: what is usual, what it is, and how far off in spreads (`z`) and on its own scale
    (`change`), positive where it is worse."""

    usual: float
    now: float
    z: float
    change: float


def judge(metric: Metric, windows: Mapping[int, Sums]) -> JudgedValue | None:
    """None where the figure is not known now, or its history says too little."""
    amounts = metric.whole is None
    values_by_n = {n: metric.value(sums) for n, sums in windows.items()}
    if amounts:  # a day without requests is a day of 0
        values_by_n = {n: values_by_n.get(n, 0.0) for n in range(max(windows, default=0) + 1)}
    values = {n: value for n, value in values_by_n.items() if value is not None}
    now = values.pop(0, None)
    if now is None or not enough(values):
        return None
    # Amounts may be 0, which has no logarithm: a fiftieth of the usual is as good as nothing.
    least = median(values.values()) / 50 if amounts else 0.0
    least = max(least, 1e-9)
    scaled = {n: log(value + least) if metric.factors else value for n, value in values.items()}
    usual, spread = expected(scaled)
    at = log(now + least) if metric.factors else now
    change = (at - usual) * metric.worse
    # Three failures of forty are luck, and so is a slow mean of forty: requests differ by about what they last.
    requests = windows[0].requests if 0 in windows else 1
    chance = 1 / sqrt(requests) if metric.factors else sqrt(now * (1 - now) / requests)
    return JudgedValue(
        max(exp(usual) - least, 0.0) if metric.factors else usual,
        now,
        change / max(spread, metric.noise, chance),
        change,
    )


def enough(values: Mapping[int, float]) -> bool:
    """Three weeks, of them three days like today and some of late."""
    return (
        len(values) >= LEAST_POINTS
        and max(values) >= LEAST_DAYS
        and sum(n % 7 == 0 for n in values) >= LEAST_WEEKDAYS
        and sum(n <= LATE for n in values) >= LEAST_LATE
    )


def expected(values: Mapping[int, float]) -> tuple[float, float]:
    """The usual value of window 0 and the spread around what is usual."""
    by_weekday: dict[int, list[float]] = defaultdict(list)
    for n, value in values.items():
        by_weekday[n % 7].append(value)
    whole = median(values.values())
    season = {day: median(levels) if len(levels) >= 3 else whole for day, levels in by_weekday.items()}
    rest = {n: value - season[n % 7] for n, value in values.items()}
    level = median(value for n, value in rest.items() if n <= LATE)
    middle = median(rest.values())
    spread = NORMAL * median(abs(value - middle) for value in rest.values())
    return season.get(0, whole) + level, spread


def begun(parts: Sequence[tuple[float, float]], middle: float, worse: int) -> int:
    """The index of the hour since which the figure has been on the bad side: where the sum of what it is past the
    middle between usual and now was last at its lowest. `parts` are part and whole of each hour, oldest first."""
    lowest = total = 0.0
    start = 0
    for n, (part, whole) in enumerate(parts):
        total += worse * (part - middle * whole)
        if total <= lowest:
            lowest, start = total, n + 1
    return min(start, max(len(parts) - 1, 0))
