"""Reads of the request log: lists by keyset that walk back day by day, one request, and who may see what.

Every read has a day bound. The rollups say on which days and in which hours there is anything, so that a rare filter
does not read what lies between, and a page never reads more rows than `traffic.requests.hour_reads` lets it.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import F, Q, Sum
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from lib import paging
from lib.dates import DAY, midnight
from lib.errors import ApiError
from providers.models import Discount, TokenPrice
from providers.pricing.book import Book, load_factors
from traffic.models import Application, Installation, RaterKind, Rating, Request, RequestBody, Route, UsageDay
from traffic.models.requests import RequestQuerySet
from traffic.request_ids import response_hash, second_hash
from traffic.requests.facets import FilterChoices, most_used
from traffic.requests.hour_reads import MINUTE, READ_MOST, Span, portions, spans
from traffic.requests.request_filter import Day, RequestFilter
from traffic.usage.filters import Filters
from traffic.visibility import Person, applications_of, copies_of_others

FIRST_ID = uuid.UUID(int=0)
MONTH = 31  # days whose hours are read at once
STATEMENTS_MOST = 4  # that one page in another order takes of the log
SORTED_MOST = 1_000  # requests that the pages of another order show together

# What the list can be sorted by besides time: the address's key, and the value. NULL is not known.
SORTS: Mapping[str, Any] = {
    "started": F("started_at"),
    "application": Lower("application__name"),
    "model": Lower("model"),
    "outcome": F("outcome"),
    "ttft": F("ttft_ms"),
    "latency": F("latency_ms"),
    "input": F("uncached_input")
    + Coalesce("cache_read", 0)
    + Coalesce("cache_write_5m", 0)
    + Coalesce("cache_write_1h", 0),
    "output": F("output"),
    "cost": F("cost"),
}
NEWEST_FIRST = "-started"  # the order without a `sort`
SORTED_VALUE: paging.Sorts = {"value": lambda request: request.sort_value}

# Who may see what.


def open_request(user: Person, identifier: uuid.UUID) -> Request | None:
    """The request of an id, if it is there and this person may open it."""
    request = Request.objects.select_related("application", "deployment").by_id(identifier)
    allowed = applications_of(user)
    return request if request is not None and (allowed is None or request.application_id in allowed) else None


def may_read_body(user: Person, request: Request) -> bool:
    """Whether this person may read prompt and answer: as one of the application's people, or by the permission.

    Not where a trial's prompt is another application's, whose people they are not.
    """
    if user.has_perm("traffic.view_bodies"):
        return True
    theirs = list(Application.objects.of_person(user).values_list("pk", flat=True))
    if request.application_id not in theirs:
        return False
    copied = Request.objects.filter(copies_of_others(theirs, "id"), day=request.day, id=request.id)
    return not copied.exists()


def shares_response_id(request: Request) -> bool:
    """Whether another application has a request with the same response id; each is a row of its own."""
    salt = Installation.objects.values_list("salt", flat=True).first() or b""
    first = response_hash(bytes(salt), request.response_id)
    if first is None:
        return False
    owners = Application.objects.values_list("pk", flat=True)
    same = Request.objects.in_days(request.day - DAY, request.day + 2 * DAY).filter(
        response_hash__in=[first, *(second_hash(first, owner) for owner in owners)]
    )
    others = same.exclude(id=request.id).values_list("application_id", flat=True)
    return any(owner is not None and owner != request.application_id for owner in others)


def body_of(request: Request) -> RequestBody | None:
    """Prompt and answer, where the application captured them and they are still kept."""
    return RequestBody.objects.filter(day=request.day, request_id=request.id).first()


# What lies beside one request.


def price_of(request: Request) -> TokenPrice | None:
    """The price version that it was costed with."""
    return TokenPrice.objects.filter(pk=request.price_id).first() if request.price_id else None


def discount_of(request: Request) -> Discount | None:
    """The contract that it was costed with, also one that was taken back since."""
    if request.discount_id is None:
        return None
    return Discount.objects.select_related("account").filter(pk=request.discount_id).first()


def tier_factor_of(request: Request) -> Decimal | None:
    """What its tier makes of the price, as the book says today; None without one, or where the book has none."""
    if not request.tier:
        return None
    connection.ensure_connection()
    factors = Book({}, factors=load_factors(connection.connection))
    return factors.factor(request.provider, request.model, request.started_at, request.tier)


def ratings_with_raters(request: Request) -> list[Rating]:
    """Its ratings, the oldest first."""
    ratings = Rating.objects.filter(request_id=request.id)
    return list(ratings.select_related("rater__rater_preference", "application").order_by("created_at"))


def route_of(request: Request) -> Route | None:
    """The routing rule that sent it, if it is still there."""
    return Route.objects.filter(slug=request.route).first() if request.route else None


# The list.


@dataclass(frozen=True)
class RequestPage:
    """Requests, the newest first; `next` continues behind the last of them, None at the end.

    `reached` is how far back it was read where that ended before the page was full; None else.
    """

    requests: Sequence[Request]
    next: str | None
    reached: datetime | None = None
    sorted_since: datetime | None = None  # of another order that does not reach all: from when on its requests are


Place = tuple[datetime, uuid.UUID]


def newest(
    request_filter: RequestFilter, *, retention_days: int, cursor: str | None = None, limit: int = 50
) -> RequestPage:
    """One page of the log. Raises ApiError (422) for a cursor that is not ours.

    At most `READ_MOST` rows are read for it, whatever the filters and however many are stored: then it ends early.
    """
    place = decode_cursor(cursor)
    days = request_filter.days(*days_of(request_filter, retention_days, place))
    page: list[Request] = []
    read, reached = 0, None
    for portion in portions_of(request_filter, days, place, limit + 1):
        if reached is not None:
            return RequestPage(page, cursor_at(reached), reached)
        page += read_spans(request_filter, portion, place, limit + 1 - len(page))
        if len(page) > limit:
            return RequestPage(page[:limit], cursor_of(page[limit - 1]))
        read += sum(span.rows for span in portion)
        reached = portion[-1].start if read >= READ_MOST else None
    return RequestPage(page, None)


def in_order(
    request_filter: RequestFilter, sort: str, *, retention_days: int, cursor: str | None = None, limit: int = 50
) -> RequestPage:
    """One page in another order: of the newest hours that hold `READ_MOST` rows together, or that `STATEMENTS_MOST`
    statements reach. What is not known stands last.

    The cursor keeps the end of those hours, so that the next page is of the same requests. Raises ApiError (422) for a
    cursor that is not ours or of another order.
    """
    values = paging.decode_cursor(cursor, (str, str, int))
    if values is not None and (values[0] != sort or not 0 < values[2] < SORTED_MOST):
        raise ApiError(422, "This cursor was not given by this list.")
    end = paging.cursor_value(datetime, values[1]) if values else timezone.now() + MINUTE
    skipped = values[2] if values else 0
    place, needed = (end, FIRST_ID), skipped + limit + 1
    days = request_filter.days(*days_of(request_filter, retention_days, place))
    requests: list[Request] = []
    read, since = 0, None
    for number, portion in enumerate(portions_of(request_filter, days, place, READ_MOST)):
        if read >= READ_MOST or number >= STATEMENTS_MOST:
            break
        requests += rows_in_order(request_filter, portion, place, sort, needed)
        read += sum(span.rows for span in portion)
        since = portion[-1].start
    else:
        since = None
    ordered = paging.in_order(requests, SORTED_VALUE, f"{'-' if sort.startswith('-') else ''}value")[:needed]
    is_more = len(ordered) == needed and needed <= SORTED_MOST
    after = paging.encode_cursor(sort, end.isoformat(), skipped + limit) if is_more else None
    return RequestPage(ordered[skipped : skipped + limit], after, sorted_since=since)


def rows_in_order(
    request_filter: RequestFilter, portion: Sequence[Span], place: Place, sort: str, limit: int
) -> Sequence[Request]:
    """The first requests of these spans in this order; among equal ones the newest first."""

    def turned(value: Any) -> Any:
        return value.desc(nulls_last=True) if sort.startswith("-") else value.asc(nulls_last=True)

    value = SORTS[sort.removeprefix("-")]
    parts = [
        statement(request_filter, span, place)
        .annotate(sort_value=value)
        .order_by(turned(F("sort_value")), "-started_at", "-id")[:limit]
        for span in portion
    ]
    first, *others = parts
    if others:
        first = first.union(*others, all=True).order_by(turned(F("sort_value")), "-started_at", "-id")[:limit]
    return list(first)


def days_of(request_filter: RequestFilter, retention_days: int, place: Place | None = None) -> tuple[date, date]:
    """The first day that may have what is wanted, and the day after the last."""
    today = timezone.now().date()
    last = today + DAY if place is None else min(place[0].date(), today + DAY)
    first, end = today - DAY * (retention_days + 1), last + DAY
    return max(first, request_filter.since or first), min(end, request_filter.until or end)


def portions_of(
    request_filter: RequestFilter, days: Sequence[Day], place: Place | None, needed: int
) -> Iterator[Sequence[Span]]:
    """Spans of time to read, a statement's worth each; `place` is where the last page ended."""
    sizes = [(day.day, day.passing if request_filter.exact else day.rows) for day in days]
    by_date = {day.day: day for day in days}
    for some in stretches(sizes, needed if request_filter.exact else READ_MOST):
        day_spans = spans_of(request_filter, [by_date[day] for day, _size in some])
        behind = (span for span in day_spans if place is None or (span.start, FIRST_ID) < place)
        yield from portions(behind, needed, exact=request_filter.exact)


def spans_of(request_filter: RequestFilter, days: Sequence[Day]) -> Iterator[Span]:
    """The days whole where all of them may be read at once, else their hours; the newest first."""
    everything = (
        request_filter.visible_filters() == Filters()
    )  # else the days tell only how many rows of the filters there are
    if everything and sum(day.rows for day in days) <= READ_MOST:
        return (Span(midnight(day.day), midnight(day.day + DAY), day.passing, day.rows) for day in days)
    return spans(request_filter.hours([day.day for day in days]))


def read_spans(
    request_filter: RequestFilter, portion: Sequence[Span], place: Place | None, limit: int
) -> list[Request]:
    """What passes in these spans, the newest first: each by one index, in its order, on the partitions of its days."""
    parts = [statement(request_filter, span, place)[:limit] for span in portion]
    first, *others = parts
    requests = first.union(*others, all=True).order_by("-started_at", "-id")[:limit] if others else first
    return list(requests)


def statement(request_filter: RequestFilter, span: Span, place: Place | None = None) -> RequestQuerySet:
    """The requests of a span that pass, the newest first."""
    requests = request_filter.of(
        Request.objects.in_days(*span.days).between(span.start, span.end, odd=request_filter.odd)
    )
    if place is not None and place[0] < span.end:
        requests = earlier(requests, place)
    return requests.select_related("application", "deployment").defer("raw")


def earlier(requests: RequestQuerySet, place: Place | None) -> RequestQuerySet:
    """Those behind a place in the list."""
    if place is None:
        return requests
    return requests.filter(Q(started_at__lt=place[0]) | Q(started_at=place[0], id__lt=place[1]))


def stretches(days: Sequence[tuple[date, int]], wanted: int) -> Iterator[Sequence[tuple[date, int]]]:
    """Days, the newest first: the first part holds `wanted` requests if a month does, then each is twice as long."""
    place, width = 0, 1
    while width < len(days) and sum(count for _day, count in days[:width]) < wanted:
        width += 1
    while place < len(days):
        width = min(width, MONTH)
        yield days[place : place + width]
        place, width = place + width, width * 2


def cursor_of(request: Request) -> str:
    return paging.encode_cursor(request.started_at.isoformat(), str(request.id))


def cursor_at(moment: datetime) -> str:
    """Continues with what began before a moment."""
    return paging.encode_cursor(moment.isoformat(), str(FIRST_ID))


def decode_cursor(cursor: str | None) -> Place | None:
    """The start and the id of the request that a cursor names. Raises ApiError (422) for a cursor of another list."""
    values = paging.decode_cursor(cursor, (str, str))
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), uuid.UUID(values[1])
    except ValueError:
        raise ApiError(422, "This cursor was not given by this list.") from None


def ratings_of(requests: Sequence[Request]) -> dict[uuid.UUID, list[Rating]]:
    """Ratings of some requests, by request."""
    by_request: dict[uuid.UUID, list[Rating]] = {}
    rows = Rating.objects.filter(request_id__in=[request.id for request in requests]).exclude(rater_kind=RaterKind.GOLD)
    for rating in rows.order_by("created_at"):
        assert rating.request_id is not None, "filtered by it"
        by_request.setdefault(rating.request_id, []).append(rating)
    return by_request


def marks_of(requests: Sequence[Request]) -> dict[uuid.UUID, int]:
    """The automatic marks of some requests' texts, by request; those without texts have none."""
    ids, days = [request.id for request in requests], {request.day for request in requests}
    texts = RequestBody.objects.filter(day__in=days, request_id__in=ids, marks__gt=0)
    return {text.request_id: text.marks or 0 for text in texts.only("request_id", "marks")}


def choices(request_filter: RequestFilter, days: int = 30) -> dict[str, FilterChoices]:
    """Providers and models that have been used lately, for the filters; the most used, and those that are chosen."""
    first = timezone.now().date() - DAY * days
    used = UsageDay.objects.filter(day__gte=first)
    if request_filter.applications is not None:
        used = used.filter(application_id__in=request_filter.applications)
    uses: dict[str, Counter[str]] = {"provider": Counter(), "model": Counter()}
    for provider, model, n in used.values_list("provider", "model").annotate(n=Sum("requests")).order_by():
        uses["provider"][provider] += n
        uses["model"][model] += n
    chosen = {"provider": request_filter.filters.provider, "model": request_filter.filters.model}
    return {name: most_used(counts, chosen[name]) for name, counts in uses.items()}
