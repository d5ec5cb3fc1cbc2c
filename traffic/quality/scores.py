"""Ratings of the last eight weeks by deployment, model and task, from the days that triggers keep added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import sqrt
from typing import Any

from lib import sql
from lib.confidence_intervals import Z
from traffic.quality.queries import ENOUGH, PASS, GroupBy, wilson
from traffic.usage.filters import COLUMNS, Filters

WEEKS = 8


@dataclass(frozen=True, slots=True)
class Score:
    """The ratings of one group. `weeks` has the ratings and the acceptable ones of each week, the oldest first."""

    key: str | None
    ratings: int
    acceptable: int
    starred: int
    stars_sum: int
    stars_squares: int
    weeks: Sequence[tuple[int, int]] = field(default=(), kw_only=True)

    @property
    def share(self) -> float:
        return self.acceptable / self.ratings

    @property
    def interval(self) -> tuple[float, float]:
        """Of the acceptable share, 95 %."""
        return wilson(self.acceptable, self.ratings)

    @property
    def enough(self) -> bool:
        return self.ratings >= ENOUGH

    @property
    def passes(self) -> bool:
        return self.enough and self.interval[0] >= PASS

    @property
    def mean(self) -> float | None:
        """Of the stars; None without any."""
        return self.stars_sum / self.starred if self.starred else None

    @property
    def mean_interval(self) -> tuple[float, float] | None:
        """Of the mean, 95 % and within 1 to 5; None for fewer stars than a normal distribution needs."""
        if self.mean is None or self.starred < ENOUGH:
            return None
        variance = max(0.0, (self.stars_squares - self.stars_sum * self.mean) / (self.starred - 1))
        half = float(Z) * sqrt(variance / self.starred)
        return max(1.0, self.mean - half), min(5.0, self.mean + half)

    @property
    def trend(self) -> list[float | None]:
        """The acceptable share of each week; None in a week without ratings."""
        return [good / n if n else None for n, good in self.weeks]


KEYS = {"deployment": "e.slug", "model": "nullif(r.model, '')", "task": "nullif(r.task, '')"}
SCORES = """
SELECT {key} AS key, (%(end)s - r.day - 1) / 7 AS weeks_ago, sum(r.ratings), sum(r.acceptable), sum(r.starred),
    sum(r.stars_sum), sum(r.stars_squares)
FROM traffic_rating_day AS r LEFT JOIN providers_deployment AS e ON e.id = r.deployment_id
WHERE r.day >= %(first)s AND r.day < %(end)s {filters} GROUP BY 1, 2 HAVING sum(r.ratings) > 0
"""


def days_of(today: date) -> tuple[date, date]:
    """The first UTC day of the eight weeks that end today, and tomorrow."""
    end = today + timedelta(days=1)
    return end - timedelta(weeks=WEEKS), end


def condition(filters: Filters) -> tuple[str, dict[str, Any]]:
    """What the filters ask of days `r` and their deployments `e`, as SQL that begins with AND, and its parameters."""
    values = {name: wanted for name in COLUMNS if (wanted := getattr(filters, name))}
    where = [f" AND {'e' if name == 'provider' else 'r'}.{COLUMNS[name]} = ANY(%({name})s)" for name in values]
    return "".join(where), values  # our own columns


def scores(today: date, by: GroupBy, filters: Filters) -> list[Score]:
    """The groups with ratings of requests of the eight weeks that end today, the most rated first."""
    first, end = days_of(today)
    where, values = condition(filters)
    values |= {"first": first, "end": end}
    totals: dict[str | None, list[int]] = {}
    weeks: dict[str | None, list[tuple[int, int]]] = {}
    for key, weeks_ago, *sums in sql.rows(SCORES.format(key=KEYS[by], filters=where), values):
        totals[key] = [a + int(b) for a, b in zip(totals.get(key, [0] * len(sums)), sums, strict=True)]
        weeks.setdefault(key, [(0, 0)] * WEEKS)[WEEKS - 1 - weeks_ago] = (int(sums[0]), int(sums[1]))
    groups = [Score(key, *sums, weeks=weeks[key]) for key, sums in totals.items()]
    return sorted(groups, key=lambda score: (-score.ratings, score.key or ""))
