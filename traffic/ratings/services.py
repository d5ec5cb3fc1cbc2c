"""Ratings come in: from people in the UI and from applications, also before the request that they judge."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from lib import sql
from traffic.authentication.keys import Caller
from traffic.models import Abstention, RaterKind, RaterPreference, Rating, RatingDraft, Request
from traffic.models.queues import number_of_person
from traffic.queues import services as queues
from traffic.ratings.judgement import Judgement
from traffic.ratings.named_requests import find_request
from traffic.ratings.queue import DAYS
from traffic.ratings.waiting import COPIED, wait

JUDGED = ("score", "stars", "comment", "rubric_id", "marks")


RATING = sql.Table(Rating, "t")
# A rater's earlier judgement of the answer is replaced, and of a person what they typed about it is deleted.
RATE = f"""
WITH typed AS (DELETE FROM traffic_ratingdraft WHERE rater_id = %(rater_id)s AND request_id = %(request_id)s)
INSERT INTO traffic_rating AS t (day, request_id, response_id, rater_id, rater_kind, by, score, stars, comment,
                                 rubric_id, marks, created_at, application_id, deployment_id, model, task, gold)
VALUES (%(day)s, %(request_id)s, '', %(rater_id)s, %(rater_kind)s, %(by)s, %(score)s, %(stars)s, %(comment)s,
        %(rubric_id)s, %(marks)s, %(created_at)s, %(application_id)s, %(deployment_id)s, %(model)s, %(task)s,
        EXISTS (SELECT 1 FROM traffic_rating AS g WHERE g.request_id = %(request_id)s AND g.rater_kind = 'gold'))
ON CONFLICT (request_id, rater_kind, by) WHERE request_id IS NOT NULL DO UPDATE
SET (day, rater_id, score, stars, comment, rubric_id, marks, created_at, application_id, deployment_id, model, task)
  = (excluded.day, excluded.rater_id, excluded.score, excluded.stars, excluded.comment, excluded.rubric_id,
     excluded.marks, excluded.created_at, excluded.application_id, excluded.deployment_id, excluded.model,
     excluded.task)
RETURNING {RATING}
"""


@transaction.atomic
def rate(*, request: Request, judgement: Judgement, rater: AbstractBaseUser | None = None) -> Rating:
    """Store a judgement of an answer; an earlier one of the same rater is replaced.

    A person's rating counts in the queues that need it, and ends their draft.
    """
    values: dict[str, Any] = {name: getattr(request, name) for name in COPIED} | asdict(judgement)
    values |= {"request_id": request.id, "day": request.day, "created_at": timezone.now()}
    values |= {"rater_id": None, "marks": Jsonb(judgement.marks)}
    if rater is not None:
        values |= {"rater_id": rater.pk, "rater_kind": RaterKind.PERSON, "by": number_of_person(rater.pk)}
    ((rating,),) = sql.instances(RATE, RATING, parameters=values)
    if rater is not None:
        queues.count_rating(rater.pk, request.id, rating.created_at)
    return cast(Rating, rating)


@transaction.atomic
def undo(*, rating: Rating, before: dict[str, Any] | None) -> None:
    """Take a rating back: the rater's earlier judgement (`judgement_of`) holds again, or none.

    The rating is locked before the entries of queues, as in `rate`, so that the two never wait for each other.
    """
    if before is None:
        assert rating.request_id is not None, "people rate what has arrived"
        rating.delete()
        if rating.rater_id is not None:
            queues.uncount_rating(rating.rater_id, rating.request_id, timezone.now())
        return
    for name in JUDGED:
        setattr(rating, name, before[name])
    rating.save(update_fields=JUDGED)


def judgement_of(rating: Rating | None) -> dict[str, Any] | None:
    """The content of a rating, from which `undo` restores it."""
    return None if rating is None else {name: getattr(rating, name) for name in JUDGED}


def receive(*, identifier: str, judgement: Judgement, caller: Caller) -> Rating:
    """The rating that a program sent for a request; it waits while that has not arrived.

    An id that another application's request bears is one that nobody ever saw: it waits too, and tells nothing. A
    request that arrives between the look and the wait is found by the worker's next look, within ten seconds.
    Raises ApiError (429) where too many of the application's ratings wait.
    """
    kind = RaterKind.INSTALLATION if caller.application_id is None else RaterKind.APPLICATION
    judgement = replace(judgement, rater_kind=kind)
    request = find_request(identifier, caller.application_id)
    if request is not None:
        return rate(request=request, judgement=judgement)
    return wait(identifier=identifier, judgement=judgement, application_id=caller.application_id)


@transaction.atomic
def make_gold(*, request: Request, right: bool, by: AbstractBaseUser | AnonymousUser) -> None:
    """From now on raters are held to what is right of this answer, acceptable or not, and no rating of it is quality.

    Queues ask for it no more, but mix it in for each rater.
    """
    values = {"day": request.day, "by": number_of_person(by.pk), "score": 1 if right else -1, "gold": True}
    values |= {name: getattr(request, name) for name in COPIED}
    Rating.objects.update_or_create(request_id=request.id, rater_kind=RaterKind.GOLD, defaults=values)
    Rating.objects.filter(request_id=request.id, gold=False).update(gold=True)
    queues.drop_open(request.id)


@transaction.atomic
def end_gold(request: Request) -> None:
    """The answer is one like others again, and its ratings count."""
    Rating.objects.filter(request_id=request.id, rater_kind=RaterKind.GOLD).delete()
    Rating.objects.filter(request_id=request.id, gold=True).update(gold=False)
    queues.drop_open(request.id)


COPY_AGAIN = """
UPDATE traffic_rating AS t
SET application_id = r.application_id, deployment_id = r.deployment_id, model = r.model, task = r.task
FROM traffic_request AS r
WHERE t.day >= %(first)s AND r.day >= %(first)s AND r.day = t.day AND r.id = t.request_id
  AND (t.application_id, t.deployment_id, t.model, t.task)
      IS DISTINCT FROM (r.application_id, r.deployment_id, r.model, r.task)
"""


def refresh_copies(*, days: int = 3) -> int:
    """Bring the copies in ratings up to date where a twin told more about the request; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(COPY_AGAIN, {"first": timezone.now().date() - timedelta(days=days)})
        return int(cursor.rowcount)


def abstain(*, request: Request, rater: AbstractBaseUser, reason: str = "") -> Abstention:
    """Note that this person cannot judge an answer, and why. What is left of days that are not offered is deleted."""
    before = timezone.now().date() - timedelta(days=DAYS)
    for notes in (Abstention.objects, RatingDraft.objects):
        notes.filter(rater=rater.pk, day__lt=before).delete()
    made, _new = Abstention.objects.get_or_create(
        rater_id=rater.pk, request_id=request.id, defaults={"day": request.day, "reason": reason[:200]}
    )
    queues.release(rater, request.id)
    return made


def forget_notes(before: date) -> None:
    """Drafts, reasons and comments may quote texts, so they go with the bodies of these days; the scores stay."""
    Rating.objects.filter(day__lt=before).exclude(comment="").update(comment="")
    for notes in (Abstention.objects, RatingDraft.objects):
        notes.filter(day__lt=before).delete()


def withdraw_abstention(abstention: Abstention) -> None:
    """The answer is offered again."""
    abstention.delete()


def save_draft(*, day: date, request_id: UUID, rater: AbstractBaseUser, typed: dict[str, Any]) -> None:
    """Keep what a rater typed about an answer until they rate it; the answer stays reserved for them."""
    RatingDraft.objects.update_or_create(
        rater_id=rater.pk, request_id=request_id, defaults={"typed": typed, "day": day}
    )
    queues.extend(rater, request_id, timezone.now())


def set_name_hidden(rater: AbstractBaseUser, hidden: bool) -> None:
    """Whether only this person and admins see their name with their ratings."""
    RaterPreference.objects.update_or_create(person_id=rater.pk, defaults={"hide_name": hidden})
