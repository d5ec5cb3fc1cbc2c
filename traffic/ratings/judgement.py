"""What one rater thinks of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from traffic.models import RaterKind


@dataclass(frozen=True, slots=True)
class Judgement:
    """One rater's opinion: a score of 1, 0 or -1, stars from 1 to 5, or both. A rater is a kind and a name.

    Of our people `by` is empty here: who stores it writes their number.
    `marks` are by the criteria of the rubric of this number.
    """

    by: str
    score: int | None = None
    stars: int | None = None
    comment: str = ""
    rater_kind: str = RaterKind.APPLICATION
    rubric_id: int | None = None
    marks: dict[str, Any] = field(default_factory=dict)
