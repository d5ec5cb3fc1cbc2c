"""Are the answers good enough? Ratings by task, ours compared with the API's by the go or no-go rules. No queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.readiness.criteria import share_span, task_state
from costs.readiness.evidence import TaskQuality, Thresholds
from costs.readiness.inputs import RatedTask
from costs.readiness.scorecard import quality_refuses
from costs.verdicts.verdict import State, Verdict
from dashboard.overview.reads import Facts
from lib.confidence_intervals import Interval, points_apart, wilson
from lib.formats import figure, missing, percent, provenance, sentences
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
    def state(self) -> State:
        return task_state(TaskQuality(self.task, self.requests, self.ratings, self.acceptable), Thresholds())

    @property
    def enough(self) -> bool:
        return self.state != State.NOT_ENOUGH

    @property
    def passes(self) -> bool:
        return self.state == State.MET


@dataclass(frozen=True)
class Worth:
    """`own`: whether the rows are about answers of our own deployments; False if only the API's were rated."""

    own: bool
    rows: Sequence[TaskRow]
    verdict: Verdict  # of the quality criterion: the same as on the Decide page
    gap: Interval | None

    @property
    def ratings(self) -> int:
        return sum(row.ratings for row in self.rows)

    @property
    def share(self) -> Decimal | None:
        """The share (0 to 1) of acceptable answers over all rows; None without ratings."""
        return Decimal(sum(row.acceptable for row in self.rows)) / self.ratings if self.ratings else None

    @property
    def judged(self) -> Sequence[TaskRow]:
        return [row for row in self.rows if row.enough]

    @property
    def passing(self) -> Sequence[TaskRow]:
        return [row for row in self.rows if row.passes]

    @property
    def refuses(self) -> bool:
        return quality_refuses(self.gap)

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
                "text": format_html(
                    "{} / {}",
                    figure(percent(row.share), "acceptable-share", row.share if self.own else None, "", row.task),
                    row.ratings,
                ),
            }
            for row in self.rows[:SHOWN]
        ]

    def headline(self) -> str:
        """The answers' part of the page's heading."""
        texts = {
            State.MET: _("answers <b>acceptable</b>"),
            State.NOT_MET: _("answers <b>not acceptable</b>"),
            State.TOO_CLOSE: _("quality <b>undecided</b>"),
            State.NOT_ENOUGH: _("quality <b>unknown</b>"),
        }
        refused = _("self-hosted answers <b>worse</b>")
        return mark_safe(refused if self.refuses else texts[self.verdict.state])  # noqa: S308 - texts of this file

    def answer(self) -> str:
        """How many answers are acceptable, and which tasks pass."""
        if self.share is None:
            return sentences(_("No ratings in 30 days."), self.verdict.needed)
        if not self.own:
            text = _("<b>{share}</b> of the API’s rated answers are acceptable. No self-hosted answers are rated.")
        else:
            text = _("<b>{share}</b> of rated self-hosted answers are acceptable.")
        return sentences(
            format_html(text, share=figure(percent(self.share), "acceptable-share", self.share if self.own else None)),
            self.verdict.sentence if self.own else "",
            self.verdict.needed,
        )

    def ratings_mark(self) -> SafeString:
        """The source of the figures: the number of ratings."""
        if not self.ratings:
            return missing("dash")
        text = ngettext("%(n)s rating, 30 d", "%(n)s ratings, 30 d", self.ratings)
        return provenance("measured", text=text % {"n": self.ratings})

    def span(self) -> str:
        """Which share of all requests is of tasks with acceptable answers; empty where that is not known."""
        return share_span(self.verdict.interval) if self.own and self.verdict.interval else ""

    def comparison(self) -> str:
        """Compares our answers with the API's by task; empty if ours were not rated."""
        if self.gap:
            return format_html(
                _("On the same tasks, self-hosted answers are rated {points} than the API’s."),
                points=points_apart(self.gap),
            )
        return _("No task has ratings of both sides, so they cannot be compared.") if self.own else ""


def worth(facts: Facts) -> Worth:
    ours = task_rows(facts.rated, lambda row: row.recent)
    theirs = task_rows(facts.rated, lambda row: row.theirs)
    return Worth(
        own=bool(ours),
        rows=ours or theirs,
        verdict=next(row for row in facts.card.criteria if row.question == "quality"),
        gap=facts.report.evidence.quality_gap,
    )


def task_rows(rated: Iterable[RatedTask], counts: Any) -> list[TaskRow]:
    """A row for each task with ratings; `counts(row)` gives (ratings, acceptable)."""
    return [TaskRow(row.task, row.requests, *counts(row)) for row in rated if counts(row)[0]]
