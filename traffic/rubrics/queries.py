"""Which rubric an answer is rated by."""

from __future__ import annotations

from traffic.models import Rubric


def current() -> list[Rubric]:
    """The rubrics in use, by name."""
    return list(Rubric.objects.current().select_related("by").order_by("name"))


def current_rubric(pk: int) -> Rubric | None:
    return Rubric.objects.current().filter(pk=pk).first()


def deleted_rubric(pk: int) -> Rubric | None:
    return Rubric.objects.filter(pk=pk, retired_at__isnull=False).first()


def rubric_for(task: str, sent: int | None = None) -> Rubric | None:
    """The rubric of an answer: the version `sent` by the form that shows it, else the current one of its task."""
    if sent is not None:
        return Rubric.objects.filter(pk=sent).first()
    return Rubric.objects.current().filter(task=task).first() if task else None
