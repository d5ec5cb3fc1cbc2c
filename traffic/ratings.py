"""Ratings come in: from people in the UI and from applications, also before the request that they judge."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from providers.rest.errors import ApiError
from traffic.ingest import ids
from traffic.keys import Caller
from traffic.models import Installation, RaterKind, Rating, Request
from traffic.querysets import RatingQuerySet

DAY = timedelta(days=1)
WAIT = timedelta(days=7)  # how long a rating waits for its request
AT_ONCE = 1_000  # waiting ratings that one look takes
COPIED = ("application_id", "deployment_id", "model", "task")
JUDGED = ("score", "stars", "comment")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rater thinks: a score of 1, 0 or -1, stars from 1 to 5, or both. A rater is a kind and a name."""

    by: str
    score: int | None = None
    stars: int | None = None
    comment: str = ""
    rater_kind: str = RaterKind.APPLICATION


def rate(*, request: Request, judgement: Judgement, rater: AbstractBaseUser | None = None) -> Rating:
    """Store a judgement of an answer; an earlier one of the same rater is replaced."""
    known: dict[str, Any] = asdict(judgement) | {name: getattr(request, name) for name in COPIED}
    if rater is not None:
        known["rater_id"] = rater.pk
        known["rater_kind"] = RaterKind.PERSON
    known |= {"day": request.day, "created_at": timezone.now()}
    rater_of = {name: known.pop(name) for name in ("rater_kind", "by")}
    rating, _made = Rating.objects.update_or_create(request_id=request.id, **rater_of, defaults=known)
    return rating


def undo(*, rating: Rating, before: dict[str, Any] | None) -> None:
    """Take a rating back: what the rater thought before (`judged`) holds again, or nothing."""
    if before is None:
        rating.delete()
        return
    for name in JUDGED:
        setattr(rating, name, before[name])
    rating.save(update_fields=JUDGED)


def judged(rating: Rating | None) -> dict[str, Any] | None:
    """What `undo` needs to bring a rating back."""
    return None if rating is None else {name: getattr(rating, name) for name in JUDGED}


def receive(*, identifier: str, judgement: Judgement, caller: Caller) -> Rating:
    """The rating that a program sent for a request; it waits when that has not arrived.

    Raises ApiError (404) when the request is another application's than the key's.
    """
    kind = RaterKind.INSTALLATION if caller.application_id is None else RaterKind.APPLICATION
    judgement = replace(judgement, rater_kind=kind)
    request = find_request(identifier, caller.application_id)
    if request is None or (request.application_id is None and caller.application_id is not None):
        # A collector's row without application may yet become this application's.
        rating = wait(identifier=identifier, judgement=judgement, application_id=caller.application_id)
        # It may have arrived meanwhile, and looked for waiting ratings before ours was there.
        return attach(rating) or rating
    if caller.application_id not in (None, request.application_id):
        raise ApiError(404, "No request of this key's application has this id.")
    return rate(request=request, judgement=judgement)


def wait(*, identifier: str, judgement: Judgement, application_id: int | None) -> Rating:
    """Keep a rating until its request arrives; an earlier one of the same rater is replaced."""
    same = Rating.objects.waiting().filter(
        response_id=identifier, rater_kind=judgement.rater_kind, by=judgement.by, application=application_id
    )
    rating = same.order_by("-created_at").first() or Rating(response_id=identifier, application_id=application_id)
    for name, value in asdict(judgement).items():
        setattr(rating, name, value)
    rating.created_at = timezone.now()
    rating.save()
    _looked.none_until = 0.0
    return rating


def attach(rating: Rating) -> Rating | None:
    """Give a waiting rating its request; None when that is not there or not of the rating's application.

    Where the same rater has judged the request meanwhile, the later judgement counts.
    """
    request = find_request(rating.response_id, rating.application_id, back=STRETCHES[:2])
    if request is None or rating.application_id not in (None, request.application_id):
        return None
    with transaction.atomic():
        if not Rating.objects.waiting().select_for_update().filter(pk=rating.pk).exists():
            return None  # someone else was first
        rivals = Rating.objects.select_for_update().filter(request_id=request.id, rater_kind=rating.rater_kind)
        rival = rivals.filter(by=rating.by).first()
        if rival is not None and rival.created_at > rating.created_at:
            rating.delete()
            return rival
        if rival is not None:
            rival.delete()
        rating.day, rating.request_id = request.day, request.id
        for name in COPIED:
            setattr(rating, name, getattr(request, name))
        rating.save()
    return rating


def any_waits() -> bool:
    """Whether a rating waits: asked after every batch, so without the ORM, and not again for a second if none did.

    One that another process keeps meanwhile is found by the next look of the task.
    """
    if time.monotonic() < _looked.none_until:
        return False
    with connection.cursor() as cursor:
        cursor.execute(ANY_WAITS, {"since": timezone.now() - WAIT})
        waits = cursor.fetchone() is not None
    if not waits:
        _looked.none_until = time.monotonic() + LOOK_AGAIN_S
    return waits


ANY_WAITS = "SELECT 1 FROM traffic_rating WHERE request_id IS NULL AND created_at >= %(since)s LIMIT 1"
LOOK_AGAIN_S = 1.0


@dataclass
class Looked:
    none_until: float = 0.0


_looked = Looked()


def _patient() -> RatingQuerySet:
    """Waiting ratings, the newest first; after a week their requests are not expected any more."""
    return Rating.objects.waiting().filter(created_at__gte=timezone.now() - WAIT).order_by("-created_at")


def attach_waiting(*, arrived: Collection[str] | None = None) -> int:
    """Attach ratings whose requests are there now; `arrived` names the ids that a batch brought, None looks for them.

    Returns how many were attached. A lost race with a person who rates the same answer is tried again by the next look.
    """
    waiting = list(_patient()[:AT_ONCE])
    present = _present(waiting) if arrived is None else arrived
    attached = 0
    for rating in waiting:
        if rating.response_id in present:
            try:
                attached += attach(rating) is not None
            except IntegrityError:
                continue
    return attached


def _present(waiting: Sequence[Rating]) -> set[str]:
    """Of the ids that ratings wait for, those of requests that are there: two queries however many wait."""
    salt, days = _salt(), _days(WAIT.days)
    by_hash = {
        digest: rating.response_id
        for rating in waiting
        for digest in _digests(salt, rating.response_id, rating.application_id)
    }
    by_id = {
        ids.request_id(salt, rating.application_id, rating.response_id, day): rating.response_id
        for rating in waiting
        for day in days
    } | {known: rating.response_id for rating in waiting if (known := _uuid(rating.response_id))}
    recent = Request.objects.in_days(days[-1], days[0] + DAY)
    hashes = recent.filter(response_hash__in=list(by_hash))
    found = {by_hash[digest] for digest in hashes.values_list("response_hash", flat=True) if digest}
    found |= {by_id[identifier] for identifier in recent.filter(id__in=list(by_id)).values_list("id", flat=True)}
    # Short response ids have no index; they are tried while they are fresh, each among the newest requests alone.
    fresh = timezone.now() - timedelta(minutes=5)
    short = {rating.response_id for rating in waiting if rating.created_at > fresh}
    return found | {name for name in short if len(name) < ids.MIN_RESPONSE_ID}


COPY_AGAIN = """
UPDATE traffic_rating AS t
SET application_id = r.application_id, deployment_id = r.deployment_id, model = r.model, task = r.task
FROM traffic_request AS r
WHERE t.day >= %(first)s AND r.day >= %(first)s AND r.day = t.day AND r.id = t.request_id
  AND (t.application_id, t.deployment_id, t.model, t.task)
      IS DISTINCT FROM (r.application_id, r.deployment_id, r.model, r.task)
"""


def copy_again(*, days: int = 3) -> int:
    """Bring the copies in ratings up to date where a twin told more about the request; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(COPY_AGAIN, {"first": timezone.now().date() - timedelta(days=days)})
        return int(cursor.rowcount)


# Which request is meant.

# Days to look back at, one stretch after the other: a rating mostly follows its request by minutes.
STRETCHES = (2, 14, 90, 400)


def find_request(identifier: str, application_id: int | None, *, back: Sequence[int] = STRETCHES) -> Request | None:
    """The request of an id: ours, the vendor's response id, or the one that the application gave it this week.

    `back` is how many days a response id is looked for, in stretches.
    """
    known = _uuid(identifier)
    return (
        (known and Request.objects.by_id(known))
        or _by_response_id(identifier, application_id, back)
        or _by_its_own_id(identifier, application_id)
    )


def _uuid(identifier: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(identifier)
    except ValueError:
        return None


def _days(back: int) -> list[date]:
    """From tomorrow (a clock may be ahead of ours) back over so many days."""
    return [timezone.now().date() + DAY * number for number in range(1, -back - 1, -1)]


def _by_response_id(identifier: str, application_id: int | None, back: Sequence[int]) -> Request | None:
    digests = _digests(_salt(), identifier, application_id)
    if not digests:
        return _by_short_response_id(identifier, application_id)
    today = timezone.now().date()
    end = today + 2 * DAY
    for days in back:
        first = today - DAY * days
        same = list(Request.objects.in_days(first, end).filter(response_hash__in=digests))
        if same:  # its own, where another application told the same id
            return min(same, key=lambda request: (request.application_id != application_id, request.id))
        end = first
    return None


def _digests(salt: bytes, response_id: str, application_id: int | None) -> list[uuid.UUID]:
    """The hashes under which a response id is stored: of who told it first, and of this application beside that one."""
    first = ids.response_hash(salt, response_id)
    if first is None:
        return []
    return [first] if application_id is None else [first, ids.second_hash(first, application_id)]


SHORT = """
SELECT id FROM (
    SELECT id, started_at, response_id FROM traffic_request
    WHERE day >= %(first)s AND (application_id = %(application)s OR %(application)s IS NULL)
    ORDER BY started_at DESC LIMIT 10000
) AS newest
WHERE response_id = %(identifier)s ORDER BY started_at DESC LIMIT 1
"""


def _by_short_response_id(identifier: str, application_id: int | None) -> Request | None:
    """A short response id comes again and again: the newest answer of the application that bears it is meant."""
    first = timezone.now().date() - 2 * DAY
    with connection.cursor() as cursor:
        cursor.execute(SHORT, {"first": first, "application": application_id, "identifier": identifier})
        found = cursor.fetchone()
    return Request.objects.by_id(found[0]) if found else None


def _by_its_own_id(identifier: str, application_id: int | None) -> Request | None:
    salt, days = _salt(), _days(WAIT.days)
    known = [ids.request_id(salt, application_id, identifier, day) for day in days]
    return Request.objects.in_days(days[-1], days[0] + DAY).filter(id__in=known).newest_first().first()


def _salt() -> bytes:
    """Of the installation's hashes; before the first request there is none, and nothing to find."""
    return bytes(Installation.objects.values_list("salt", flat=True).first() or b"")
