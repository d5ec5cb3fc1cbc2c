"""Ratings that came before their request: each waits up to a week, and no application waits for another.

Who stores rows gives them the ratings that wait for them, by an index over the names. What came in another way, or more
than a batch attaches by itself, is found by a look of every ten seconds: at the longest overlooked ratings of each
application, each of them less often the longer it has waited.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from lib.errors import ApiError
from lib.events import log_event
from lib.repeated_events import log_repeated
from traffic.models import Rating, Request
from traffic.ratings.named_requests import Name, find_requests

if TYPE_CHECKING:
    from traffic.ratings.judgement import Judgement

logger = logging.getLogger(__name__)

WAIT = timedelta(days=7)  # how long a rating waits for its request
WAITING_MAX = 10_000  # ratings of one application that wait; more are refused until some have theirs
AT_ONCE = 1_000  # of one application, that one look takes
TOGETHER = 200  # whose requests are looked for at once
OF_A_BATCH = 200  # that ingest attaches before it answers; the next look takes the rest
BACK = (14,)  # days before today on which the request may have begun
RETRY_S = 60
LOCK = 7_203_041  # of two advisory numbers the first; the second is the application
COPIED = ("application_id", "deployment_id", "model", "task")


def wait(*, identifier: str, judgement: Judgement, application_id: int | None) -> Rating:
    """Keep a rating until its request arrives; an earlier one of the same rater is replaced.

    One rating of an application after the other, so that no two count themselves as the last that may wait.
    Raises ApiError (429) where WAITING_MAX ratings of the application wait already.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, (application_id or 0) % (1 << 31)])
        rating = _wait(identifier, judgement, application_id)
    _looked.none_until = 0.0
    return rating


def _wait(identifier: str, judgement: Judgement, application_id: int | None) -> Rating:
    same = Rating.objects.waiting().filter(
        response_id=identifier, rater_kind=judgement.rater_kind, by=judgement.by, application=application_id
    )
    rating = same.order_by("-created_at").first()
    if rating is None:
        refuse_too_many(application_id)
        rating = Rating(response_id=identifier, application_id=application_id)
    for name, value in asdict(judgement).items():
        setattr(rating, name, value)
    rating.created_at = rating.look_at = timezone.now()
    rating.save()
    return rating


def refuse_too_many(application_id: int | None) -> None:
    """Raise ApiError (429) when WAITING_MAX ratings of the application wait already."""
    waiting = Rating.objects.waiting().filter(application=application_id).order_by()
    if waiting[:WAITING_MAX].count() < WAITING_MAX:
        return
    details = {"waiting": WAITING_MAX}
    log_repeated(logger, logging.WARNING, "rating_refused", application_id=application_id, details=details)
    raise ApiError(
        429,
        f"{WAITING_MAX:,} ratings wait for requests that have not arrived: send this one when its request is there.",
        retry_after=RETRY_S,
    )


def attach(rating: Rating, request: Request) -> Rating | None:
    """Give a waiting rating its request; None where somebody else was first.

    Where the same rater has judged the request meanwhile, the later judgement counts.
    """
    with transaction.atomic():
        if not Rating.objects.waiting().select_for_update().filter(pk=rating.pk).exists():
            return None
        rivals = Rating.objects.select_for_update().filter(request_id=request.id, rater_kind=rating.rater_kind)
        rival = rivals.filter(by=rating.by).first()
        if rival is not None and rival.created_at > rating.created_at:
            rating.delete()
            return rival
        if rival is not None:
            rival.delete()
        rating.day, rating.request_id = request.day, request.id
        rating.gold = rating.gold or Rating.objects.filter(request_id=request.id, gold=True).exists()
        for name in COPIED:
            setattr(rating, name, getattr(request, name))
        rating.save()
    return rating


def attach_each(waiting: Collection[Rating]) -> int:
    """Attach those whose requests are there; returns how many.

    A race lost with a person who rates the same answer is tried again by a later look.
    """
    name_of = {rating.pk: Name(rating.response_id, rating.application_id) for rating in waiting}
    requests = find_requests(set(name_of.values()), back=BACK)
    attached = 0
    for rating in waiting:
        request = requests.get(name_of[rating.pk])
        if request is not None:
            try:
                attached += attach(rating, request) is not None
            except IntegrityError:
                continue
    return attached


# --- what a batch brought ------------------------------------------------------------------------------------------

ANY_WAITS = "SELECT 1 FROM traffic_rating WHERE request_id IS NULL AND created_at >= %(since)s LIMIT 1"
LOOK_AGAIN_S = 1.0


@dataclass
class NextLook:
    none_until: float = 0.0


_looked = NextLook()


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


NAMED = """
SELECT id, response_id, application_id FROM traffic_rating
WHERE request_id IS NULL AND response_id = ANY(%(names)s) AND created_at >= %(since)s
  AND (application_id IS NULL OR application_id = ANY(%(applications)s))
ORDER BY look_at, id
"""


def attach_arrived(names: Iterable[Name]) -> int:
    """Attach the ratings that wait for rows that were just stored, named by their ids and application.

    Returns how many were attached; past OF_A_BATCH they are left for the next look, which comes to them first.
    """
    names = set(names)
    identifiers = {name.identifier for name in names}
    applications = {name.application_id for name in names if name.application_id is not None}
    since = timezone.now() - WAIT
    with connection.cursor() as cursor:
        cursor.execute(NAMED, {"names": list(identifiers), "applications": list(applications), "since": since})
        named = [
            pk
            for pk, identifier, application_id in cursor.fetchall()
            if application_id is None or Name(identifier, application_id) in names
        ]
    if len(named) > OF_A_BATCH:
        Rating.objects.waiting().filter(pk__in=named[OF_A_BATCH:]).update(look_at=timezone.now() - WAIT)
    return attach_each(Rating.objects.waiting().filter(pk__in=named[:OF_A_BATCH])) if named else 0


# --- what no batch told of -----------------------------------------------------------------------------------------

# The rows to look at of each application, those first that were due first; looked at again after an eighth of the time
# that they have waited by then, and at last when they have waited too long.
TAKE = """
UPDATE traffic_rating AS t
SET look_at = least(
    %(now)s + greatest(interval '10 seconds', (%(now)s - t.created_at) / 8),
    greatest(t.created_at + make_interval(days => %(days)s), %(now)s + interval '10 seconds')
)
FROM (
    SELECT id, row_number() OVER (PARTITION BY application_id ORDER BY look_at, id) AS place FROM traffic_rating
    WHERE request_id IS NULL AND look_at <= %(now)s
) AS due
WHERE due.id = t.id AND due.place <= %(most)s AND t.request_id IS NULL
RETURNING t.id, t.created_at < %(now)s - make_interval(days => %(days)s)
"""


def attach_waiting() -> int:
    """One look at the ratings that are due, up to AT_ONCE of each application; returns how many were attached.

    Those that have waited a week are deleted: their requests are not expected any more.
    """
    with connection.cursor() as cursor:
        cursor.execute(TAKE, {"now": timezone.now(), "days": WAIT.days, "most": AT_ONCE})
        taken = cursor.fetchall()
    stale = [pk for pk, is_stale in taken if is_stale]
    if stale:
        Rating.objects.waiting().filter(pk__in=stale).delete()
        log_event(logger, logging.INFO, "ratings_expired", ratings=len(stale), waited_days=WAIT.days)
    patient = [pk for pk, is_stale in taken if not is_stale]
    return sum(
        attach_each(Rating.objects.filter(pk__in=patient[first : first + TOGETHER]))
        for first in range(0, len(patient), TOGETHER)
    )
