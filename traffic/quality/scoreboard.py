"""All figures of the Quality page at once, calculated when asked for, or by a task where there are many ratings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

import msgspec
from django.utils import timezone

from lib.dates import midnight
from lib.periods import Period
from traffic.models import Rating, StoredScoreboard
from traffic.quality import queries, shared_answers
from traffic.quality.agreement import Bias
from traffic.quality.criteria import CriterionResult, by_criterion
from traffic.quality.queries import GroupBy, QualityGroup
from traffic.usage.filters import Filters

PERIODS = (7, 30, 90)  # days
LARGE = 20_000  # ratings of a period, from which on its figures are calculated by the task
STALE = timedelta(minutes=30)  # older figures of the task are not shown: then it does not run


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """The figures of some days. `alike` is the task whose deployments are compared, with their groups.

    `stored` says that a task calculated them at `calculated_at`.
    """

    calculated_at: datetime
    groups: dict[str, list[QualityGroup]]  # by what they are grouped by; "" is all ratings
    biases: Sequence[tuple[str, Bias]]  # with the raters as `shared_answers` has them: names are put in at reading
    gold: dict[str, tuple[int, int]]  # by rater, as `shared_answers.gold_right` has them
    criteria: Sequence[tuple[str | None, list[CriterionResult]]]  # by deployment
    alike: tuple[str, list[QualityGroup]] | None
    stored: bool = False

    @property
    def total(self) -> QualityGroup | None:
        return next(iter(self.groups[""]), None)


def period_of(days: int) -> Period:
    end = midnight(timezone.now().date() + timedelta(days=1))
    return Period(end - timedelta(days=days), end)


def scoreboard(days: int, filters: Filters) -> Scoreboard:
    """The figures now; of a period with many ratings and without a filter those that the task stored last."""
    if filters == Filters() and is_large(days):
        since = timezone.now() - STALE
        row = StoredScoreboard.objects.filter(days=days, calculated_at__gte=since).first()
        if row is not None:
            with suppress(msgspec.MsgspecError):  # an earlier version stored it in another shape
                return msgspec.json.decode(bytes(row.figures), type=Scoreboard)
    return calculated(days, filters)


def is_large(days: int) -> bool:
    period = period_of(days)
    return Rating.objects.in_days(period.first_day, period.end_day).order_by()[:LARGE].count() == LARGE


def calculated(days: int, filters: Filters, *, stored: bool = False) -> Scoreboard:
    """The figures, read from the ratings themselves."""
    period = period_of(days)
    shared = shared_answers.shared(period, filters)
    kinds: tuple[str, ...] = (*get_args(GroupBy), "")
    groups = {kind: queries.quality(period, kind, filters, agreed=shared.agreed) for kind in kinds}
    total = next(iter(groups[""]), None)
    return Scoreboard(
        timezone.now(),
        groups,
        shared.biases,
        shared_answers.gold_right(period, filters),
        list(by_criterion(period, "deployment", filters).items()) if total else [],
        queries.like_with_like(timezone.now().date(), filters) if total and total.enough else None,
        stored,
    )


def store_large() -> int:
    """Calculate and store the scoreboards of periods with many ratings; returns how many."""
    large = [days for days in PERIODS if is_large(days)]
    for days in large:
        board = calculated(days, Filters(), stored=True)
        figures = {"calculated_at": board.calculated_at, "figures": msgspec.json.encode(board)}
        StoredScoreboard.objects.update_or_create(days=days, defaults=figures)
    return len(large)
