"""What ratings by the criteria of a rubric add up to: means with their intervals, and how often each tag was given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from django.db.models import Count, Value

from lib import confidence_intervals
from lib.periods import Period
from traffic.quality.queries import KEYS, rated
from traffic.rubrics.criteria import SCALE, Criterion, criteria_of
from traffic.usage.filters import Filters

Z = float(confidence_intervals.Z)
NAMED = ("rubric__name", "rubric__version", "rubric__criteria")


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """Marks of one criterion in one group: how often each value was given, of `n` ratings that have a mark.

    Of tags `n` counts the ratings by this version of the rubric, since no tag is no fault.
    """

    rubric: str
    version: int
    criterion: Criterion
    n: int
    counts: Mapping[str, int] = field(default_factory=dict)  # by the value as a text

    @property
    def tags(self) -> dict[str, int]:
        return dict(self.counts) if self.criterion.kind == "tags" else {}

    @property
    def mean(self) -> float | None:
        """Of a scale, 1 to 5; of yes or no the share of yes; None for tags."""
        if self.criterion.kind == "tags" or not self.n:
            return None
        return sum(int(value) * times for value, times in self.counts.items()) / self.n

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean: Wilson's of a share, else by the normal distribution within the scale."""
        mean = self.mean
        if mean is None or (self.n < 2 and self.criterion.kind == "scale"):
            return None
        if self.criterion.kind == "yes_no":
            interval = confidence_intervals.wilson(self.counts.get("1", 0), self.n)
            assert interval is not None, "n is positive"
            return float(interval.low), float(interval.high)
        variance = sum(times * (int(value) - mean) ** 2 for value, times in self.counts.items()) / (self.n - 1)
        if not variance:
            return None  # equal marks do not show how far others would differ
        half = Z * sqrt(variance / self.n)
        return max(SCALE[0], mean - half), min(SCALE[-1], mean + half)


def by_criterion(
    period: Period, group_by: str = "", filters: Filters | None = None
) -> dict[Any, list[CriterionResult]]:
    """By group, what the ratings of a period add up to for each criterion of each version. One statement."""
    rows = (
        rated(period, filters or Filters())
        .filter(rubric__isnull=False)
        .values_list(KEYS[group_by] if group_by else Value(""), "rubric", "marks", *NAMED)
        .annotate(n=Count("id"))
    )
    counted: dict[tuple[Any, int], dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    ratings: Counter[tuple[Any, int]] = Counter()
    rubrics: dict[int, tuple[str, int, list[Criterion]]] = {}
    for key, pk, marks, name, version, criteria, n in rows:
        rubrics.setdefault(pk, (name, version, criteria_of(criteria)))
        ratings[key, pk] += n
        for criterion, mark in marks.items():
            for value in mark if isinstance(mark, list) else [mark]:
                counted[key, pk][criterion][str(value)] += n
    results: dict[Any, list[CriterionResult]] = defaultdict(list)
    for (key, pk), total in sorted(ratings.items(), key=lambda row: (rubrics[row[0][1]][:2], -row[1])):
        name, version, of_rubric = rubrics[pk]
        for criterion in of_rubric:
            counts = counted[key, pk][criterion.key]
            n = total if criterion.kind == "tags" else counts.total()
            results[key].append(CriterionResult(name, version, criterion, n, dict(counts.most_common())))
    return dict(results)
