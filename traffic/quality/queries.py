"""How good answers are: ratings by deployment, model or task, each share with its 95 % interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any, Literal

from django.contrib.auth.models import User
from django.db.models import Avg, Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Cast, Concat

from lib import confidence_intervals
from lib.dates import midnight
from lib.money import COST_STEP
from lib.periods import Period
from providers.models import Deployment
from traffic.models import Rating, Request
from traffic.models.queues import shown_name
from traffic.models.ratings import RatingQuerySet
from traffic.quality.agreement import Agreement
from traffic.usage import reports
from traffic.usage.filters import Filters
from traffic.usage.reports import UsageGroup

GroupBy = Literal["deployment", "model", "task"]

ENOUGH = 30  # ratings from which on a share is worth reading
PASS = 0.7  # share of acceptable answers that is asked for
COMPARED_DAYS = 90  # whose ratings count wherever two sides are compared: work that has moved was rated long ago
# Stars decide; a rating without stars is judged by its score.
ACCEPTABLE = Q(stars__gte=Rating.PASSING_STARS) | Q(stars__isnull=True, score__gte=0)
ACCEPTABLE_SQL = f"coalesce(r.stars >= {Rating.PASSING_STARS}, r.score >= 0)"  # of ratings `r`

# Two applications may call their users alike.
RATER = Concat(
    "rater_kind", Value(" "), Case(When(rater_kind="application", then=Cast("application_id", CharField())),
    default=Value("")), Value(" "),
    "by", output_field=CharField(),
)  # fmt: skip

KEYS: dict[str, Any] = {"deployment": F("deployment__slug"), "model": F("model"), "task": F("task"), "": Value("")}


NO_AGREEMENT = Agreement(None, "ordinal", 0, 0)


@dataclass(frozen=True, slots=True)
class QualityGroup:
    """Ratings of one group; `cost_per_accepted_answer` is USD, None where what an answer costs is not known."""

    key: str | None
    ratings: int
    acceptable: int
    raters: int
    mean_stars: float | None
    cost_per_accepted_answer: Decimal | None
    agreement: Agreement = NO_AGREEMENT
    criteria: Sequence[Any] = ()  # `traffic.quality.criteria.CriterionResult`, where the caller has them

    @property
    def acceptable_share(self) -> float:
        return self.acceptable / self.ratings

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.acceptable, self.ratings)

    @property
    def enough(self) -> bool:
        return self.ratings >= ENOUGH

    @property
    def passes(self) -> bool:
        """Whether even the low end of the interval is good enough."""
        return self.enough and self.interval[0] >= PASS


def acceptable(rating: Rating) -> bool:
    """Whether one rating is acceptable, by the same rule as ACCEPTABLE."""
    if rating.stars is not None:
        return rating.stars >= Rating.PASSING_STARS
    return rating.score is not None and rating.score >= 0


def quality(
    period: Period,
    group_by: str = "",
    filters: Filters | None = None,
    *,
    agreed: Mapping[str, Mapping[str | None, Agreement]] | None = None,
) -> list[QualityGroup]:
    """Ratings of the requests of a period by group, the most rated first; a day that the period cuts counts whole.

    `agreed` is how far raters agree (`shared_answers.shared`), where the caller has it.
    """
    filters = filters or Filters()
    rows = (
        rated(period, filters)
        .values(key=KEYS[group_by])
        .annotate(
            ratings=Count("id"),
            acceptable=Count("id", filter=ACCEPTABLE),
            raters=Count(RATER, distinct=True),
            mean_stars=Avg("stars"),
        )
        .order_by("-ratings", "key")
    )
    groups: list[dict[str, Any]] = [dict(row) for row in rows if row["ratings"]]  # all of nothing is one row
    used = {group.key: group for group in reports.usage(period, group_by, filters)} if groups else {}
    of_kind = (agreed or {}).get(group_by, {})
    return [
        QualityGroup(
            **row,
            cost_per_accepted_answer=cost_per_accepted(used.get(row["key"]), row),
            agreement=of_kind.get(row["key"], NO_AGREEMENT),
        )
        for row in groups
    ]


def people_of(numbers: Iterable[int | None]) -> dict[int, User]:
    """People by their numbers, with whether they hide their names."""
    wanted = {number for number in numbers if number is not None}
    return User.objects.select_related("rater_preference").in_bulk(wanted)


def names_of_raters(raters: Iterable[str]) -> dict[str, str]:
    """What our people among these raters are called now, as far as they show it."""
    numbers = {rater: int(rater[1:]) if rater[:1] == "#" and rater[1:].isdecimal() else 0 for rater in raters}
    people = people_of(numbers.values())
    return {rater: shown_name(people.get(number)) for rater, number in numbers.items()}


def compared_period(today: date) -> Period:
    """The UTC days, `today` included, whose ratings count where two models or deployments are compared."""
    end = midnight(today + timedelta(days=1))
    return Period(end - timedelta(days=COMPARED_DAYS), end)


def compared(today: date, by: Literal["deployment", "model"], filters: Filters) -> dict[str, list[QualityGroup]]:
    """By task, the groups of `compared_period` that have enough ratings of it, the most rated first.

    Shares of different tasks say nothing about each other: one side may have the harder work.
    """
    rows = (
        rated(compared_period(today), filters)
        .values_list("task", KEYS[by])
        .annotate(n=Count("id"), good=Count("id", filter=ACCEPTABLE))
        .order_by("-n", KEYS[by])
    )
    by_task: dict[str, list[QualityGroup]] = {}
    for task, key, ratings, good in rows:
        if ratings >= ENOUGH and key:
            by_task.setdefault(task, []).append(QualityGroup(key, ratings, good, 0, None, None))
    return by_task


def like_with_like(today: date, filters: Filters) -> tuple[str, list[QualityGroup]] | None:
    """The most rated task of which two deployments or more have enough ratings, and those, the most rated first."""
    by_task = compared(today, "deployment", filters)
    tasks = [(task, groups) for task, groups in by_task.items() if task and len(groups) > 1]
    return max(tasks, key=lambda row: sum(group.ratings for group in row[1]), default=None)


def rated(period: Period, filters: Filters) -> RatingQuerySet:
    """Ratings of the requests of a period. Only the provider is not copied to a rating: it is read from the request."""
    ratings = Rating.objects.in_days(period.first_day, period.end_day)
    lookups = filters.lookups()
    providers = lookups.pop("provider__in", None)
    if providers:
        theirs = Request.objects.filter(day__gte=period.first_day, day__lt=period.end_day, provider__in=providers)
        ratings = ratings.filter(Exists(theirs.filter(day=OuterRef("day"), id=OuterRef("request_id"))))
    return ratings.filter(**lookups)


def cost_per_accepted(used: UsageGroup | None, row: dict[str, Any]) -> Decimal | None:
    """Mean cost of an answer of the group over the share that is accepted.

    None where nothing was accepted, and where an answer's cost is not known: an own lease is paid by the hour.
    """
    if used is None or not row["acceptable"] or used.leased_requests:
        return None
    priced = used.requests - used.unpriced_requests - used.unknown_usage_requests
    return (used.cost * row["ratings"] / (priced * row["acceptable"])).quantize(COST_STEP) if priced > 0 else None


def wilson(successes: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; `total` is at least 1. It stays inside 0 to 1, also for few trials."""
    interval = confidence_intervals.wilson(successes, total)
    assert interval is not None, "a group has ratings"
    return float(interval.low), float(interval.high)


def difference(first: QualityGroup, second: QualityGroup) -> tuple[float, float, float]:
    """How much larger the first share is, with its 95 % interval (Newcombe's, from both Wilson intervals)."""
    p, q = first.acceptable_share, second.acceptable_share
    (p_low, p_high), (q_low, q_high) = first.interval, second.interval
    low = (p - q) - sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    high = (p - q) + sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    return p - q, low, high


def differ(first: QualityGroup, second: QualityGroup) -> bool:
    """Whether the two shares differ by more than chance would let them."""
    _, low, high = difference(first, second)
    return low > 0 or high < 0


def deployment_names() -> dict[str, str]:
    """Names of deployments by their slug."""
    return dict(Deployment.objects.values_list("slug", "name"))


def latest_comments(
    period: Period, filters: Filters, applications: Sequence[int] | None, limit: int
) -> QuerySet[Rating]:
    """Ratings of a period that have a comment, the newest first; of these applications, or of all for None."""
    ratings = (
        rated(period, filters)
        .exclude(comment="")
        .select_related("application", "deployment", "rater__rater_preference")
    )
    if applications is not None:
        ratings = ratings.filter(application_id__in=applications)
    return ratings.order_by("-created_at")[:limit]
