"""Are the answers good enough? Ratings by task, ours compared with the API's by the go or no-go rules. No queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.readiness.inputs import RatedTask, quality_gap
from costs.readiness.scorecard import ACCEPTED, Criterion, Evidence, Thresholds, judge, quality_refuses
from dashboard.overview.reads import Facts
from lib.confidence_intervals import Interval, wilson
from lib.formats import missing, percent, provenance, sentences, signed_percent, state
from traffic.models import Task

SHOWN = 5  # tasks on this page, those with most requests


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One task with its share of acceptable answers and the 95 % interval of that."""

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
    """`own`: whether the rows are about answers of our own deployments; False if only the API's were rated."""

    own: bool
    rows: Sequence[TaskRow]
    criterion: Criterion
    gap: Interval | None
    others: tuple[int, int]  # ratings of the API's answers to the same tasks, and how many are acceptable

    @property
    def ratings(self) -> int:
        return sum(row.ratings for row in self.rows)

    @property
    def share(self) -> Decimal | None:
        """The share (0 to 1) of acceptable answers over all rows; None without ratings."""
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
        """Rows for the `intervals` tag."""
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

    def state_mark(self) -> SafeString:
        """The verdict as a mark with its word."""
        words = {
            "worse": _("Worse"),
            "no": _("No"),
            "mixed": _("Yes, not all"),
            "yes": _("Yes"),
            "few": _("Too few"),
            "none": _("Not rated"),
        }
        return state(self.mark, words[self.verdict])

    def headline(self) -> str:
        """The answers' part of the page's heading."""
        texts = {
            "none": _("no answer has been rated"),
            "few": _("too few answers are rated to judge them"),
            "worse": _("our own answers are <b>worse than the API’s</b>"),
            "no": _("answers are <b>not good enough</b> ({share} acceptable)"),
            "mixed": _("answers are <b>good enough</b> ({share}) but not for {task}"),
            "yes": _("answers are <b>good enough</b> ({share})"),
        }
        return format_html(
            texts[self.verdict], share=percent(self.share), task=self.failing[0].label if self.failing else ""
        )

    def answer(self) -> str:
        """How many answers are acceptable, and which tasks pass."""
        if self.share is None:
            return _("Nobody has rated an answer in 30 days, so it is not known.")
        if not self.own:
            text = _("<b>{share}</b> of the API’s answers are acceptable; our own are not rated.")
        elif self.other_share is None:
            text = _("<b>{share}</b> of our own models’ answers are acceptable.")
        else:
            text = _(
                "<b>{share}</b> of our own models’ answers are acceptable, "
                "<b>{other}</b> of the API’s on the same tasks."
            )
        shares = format_html(text, share=percent(self.share), other=percent(self.other_share))
        return sentences(shares, self._tasks_sentence())

    def _tasks_sentence(self) -> str:
        if self.failing:
            task = self.failing[0]
            return format_html(_("{task} is not certain: <b>{share}</b>."), task=task.label, share=percent(task.share))
        if not self.judged:
            return _("No task has the 30 ratings that a judgement needs.")
        text = ngettext(
            "The one task with enough ratings passes.",
            "All <b>{n}</b> tasks with enough ratings pass.",
            len(self.judged),
        )
        return format_html(text, n=len(self.judged))

    def ratings_mark(self) -> SafeString:
        """The source of the figures: the number of ratings."""
        if not self.ratings:
            return missing("dash")
        text = ngettext("%(n)s rating, 30 d", "%(n)s ratings, 30 d", self.ratings)
        return provenance("measured", text=text % {"n": self.ratings})

    def comparison(self) -> str:
        """Compares our answers with the API's by task; empty if ours were not rated."""
        if self.gap:
            return format_html(
                _("Task by task ours are rated {low} to {high} against the API’s."),
                low=signed_percent(self.gap.low),
                high=signed_percent(self.gap.high),
            )
        return _("No task is rated on both sides, so ours and the API’s cannot be compared.") if self.own else ""


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
    """Ratings of the API's answers, and how many are acceptable, in the tasks in which ours were rated too."""
    rows = [row.theirs for row in rated if row.recent[0]]
    return sum(ratings for ratings, _good in rows), sum(good for _ratings, good in rows)


def task_rows(rated: Iterable[RatedTask], counts: Any) -> list[TaskRow]:
    """A row for each task with ratings; `counts(row)` gives (ratings, acceptable)."""
    return [TaskRow(row.task, row.requests, *counts(row)) for row in rated if counts(row)[0]]
