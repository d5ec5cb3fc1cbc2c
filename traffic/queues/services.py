"""Queues are drawn, closed and worked off: an entry is reserved, rated, given back, or has no text any more."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import groupby

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import connection, transaction
from django.db.models import Exists, Max, OuterRef, Q
from django.utils import timezone

from lib import sql
from lib.events import log_event
from traffic.models import Abstention, QueueEntry, Rating, RatingQueue
from traffic.models.queues import number_of_person
from traffic.queues.sampling import draw, ratings_needed
from traffic.visibility import COPY_OF_OTHERS

logger = logging.getLogger(__name__)

RESERVED = timedelta(minutes=15)  # how long an answer stays with the rater who has it on screen
GOLD_EVERY = 10  # of as many answers that a rater gets in a queue one more is a gold answer, at a place of their own
LOCK = 7_203_052  # of two advisory numbers the first; the second is the queue, or the rater


@transaction.atomic
def make(queue: RatingQueue, *, by: AbstractBaseUser | AnonymousUser, raters: Iterable[User]) -> RatingQueue:
    """Store a new queue; without `raters` everybody who may rate is one."""
    queue.by_id = by.pk
    queue.save()
    queue.raters.set(raters)
    return queue


@transaction.atomic
def fill(queue: RatingQueue, now: datetime) -> int:
    """Draw answers up to the queue's size, as many again where it has its size already; returns how many came in."""
    _lock(-queue.pk)
    last = QueueEntry.objects.filter(queue=queue).aggregate(last=Max("position"))["last"]
    begin = 0 if last is None else last + 1
    answers = draw(queue, now.date(), queue.size - begin if begin < queue.size else queue.size)
    QueueEntry.objects.bulk_create(
        QueueEntry(queue=queue, position=place, number=number, day=day, request_id=request, application_id=application)
        for place, (request, day, application) in enumerate(answers, begin)
        for number in range(ratings_needed(queue, place))
    )
    log_event(logger, logging.INFO, "rating_queue_filled", queue_id=queue.pk, answers=len(answers))
    return len(answers)


def _lock(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, number])


ENTRY = sql.Table(QueueEntry, "e")
NOT_JUDGED = """NOT EXISTS (SELECT 1 FROM traffic_rating AS t WHERE t.request_id = {id} AND t.rater_kind = 'person'
                      AND t.by = %(by)s)
      AND NOT EXISTS (SELECT 1 FROM traffic_abstention AS note WHERE note.rater_id = %(rater)s
                      AND note.request_id = {id})"""
# Their own entry is locked as it is looked for: where its time is over, another rater may take it at this moment. Of
# the free ones those that are locked are passed over, and one that is free no more once it is locked is none of them.
# Between the two comes a gold answer that fits the queue, where one is due. Another rater may take its number at this
# moment: then it is due again.
RESERVE = f"""
WITH own AS (
    SELECT id FROM traffic_queueentry AS e
    WHERE {{open}} AND rater_id = %(rater)s AND request_id IS DISTINCT FROM %(beside)s
    ORDER BY id LIMIT 1 FOR UPDATE OF e
), due AS (
    SELECT q.* FROM traffic_ratingqueue AS q WHERE q.id = %(queue)s AND NOT EXISTS (SELECT 1 FROM own) AND (
        SELECT count(*) FILTER (WHERE NOT gold) - %(every)s * count(*) FILTER (WHERE gold) >= 2 + abs(
            hashint8extended(%(rater)s, q.id * 1000 + count(*) FILTER (WHERE gold)) %% (%(every)s - 2))
        FROM traffic_queueentry WHERE queue_id = q.id AND rater_id = %(rater)s)
), mixed AS (
    INSERT INTO traffic_queueentry (queue_id, position, number, day, request_id, application_id, rater_id,
                                    reserved_until, text_deleted, gold)
    SELECT q.id, 0, (SELECT coalesce(max(number) + 1, 0) FROM traffic_queueentry AS e
                     WHERE e.queue_id = q.id AND e.request_id = g.request_id),
           g.day, g.request_id, g.application_id, %(rater)s, %(until)s, false, true
    FROM due AS q JOIN traffic_rating AS g ON g.rater_kind = 'gold' AND g.by <> %(by)s
        AND g.application_id = ANY(%(within)s::bigint[]) AND q.task IN ('', g.task)
        AND g.application_id = coalesce(q.application_id, g.application_id)
        AND (q.deployment_id IS NULL OR q.deployment_id = g.deployment_id)
    WHERE EXISTS (SELECT 1 FROM traffic_request_body AS b
                  WHERE b.day = g.day AND b.request_id = g.request_id AND b.answer > '')
      AND NOT EXISTS (SELECT 1 FROM traffic_queueentry AS mine WHERE mine.queue_id = q.id
                      AND mine.request_id = g.request_id AND mine.rater_id = %(rater)s)
      AND {NOT_JUDGED.format(id="g.request_id")} AND NOT {COPY_OF_OTHERS.format(id="g.request_id")}
    ORDER BY hashtextextended(g.request_id::text, %(rater)s) LIMIT 1 ON CONFLICT DO NOTHING RETURNING *
), free AS (
    SELECT id FROM traffic_queueentry AS e
    WHERE {{open}} AND (reserved_until IS NULL OR reserved_until <= %(now)s) AND NOT gold
      AND NOT EXISTS (SELECT 1 FROM own) AND NOT EXISTS (SELECT 1 FROM mixed)
      AND NOT EXISTS (SELECT 1 FROM traffic_queueentry AS mine WHERE mine.queue_id = e.queue_id
                      AND mine.request_id = e.request_id AND mine.rater_id = %(rater)s)
      AND NOT {COPY_OF_OTHERS.format(id="e.request_id")}
    ORDER BY position, number LIMIT 1 FOR UPDATE OF e SKIP LOCKED
), taken AS (
    UPDATE traffic_queueentry SET rater_id = %(rater)s, reserved_until = %(until)s
    WHERE id = (SELECT id FROM own UNION ALL SELECT id FROM free) RETURNING *
)
SELECT {ENTRY} FROM (SELECT * FROM mixed UNION ALL SELECT * FROM taken) AS e
""".replace(
    "{open}",
    f"""queue_id = %(queue)s AND rated_at IS NULL AND NOT text_deleted AND application_id = ANY(%(within)s::bigint[])
      AND {NOT_JUDGED.format(id="e.request_id")}""",
)


@transaction.atomic
def reserve_next(
    *,
    queue: RatingQueue,
    rater: AbstractBaseUser | AnonymousUser,
    within: list[int],
    now: datetime,
    beside: uuid.UUID | None = None,
) -> QueueEntry | None:
    """The entry that this rater has on screen, else the next free one of these applications; None where none is left.

    `beside` an answer on screen it is the one after it, so that a rater has two at most.

    Two raters who come at once get two entries. One rater in two tabs gets the same entry twice. Gold answers are mixed
    in.
    """
    _lock(rater.pk or 0)
    values = {"queue": queue.pk, "rater": rater.pk, "by": number_of_person(rater.pk), "within": within, "now": now,
              "until": now + RESERVED, "beside": beside, "every": GOLD_EVERY}  # fmt: skip
    return next((entry for (entry,) in sql.instances(RESERVE, ENTRY, parameters=values)), None)


def judged(rater: AbstractBaseUser | AnonymousUser) -> Q:
    """Entries whose answer this rater has rated, or cannot judge."""
    rated = Rating.objects.of_person(rater).filter(request_id=OuterRef("request_id"))
    return Q(Exists(rated)) | Q(Exists(Abstention.objects.filter(rater=rater.pk, request_id=OuterRef("request_id"))))


def extend(rater: AbstractBaseUser | AnonymousUser, request_id: uuid.UUID, now: datetime) -> bool:
    """Who types about an answer keeps it, in every queue; returns whether it was reserved for them in one."""
    mine = QueueEntry.objects.filter(request_id=request_id, rater=rater.pk, rated_at=None)
    return mine.update(reserved_until=now + RESERVED) > 0


def release(rater: AbstractBaseUser | AnonymousUser, request_id: uuid.UUID) -> None:
    """Give back what this rater will not rate."""
    mine = QueueEntry.objects.filter(request_id=request_id, rater=rater.pk, rated_at=None)
    mine.update(rater=None, reserved_until=None)


def text_is_gone(entry: QueueEntry) -> None:
    """The answer was deleted: no rating of it is needed any more."""
    QueueEntry.objects.filter(request_id=entry.request_id, rated_at=None).update(text_deleted=True)


def drop_open(request_id: uuid.UUID) -> None:
    """No queue needs a rating of this answer any more; those that it has stay."""
    QueueEntry.objects.filter(request_id=request_id, rated_at=None).delete()


def count_rating(rater_id: int, request_id: uuid.UUID, now: datetime) -> None:
    """Count a rating in the queues that need it, wherever it was made: the rater's own entry, else a free one.

    In the transaction of the rating.
    """
    open_to = Q(queue__raters=None) | Q(queue__raters=rater_id) | Q(rater=rater_id)
    rows = QueueEntry.objects.filter(open_to, request_id=request_id, queue__closed_at=None)
    entries = rows.order_by("queue_id", "number").select_for_update(of=("self",))
    for _queue, group in groupby(entries, key=lambda entry: entry.queue_id):
        of_queue = list(group)
        own = [entry for entry in of_queue if entry.rater_id == rater_id]
        open_ones = [entry for entry in of_queue if entry.rated_at is None and not entry.gold]
        free = [entry for entry in open_ones if entry.reserved_until is None or entry.reserved_until <= now]
        for entry in (own or free)[:1]:
            entry.rater_id, entry.rated_at = rater_id, entry.rated_at or now
            entry.save(update_fields=["rater", "rated_at"])


def uncount_rating(rater_id: int, request_id: uuid.UUID, now: datetime) -> None:
    """A rating was undone: its rater has the answer again."""
    rated = QueueEntry.objects.filter(rater=rater_id, request_id=request_id, rated_at__isnull=False)
    rated.update(rated_at=None, reserved_until=now + RESERVED)


def switch(queue: RatingQueue) -> RatingQueue:
    """Close an open queue, or open a closed one."""
    queue.closed_at = None if queue.closed_at else timezone.now()
    queue.save(update_fields=["closed_at"])
    return queue
