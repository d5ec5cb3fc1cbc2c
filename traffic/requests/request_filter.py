"""Which requests a list or an export is to show: the filters of the address, as conditions on rows and on rollups.

A filter is read from a page's address, named and put into its form by `traffic/requests/params.py`, and read from the
JSON API's by `traffic/requests/query_params.py`. Provider, model, application, task and deployment are filters of every
figure and are in `traffic/usage/filters.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from django.db.models import Exists, F, Func, OuterRef, Q, Sum
from django.db.models.expressions import Combinable
from django.db.models.functions import Greatest

from lib.dates import DAY, midnight
from traffic.models import CostReason, Outcome, Rating, RequestBody, UsageDay, UsageHour
from traffic.models.requests import RequestQuerySet
from traffic.requests.hour_reads import Hour
from traffic.usage.filters import Filters

UNPRICED = (CostReason.UNKNOWN_MODEL, CostReason.UNKNOWN_RATE)
FAILED = {"error", "timeout"}  # the outcomes that the rollups count as errors


class Day(NamedTuple):
    """A day of the log: at most how many requests pass, and about how many rows are read to find them."""

    day: date
    passing: int
    rows: int


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included; None is no bound. What has no value lies in no range."""

    low: Decimal | None = None
    high: Decimal | None = None

    def __bool__(self) -> bool:
        return self.low is not None or self.high is not None

    def lookups(self, name: str) -> dict[str, Decimal]:
        bounds = {f"{name}__gte": self.low, f"{name}__lte": self.high}
        return {lookup: value for lookup, value in bounds.items() if value is not None}


@dataclass
class RequestFilter:
    """Which requests a list shows; `applications` is what the reader may see, None being all."""

    filters: Filters = field(default_factory=Filters)
    outcomes: Sequence[str] = ()
    unpriced: bool = False
    unknown_usage: bool = False
    told_otherwise: bool = False  # who reported them says another cost than we do
    rated: bool = False
    user: uuid.UUID | None = None  # the hash that is kept of a user's name
    cost: Range = field(default_factory=Range)  # USD
    latency_ms: Range = field(default_factory=Range)
    ttft_ms: Range = field(default_factory=Range)
    marks: int = 0  # bits of `Mark`; one of them is enough
    words: str = ""  # that the kept texts hold
    readable: Sequence[int] | None = ()  # applications whose texts the reader may read, None being all
    applications: Sequence[int] | None = None
    since: date | None = None  # the first day of UTC, and the day after the last
    until: date | None = None

    def visible_filters(self) -> Filters:
        """The filters narrowed to what the reader may see; an application out of reach is one that has nothing."""
        if self.applications is None:
            return self.filters
        chosen = self.filters.application
        seen = [pk for pk in self.applications if not chosen or pk in chosen] or [-1]
        return Filters(**{**vars(self.filters), "application": seen})

    @property
    def exact(self) -> bool:
        """Whether the rollups count exactly the passing requests, not only an upper bound."""
        counted = self.unpriced + self.unknown_usage + self.told_otherwise
        return not (
            self.outcomes
            or self.rated
            or self.user
            or self.cost
            or self.latency_ms
            or self.ttft_ms
            or counted > 1
            or self.marks
        )

    @property
    def odd(self) -> bool:
        """Whether only requests out of the ordinary pass, so that the index of such requests is enough."""
        return self.unpriced or self.unknown_usage or bool(self.outcomes and Outcome.OK not in self.outcomes)

    def of(self, requests: RequestQuerySet) -> RequestQuerySet:
        """The requests that pass the filter; words in texts are not looked at here."""
        passing = requests.filter(**self.visible_filters().lookups())
        for name in ("cost", "latency_ms", "ttft_ms"):
            passing = passing.filter(**getattr(self, name).lookups(name))
        if self.outcomes:
            passing = passing.filter(outcome__in=self.outcomes)
        if self.unpriced:
            passing = passing.filter(cost=None, cost_reason__in=UNPRICED)
        if self.unknown_usage:
            passing = passing.filter(uncached_input=None)
        if self.told_otherwise:
            apart = Func(F("reported_cost") - F("cost"), function="abs")
            larger = Greatest("reported_cost", "cost")
            passing = passing.exclude(reported_cost=None).exclude(cost=None)
            passing = passing.alias(apart=apart).filter(apart__gt=larger * Decimal("0.01"))
        if self.user:
            passing = passing.filter(user_hash=self.user)
        if self.marks:
            bodies = RequestBody.objects.filter(day=OuterRef("day"), request_id=OuterRef("id"))
            passing = passing.filter(Exists(bodies.alias(bits=F("marks").bitand(self.marks)).filter(bits__gt=0)))
        if self.rated:
            passing = passing.filter(Exists(Rating.objects.filter(request_id=OuterRef("id"))))
        return passing

    def counted(self) -> list[str]:
        """The sums of the rollups that bound the number of passing requests from above."""
        needed = ["requests"]
        needed += ["unpriced"] if self.unpriced else []
        needed += ["unknown_usage"] if self.unknown_usage else []
        needed += ["cost_mismatches"] if self.told_otherwise else []
        needed += ["errors"] if self.outcomes and set(self.outcomes) <= FAILED else []
        return needed

    @property
    def read(self) -> Combinable:
        """The number of rows that a read of the index visits, as an expression over the rollups."""
        return F("errors") + F("unpriced") + F("unknown_usage") if self.odd else F("requests")

    def days(self, first: date, end: date) -> list[Day]:
        """Days with requests that may pass, the newest first."""
        sums = {f"n_{name}": Sum(name) for name in self.counted()}
        rows = (
            UsageDay.objects.filter(day__gte=first, day__lt=end, **self.visible_filters().lookups())
            .values_list("day")
            .annotate(rows=Sum(self.read), **sums)
            .order_by("-day")
        )
        days = [Day(day, min(counts), read) for day, read, *counts in rows if min(counts) > 0]
        if self.rated:
            rated = set(Rating.objects.filter(day__gte=first, day__lt=end).values_list("day", flat=True).distinct())
            days = [day for day in days if day.day in rated]
        return days

    def hours(self, days: Sequence[date]) -> list[Hour]:
        """Hours of these days in which there is anything, the newest first."""
        passing = Q(**self.visible_filters().lookups())
        sums: dict[str, Any] = {f"n_{name}": Sum(name, filter=passing, default=0) for name in self.counted()}
        within = Q()
        for first, end in runs(days):
            within |= Q(hour__gte=midnight(first), hour__lt=midnight(end))
        rows = UsageHour.objects.filter(within).values_list("hour").annotate(rows=Sum(self.read), **sums)
        return [Hour(hour, max(0, min(counts)), read) for hour, read, *counts in rows.order_by("-hour")]


def runs(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days, the newest first, as stretches of days that follow each other: the first, and the day after the last."""
    stretches: list[tuple[date, date]] = []
    for day in days:
        end = day + DAY
        if stretches and stretches[-1][0] == end:
            end = stretches.pop()[1]
        stretches.append((day, end))
    return stretches
