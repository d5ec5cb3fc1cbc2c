"""Which request an id means that a program names: ours, the vendor's response id, or the program's own of this week.

A name of an application means its own requests alone: one that another application's request bears is, for it, a name
that nobody ever saw. Names of no application mean any request. However many names, a few queries look for them.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from lib.dates import DAY
from traffic import request_ids as ids
from traffic.models import Application, Installation, Request
from traffic.models.requests import RequestQuerySet
from traffic.request_ids import uuid_of

OWN_ID_DAYS = 7  # how far back a request is looked for by the id that its application gave it
# Days to look back at, one stretch after the other: a rating mostly follows its request by minutes.
STRETCHES = (2, 14, 90, 400)


class Name(NamedTuple):
    """An id of up to 200 characters, and the application that says it; None: a program of no application."""

    identifier: str
    application_id: int | None

    def means(self, request: Request) -> bool:
        return self.application_id in (None, request.application_id)


def find_request(identifier: str, application_id: int | None) -> Request | None:
    """The one request that a name means; None where there is none."""
    name = Name(identifier, application_id)
    return find_requests([name]).get(name)


def find_requests(names: Collection[Name], *, back: Sequence[int] = STRETCHES) -> dict[Name, Request]:
    """The request of each name that has one. `back` is how many days a response id is looked for, in stretches."""
    salt = bytes(Installation.objects.values_list("salt", flat=True).first() or b"")
    requests = _by_our_id(names)
    requests |= _by_response_id(salt, _left(names, requests), back)
    requests |= _by_short_response_id(_left(names, requests))
    requests |= _by_own_id(salt, _left(names, requests))
    return requests


def _left(names: Iterable[Name], requests: dict[Name, Request]) -> list[Name]:
    return [name for name in names if name not in requests]


def _of(names: Iterable[Name]) -> RequestQuerySet:
    """Requests that some of the names may mean, of whatever day."""
    applications = {name.application_id for name in names}
    rows = Request.objects.all()
    if None in applications:
        return rows
    # Exactly their own: a collector's row of no application may yet become this application's, and then it is found.
    return rows.filter(application_id__in=[pk for pk in applications if pk is not None])


def _by_our_id(names: Iterable[Name]) -> dict[Name, Request]:
    wanted: dict[uuid.UUID, list[Name]] = defaultdict(list)
    for name in names:
        identifier = uuid_of(name.identifier)
        if identifier is not None:
            wanted[identifier].append(name)
    return _by_id(wanted)


def _by_id(wanted: dict[uuid.UUID, list[Name]]) -> dict[Name, Request]:
    """Requests by their ids, which carry their days; of several that one name means, the newest."""
    days = {ids.day_of(identifier) for identifier in wanted}
    rows = Request.objects.filter(day__in=days, id__in=list(wanted)).order_by("started_at", "id") if wanted else ()
    return {name: request for request in rows for name in wanted[request.id] if name.means(request)}


def _by_response_id(salt: bytes, names: Iterable[Name], back: Sequence[int]) -> dict[Name, Request]:
    left = {name: digests for name in names if (digests := _digests(salt, name))}
    requests: dict[Name, Request] = {}
    today = timezone.now().date()
    end = today + 2 * DAY  # a clock may be ahead of ours
    for days in back:
        if not left:
            break
        first = today - DAY * days
        wanted = {digest for digests in left.values() for digest in digests}
        rows = _of(left).in_days(first, end).filter(response_hash__in=wanted)
        of_hash: dict[uuid.UUID | None, list[Request]] = defaultdict(list)
        for request in rows:
            of_hash[request.response_hash].append(request)
        for name, digests in list(left.items()):
            same = [request for digest in digests for request in of_hash[digest] if name.means(request)]
            if same:  # a program of no application means, before others, a request of none
                requests[name] = min(same, key=lambda request: (request.application_id is not None, request.id))
                del left[name]
        end = first
    return requests


def _digests(salt: bytes, name: Name) -> list[uuid.UUID]:
    """The hashes under which a response id is stored: of who told it first, and of this application beside that one."""
    first = ids.response_hash(salt, name.identifier)
    if first is None:
        return []
    return [first] if name.application_id is None else [first, ids.second_hash(first, name.application_id)]


# A short response id comes again and again: the newest answer that bears it is meant. The index of short ids has it as
# its last entry of that application, id and day, so however many bear it, one row of each day is read.
SHORT = """
SELECT name, newest.id FROM unnest(%(names)s::text[]) AS name
CROSS JOIN LATERAL (
    SELECT of_application.id, of_application.utc FROM unnest(%(applications)s::bigint[]) AS application
    CROSS JOIN LATERAL (
        SELECT id, started_at AT TIME ZONE 'UTC' AS utc FROM traffic_request
        WHERE day >= %(first)s AND day < %(end)s AND coalesce(application_id, 0) = application
          AND response_id = name AND length(response_id) < 20
        ORDER BY started_at AT TIME ZONE 'UTC' DESC LIMIT 1
    ) AS of_application
    ORDER BY of_application.utc DESC LIMIT 1
) AS newest
"""
NO_APPLICATION = 0


def _by_short_response_id(names: Iterable[Name]) -> dict[Name, Request]:
    """The newest of the last days of each name's application; of any, where the name is of none."""
    short: dict[int | None, list[str]] = defaultdict(list)
    for name in names:
        if len(name.identifier) < ids.MIN_RESPONSE_ID:
            short[name.application_id].append(name.identifier)
    wanted: dict[uuid.UUID, list[Name]] = defaultdict(list)
    today = timezone.now().date()
    for application_id, identifiers in short.items():
        applications = [application_id]
        if application_id is None:
            applications = [NO_APPLICATION, *Application.objects.values_list("pk", flat=True)]
        values: dict[str, Any] = {
            "first": today - 2 * DAY,
            "end": today + 2 * DAY,
            "applications": applications,
            "names": identifiers,
        }
        with connection.cursor() as cursor:
            cursor.execute(SHORT, values)
            for identifier, request_id in cursor.fetchall():
                wanted[request_id].append(Name(identifier, application_id))
    return _by_id(wanted)


def _by_own_id(salt: bytes, names: Iterable[Name]) -> dict[Name, Request]:
    """Requests to which the application itself gave this id; their day is part of what that id became."""
    today = timezone.now().date()
    days = [today - DAY * number for number in range(-1, OWN_ID_DAYS + 1)]  # a clock may be ahead of ours
    return _by_id(
        {ids.request_id(salt, name.application_id, name.identifier, day): [name] for name in names for day in days}
    )
