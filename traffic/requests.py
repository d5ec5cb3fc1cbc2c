"""Reads of the request log: lists by keyset that walk back day by day, one request, and who may see what.

Every read has a day bound. The rollups by day say on which days there is anything, so that a rare filter does not read
the days between.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Exists, F, Func, OuterRef, Q, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from providers.rest.errors import ApiError
from providers.rest.paging import decode_cursor, encode_cursor
from traffic.filters import Filters
from traffic.models import Application, CostReason, Rating, Request, RequestBody, UsageDay
from traffic.querysets import RequestQuerySet

DAY = timedelta(days=1)
UNPRICED = (CostReason.UNKNOWN_MODEL, CostReason.UNKNOWN_RATE)
FAILED = {"error", "timeout"}  # the outcomes that the rollups count as errors

Person = User | AnonymousUser


# Who may see what.


def applications_of(user: Person) -> list[int] | None:
    """Applications whose requests this person may open; None is all, those of no application included."""
    if user.has_perm("traffic.view_request"):
        return None
    return list(Application.objects.of_person(user).values_list("pk", flat=True))


def open_request(user: Person, identifier: uuid.UUID) -> Request | None:
    """The request of an id, if it is there and this person may open it."""
    request = Request.objects.select_related("application", "deployment").by_id(identifier)
    allowed = applications_of(user)
    return request if request is not None and (allowed is None or request.application_id in allowed) else None


def may_read_body(user: Person, request: Request) -> bool:
    """Whether this person may read prompt and answer: as one of the application's people, or by the permission."""
    if user.has_perm("traffic.view_bodies"):
        return True
    if request.application_id is None:
        return False
    return Application.objects.of_person(user).filter(pk=request.application_id).exists()


def body_of(request: Request) -> RequestBody | None:
    """Prompt and answer, where the application captured them and they are still kept."""
    return RequestBody.objects.filter(day=request.day, request_id=request.id).first()


# The list.


@dataclass
class Wanted:
    """Which requests a list shows; `applications` is what the reader may see, None being all."""

    filters: Filters = field(default_factory=Filters)
    outcomes: Sequence[str] = ()
    unpriced: bool = False
    unknown_usage: bool = False
    told_otherwise: bool = False  # who reported them says another cost than we do
    rated: bool = False
    applications: Sequence[int] | None = None
    since: date | None = None  # the first day of UTC, and the day after the last
    until: date | None = None

    def visible_filters(self) -> Filters:
        """The filters narrowed to what the reader may see; an application out of reach is one that has nothing."""
        if self.applications is None:
            return self.filters
        asked = self.filters.application
        seen = [pk for pk in self.applications if not asked or pk in asked] or [-1]
        return Filters(**{**vars(self.filters), "application": seen})

    @property
    def exact(self) -> bool:
        """Whether the rollups count just the requests that pass, not only at most as many."""
        return not (self.outcomes or self.rated or (self.unpriced + self.unknown_usage + self.told_otherwise > 1))

    def of(self, requests: RequestQuerySet) -> RequestQuerySet:
        """Those of `requests` that are wanted."""
        found = requests.filter(**self.visible_filters().lookups())
        if self.outcomes:
            found = found.filter(outcome__in=self.outcomes)
        if self.unpriced:
            found = found.filter(cost=None, cost_reason__in=UNPRICED)
        if self.unknown_usage:
            found = found.filter(uncached_input=None)
        if self.told_otherwise:
            apart = Func(F("reported_cost") - F("cost"), function="abs")
            larger = Greatest("reported_cost", "cost")
            found = found.exclude(reported_cost=None).exclude(cost=None)
            found = found.alias(apart=apart).filter(apart__gt=larger * Decimal("0.01"))
        if self.rated:
            found = found.filter(Exists(Rating.objects.filter(request_id=OuterRef("id"))))
        return found

    def days(self, first: date, end: date) -> list[tuple[date, int]]:
        """Days with requests that may pass and at most how many, the newest first."""
        needed = ["requests"]
        needed += ["unpriced"] if self.unpriced else []
        needed += ["unknown_usage"] if self.unknown_usage else []
        needed += ["told_otherwise"] if self.told_otherwise else []
        needed += ["errors"] if self.outcomes and set(self.outcomes) <= FAILED else []
        rows = (
            UsageDay.objects.filter(day__gte=first, day__lt=end, **self.visible_filters().lookups())
            .values("day")
            .annotate(**{f"n_{name}": Sum(name) for name in needed})
            .order_by("-day")
        )
        counted = [(row["day"], min(row[f"n_{name}"] for name in needed)) for row in rows]
        return [(day, count) for day, count in counted if count > 0]


@dataclass(frozen=True)
class RequestPage:
    """Requests, the newest first; `next` continues behind the last of them, None at the end."""

    requests: Sequence[Request]
    next: str | None


Place = tuple[datetime, uuid.UUID]


def newest(wanted: Wanted, *, retention_days: int, cursor: str | None = None, limit: int = 50) -> RequestPage:
    """One page of the log. Raises ApiError (422) for a cursor that is not ours."""
    place, today = place_of(cursor), timezone.now().date()
    last = today + DAY if place is None else min(place[0].date(), today + DAY)
    first_kept, end = today - DAY * (retention_days + 1), last + DAY
    days = wanted.days(max(first_kept, wanted.since or first_kept), min(end, wanted.until or end))
    found: list[Request] = []
    for first, end in stretches(days, limit + 1 if wanted.exact else 0):
        requests = wanted.of(Request.objects.in_days(first, end)).newest_first()
        if place is not None:
            earlier = Q(started_at__lt=place[0]) | Q(started_at=place[0], id__lt=place[1])
            requests = requests.filter(earlier, started_at__lte=place[0])
        found += requests.select_related("application", "deployment").defer("raw")[: limit + 1 - len(found)]
        if len(found) > limit:
            break
    shown = found[:limit]
    return RequestPage(shown, cursor_of(shown[-1]) if len(found) > limit else None)


def stretches(days: Sequence[tuple[date, int]], wanted: int) -> Iterator[tuple[date, date]]:
    """Spans of days, the newest first, end exclusive: the first holds `wanted` requests, then each is twice as wide."""
    place, width = 0, 1
    while width < len(days) and sum(count for _day, count in days[:width]) < wanted:
        width += 1
    while place < len(days):
        span = days[place : place + width]
        yield span[-1][0], span[0][0] + DAY
        place, width = place + width, width * 2


def cursor_of(request: Request) -> str:
    return encode_cursor(request.started_at.isoformat(), str(request.id))


def place_of(cursor: str | None) -> Place | None:
    """What a cursor says. Raises ApiError (422)."""
    values = decode_cursor(cursor, (str, str))
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), uuid.UUID(values[1])
    except ValueError:
        raise ApiError(422, "This cursor was not given by this list.") from None


def ratings_of(requests: Sequence[Request]) -> dict[uuid.UUID, list[Rating]]:
    """Ratings of some requests, by request."""
    found: dict[uuid.UUID, list[Rating]] = {}
    for rating in Rating.objects.filter(request_id__in=[request.id for request in requests]).order_by("created_at"):
        assert rating.request_id is not None, "filtered by it"
        found.setdefault(rating.request_id, []).append(rating)
    return found


def choices(wanted: Wanted, days: int = 30) -> dict[str, list[Any]]:
    """Providers and models that have been used lately, for the filters."""
    first = timezone.now().date() - DAY * days
    used = UsageDay.objects.filter(day__gte=first)
    if wanted.applications is not None:
        used = used.filter(application_id__in=wanted.applications)
    pairs = set(used.values_list("provider", "model").distinct())
    return {"provider": sorted({one for one, _ in pairs}), "model": sorted({one for _, one in pairs})}
