"""Are the answers good enough? Ratings by task, ours against the API's, as go or no-go reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from costs.readiness.inputs import RatedTask, quality_gap
from costs.readiness.scorecard import ACCEPTED, Criterion, Evidence, Thresholds, judge, quality_refuses
from dashboard.overview.reads import Facts
from lib.confidence_intervals import Interval, wilson
from traffic.models import Task

SHOWN = 5  # tasks on this page, the most requests first


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task with its share of acceptable answers and how sure that is."""

    task: str
    requests: int
    ratings: int
    acceptable: int

    @property
    def label(self) -> str:
        return str(dict(Task.choices).get(self.task, self.task))

    @property
    def share(self) -> Decimal:
        return Decimal(self.acceptable) / self.ratings

    @property
    def interval(self) -> Interval:
        interval = wilson(self.acceptable, self.ratings)
        assert interval is not None, "tasks without ratings have no row"
        return interval

    @property
    def enough(self) -> bool:
        return self.ratings >= Thresholds().ratings_per_task

    @property
    def passes(self) -> bool:
        return self.enough and self.interval.low >= ACCEPTED


@dataclass(frozen=True)
class Worth:
    """`own`: the rows are of our own deployments' answers; False where only the API's were rated."""

    own: bool
    rows: Sequence[TaskRow]
    criterion: Criterion
    gap: Interval | None
    others: tuple[int, int]  # ratings of the API's answers to the same tasks, of these acceptable

    @property
    def ratings(self) -> int:
        return sum(row.ratings for row in self.rows)

    @property
    def share(self) -> Decimal | None:
        """Acceptable answers of the rows shown."""
        return Decimal(sum(row.acceptable for row in self.rows)) / self.ratings if self.ratings else None

    @property
    def other_share(self) -> Decimal | None:
        return Decimal(self.others[1]) / self.others[0] if self.others[0] else None

    @property
    def judged(self) -> Sequence[TaskRow]:
        return [row for row in self.rows if row.enough]

    @property
    def passing(self) -> Sequence[TaskRow]:
        return [row for row in self.rows if row.passes]

    @property
    def failing(self) -> Sequence[TaskRow]:
        return [row for row in self.judged if not row.passes]

    @property
    def refuses(self) -> bool:
        return quality_refuses(self.gap)

    @property
    def verdict(self) -> str:
        if not self.rows:
            return "none"
        if self.refuses:
            return "worse"
        if not self.judged:
            return "few"
        if self.failing:
            return "mixed" if self.passing else "no"
        return "yes"

    @property
    def mark(self) -> str:
        return {"worse": "bad", "no": "bad", "mixed": "warn", "yes": "ok"}.get(self.verdict, "unknown")

    @property
    def intervals(self) -> list[Mapping[str, Any]]:
        """Rows for the chart tag."""
        return [
            {
                "label": row.label,
                "value": row.share,
                "low": row.interval.low,
                "high": row.interval.high,
                "passes": row.passes,
                "text": f"{row.share:.0%} / {row.ratings}".replace("%", "\N{NARROW NO-BREAK SPACE}%"),
            }
            for row in self.rows[:SHOWN]
        ]


def worth(facts: Facts) -> Worth:
    ours = task_rows(facts.rated, lambda row: row.recent)
    theirs = task_rows(facts.rated, lambda row: row.theirs)
    gap = quality_gap(facts.rated)
    card = judge(Evidence(tasks=tuple(row.quality for row in facts.rated), quality_gap=gap))
    return Worth(
        own=bool(ours),
        rows=ours or theirs,
        criterion=next(row for row in card.criteria if row.slug == "quality"),
        gap=gap,
        others=both_sides(facts.rated),
    )


def both_sides(rated: Iterable[RatedTask]) -> tuple[int, int]:
    """The API's ratings, and the acceptable ones, of the tasks that ours were rated for."""
    rows = [row.theirs for row in rated if row.recent[0]]
    return sum(ratings for ratings, _good in rows), sum(good for _ratings, good in rows)


def task_rows(rated: Iterable[RatedTask], counts: Any) -> list[TaskRow]:
    """The tasks that were rated at all, the most requests first."""
    return [TaskRow(row.task, row.requests, *counts(row)) for row in rated if counts(row)[0]]
