"""Queues, how far they are, and what is left in them for one rater."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from lib import sql
from traffic.models import Abstention, QueueEntry, RatingQueue, Rubric
from traffic.queues.services import judged
from traffic.visibility import Person, copies_of_others, rateable

SHOWN = 100  # queues on the page, the newest


@dataclass(frozen=True, slots=True)
class Progress:
    """Ratings that a queue needs, has, and has from one rater; `left` is what that rater may still rate, if counted."""

    queue: RatingQueue
    needed: int
    rated: int
    mine: int
    left: int | None = None

    @property
    def closed(self) -> bool:
        return self.queue.closed_at is not None

    @property
    def done(self) -> bool:
        return self.rated >= self.needed


def _with_progress(queues: QuerySet[RatingQueue], person: Person) -> QuerySet[RatingQueue]:
    # A gold answer counts from its rating on, so that nothing on the page shows that it is one.
    counted = Q(entries__text_deleted=False, entries__gold=False) | Q(entries__rated_at__isnull=False)
    rated = Q(entries__rated_at__isnull=False)
    return queues.annotate(
        needed=Count("entries", filter=counted, distinct=True),
        rated=Count("entries", filter=rated, distinct=True),
        mine=Count("entries", filter=rated & Q(entries__rater=person.pk), distinct=True),
    )


def _progress(row: RatingQueue, left: int | None = None) -> Progress:
    counts: dict[str, int] = vars(row)
    return Progress(row, counts["needed"], counts["rated"], counts["mine"], left)


def open_to(person: Person) -> QuerySet[RatingQueue]:
    """Open queues in which this person may rate."""
    theirs = RatingQueue.raters.through.objects.filter(ratingqueue=OuterRef("pk"))
    may_rate = ~Exists(theirs) | Exists(theirs.filter(user=person.pk))
    return RatingQueue.objects.filter(may_rate, closed_at=None)


def listed(person: Person, *, every: bool) -> list[Progress]:
    """Queues with their progress, open ones first: all of them, or those in which this person may rate."""
    queues = RatingQueue.objects.all() if every else open_to(person)
    rows = _with_progress(queues.select_related("rubric", "application", "deployment", "by"), person)
    return [_progress(row) for row in rows.order_by(F("closed_at").desc(nulls_first=True), "-pk")[:SHOWN]]


def every_queue() -> list[Progress]:
    """All queues with their progress, for a program."""
    return listed(AnonymousUser(), every=True)


def left_for(person: Person) -> dict[int, int]:
    """By open queue, how many answers this person may rate now; queues without one are left out. One statement."""
    within, now = rateable(person), timezone.now()
    if not within:
        return {}
    free = Q(reserved_until=None) | Q(reserved_until__lte=now) | Q(rater=person.pk)
    entries = QueueEntry.objects.filter(
        free, ~judged(person), ~copies_of_others(within, "request_id"), queue__in=open_to(person), rated_at=None,
        text_deleted=False, gold=False, application__in=within,
    )  # fmt: skip
    rows = entries.order_by().values_list("queue").annotate(n=Count("request_id", distinct=True))
    return dict(rows.values_list("queue", "n"))


def names_of(queues: Collection[int]) -> list[tuple[int, str]]:
    """The numbers and names of some queues, the oldest first."""
    return list(RatingQueue.objects.filter(pk__in=queues).order_by("pk").values_list("pk", "name"))


QUEUE, RUBRIC = sql.Table(RatingQueue, "q"), sql.Table(Rubric, "rubric")
OPEN_QUEUE = f"""
SELECT {QUEUE}, {RUBRIC}, counts.needed, counts.rated, counts.mine
FROM traffic_ratingqueue AS q LEFT JOIN traffic_rubric AS rubric ON rubric.id = q.rubric_id
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT (e.text_deleted OR e.gold) OR e.rated_at IS NOT NULL) AS needed,
           count(e.rated_at) AS rated, count(e.rated_at) FILTER (WHERE e.rater_id = %(rater)s) AS mine
    FROM traffic_queueentry AS e WHERE e.queue_id = q.id
) AS counts
WHERE q.id = %(queue)s AND q.closed_at IS NULL
  AND coalesce((SELECT bool_or(r.user_id = %(rater)s) FROM traffic_ratingqueue_raters AS r
                WHERE r.ratingqueue_id = q.id), true)
"""


def open_queue(person: Person, pk: int) -> Progress | None:
    """One open queue in which this person may rate."""
    values = {"rater": person.pk, "queue": pk}
    for queue, rubric, needed, rated, mine in sql.instances(OPEN_QUEUE, QUEUE, RUBRIC, parameters=values):
        queue.rubric = rubric
        return Progress(queue, needed, rated, mine)
    return None


def queue_of(pk: int) -> RatingQueue | None:
    return RatingQueue.objects.select_related("rubric", "application", "deployment").filter(pk=pk).first()


def progress_of(queue: RatingQueue, person: Person) -> Progress:
    return _progress(_with_progress(RatingQueue.objects.filter(pk=queue.pk), person).get())


def by_rater(queue: RatingQueue) -> list[tuple[User | None, int]]:
    """How many ratings of the queue each rater made, the most first; None for people who were deleted."""
    rated = queue.entries.filter(rated_at__isnull=False).values_list("rater").annotate(n=Count("pk")).order_by("-n")
    counts = dict(rated.values_list("rater", "n"))
    people = User.objects.select_related("rater_preference").in_bulk([pk for pk in counts if pk is not None])
    return [(people.get(pk) if pk is not None else None, n) for pk, n in counts.items()]


def skip_reasons(queue: RatingQueue) -> Sequence[tuple[str, int]]:
    """Why answers of the queue were not judged, the most frequent first."""
    entries = QueueEntry.objects.filter(queue=queue, request_id=OuterRef("request_id"))
    reasons = Abstention.objects.filter(Exists(entries)).values_list("reason", flat=True)
    return Counter(reasons).most_common(10)


def own_entry(person: Person, queue: RatingQueue, request_id: uuid.UUID) -> QueueEntry | None:
    """The entry of an answer that this person has on screen, or rated."""
    return queue.entries.filter(rater=person.pk, request_id=request_id).first()


# Before an answer of theirs that is not rated yet stands the last one of all.
LAST_RATED = """
SELECT request_id FROM traffic_queueentry
WHERE queue_id = %(queue)s AND rater_id = %(rater)s AND rated_at < coalesce(
    (SELECT rated_at FROM traffic_queueentry
     WHERE queue_id = %(queue)s AND rater_id = %(rater)s AND request_id = %(before)s), 'infinity')
ORDER BY rated_at DESC LIMIT 1
"""


def last_rated(person: Person, queue: RatingQueue, before: uuid.UUID | None = None) -> uuid.UUID | None:
    """The answer that this person rated last in a queue, or last before another one of theirs."""
    values = {"queue": queue.pk, "rater": person.pk, "before": before}
    return next((identifier for (identifier,) in sql.rows(LAST_RATED, values)), None)
