"""Reads of repricings and of what they change, by model and by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import F, Sum
from django.shortcuts import get_object_or_404

from traffic.models import Repricing

SHOWN = 100


class Totals(NamedTuple):
    """Of all repricings that stand: how many there are, and how many requests they changed."""

    runs: int
    changed: int


def latest_repricings() -> list[Repricing]:
    return list(Repricing.objects.select_related("by")[:SHOWN])


def totals() -> Totals:
    standing = Repricing.objects.exclude(started_at=None).exclude(state="undone")
    return Totals(standing.count(), standing.aggregate(n=Sum("changed"))["n"] or 0)


def get_repricing(pk: int) -> Repricing:
    """The repricing with who asked for it and who took it back. Raises Http404."""
    return get_object_or_404(Repricing.objects.select_related("by", "undone_by"), pk=pk)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a repricing changes, or would: rows with `requests`, `was`, `is_now` and `amount` in USD, and the counts
    `unknown_was` and `unknown_is` of requests without a cost."""

    by_model: list[dict[str, Any]]  # most requests first
    by_day: list[dict[str, Any]]
    whole: dict[str, Any]


def changes_of(repricing: Repricing, *, planned: bool) -> Changes:
    """What was worked out by the preview (`planned`), or what was done."""
    days = repricing.days.filter(planned=planned).order_by()
    sums = {
        "requests": Sum("requests"), "was": Sum("before"), "is_now": Sum("after"),
        "amount": Sum(F("after") - F("before")),
        "unknown_was": Sum("unknown_before"), "unknown_is": Sum("unknown_after"),
    }  # fmt: skip
    return Changes(
        [dict(row) for row in days.values("provider", "model").annotate(**sums).order_by("-requests")],
        [dict(row) for row in days.values("day").annotate(**sums).order_by("day")],
        days.aggregate(**sums),
    )
