"""What the page of rubrics shows and says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from traffic.models import Rubric
from traffic.rubrics.criteria import Criterion, criteria_of


@dataclass(frozen=True, slots=True)
class RubricRow:
    """One rubric in use."""

    rubric: Rubric

    def criteria(self) -> list[tuple[str, str]]:
        """Each criterion with how it is judged."""
        return [(criterion.name, words_of(criterion)) for criterion in criteria_of(self.rubric.criteria)]

    def use(self) -> str:
        """Which answers are rated by it."""
        if self.rubric.task:
            return _("all answers of the task %(task)s") % {"task": self.rubric.get_task_display()}
        return _("queues that name it")


def words_of(criterion: Criterion) -> str:
    """How a criterion is judged, on one line."""
    if criterion.kind == "yes_no":
        return _("yes or no")
    if criterion.kind == "tags":
        return ", ".join(criterion.anchors)
    return _("1 (%(low)s) to 5 (%(high)s)") % {"low": criterion.anchors[0], "high": criterion.anchors[-1]}


def headline(rubrics: Sequence[Rubric]) -> str:
    """How many rubrics are in use."""
    if not rubrics:
        return _("Answers are rated with stars alone.")
    return ngettext("%(n)s rubric in use.", "%(n)s rubrics in use.", len(rubrics)) % {"n": len(rubrics)}
