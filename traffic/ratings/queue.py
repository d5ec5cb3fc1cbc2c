"""The answers that wait for one person's judgement: of their applications, kept, and not yet rated by them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.utils import timezone

from lib import sql
from lib.dates import midnight
from traffic.models import Abstention, Application, RaterPreference, Rating, RatingDraft, Request
from traffic.models.queues import number_of_person
from traffic.request_ids import day_of
from traffic.visibility import COPY_OF_OTHERS, Person

DAYS = 14  # how far back an answer is still offered
LONGEST = 200  # answers that are looked at at once


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to judge, with what it was asked, what its rater typed without sending it, and their rating of it."""

    request: Request
    prompt: str | None
    text: str
    draft: Mapping[str, Any] | None = None
    mine: Rating | None = None
    cannot: bool = False  # this person cannot judge it

    @property
    def judged(self) -> bool:
        return self.cannot or self.mine is not None


# Day by day from the newest, so that no more days are read than have the answers. Each look beside a request is one of
# an index: a new day, which PostgreSQL knows nothing of yet, is never read whole for each of its requests.
WAITING = f"""
SELECT r.id FROM generate_series(%(last)s::date, %(first)s::date, interval '-1 day') AS newest
CROSS JOIN LATERAL (
    SELECT id, application_id FROM traffic_request AS r
    WHERE day = newest::date AND day >= %(first)s AND day <= %(last)s AND outcome = 'ok'
      AND application_id = ANY(%(within)s::bigint[])
      AND EXISTS (SELECT 1 FROM traffic_request_body AS b WHERE b.day = r.day AND b.request_id = r.id
                  AND b.day >= %(first)s AND b.day <= %(last)s AND b.answer > '' OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM traffic_rating AS t WHERE t.request_id = r.id AND t.rater_kind = 'person'
                      AND t.by = %(by)s OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM traffic_abstention AS note WHERE note.rater_id = %(rater)s
                      AND note.request_id = r.id OFFSET 0)
      AND NOT {COPY_OF_OTHERS.format(id="r.id")}
    ORDER BY started_at DESC, id DESC LIMIT %(most)s
) AS r
LIMIT %(most)s
"""


def waiting(user: Person, within: list[int]) -> list[uuid.UUID]:
    """Requests of these applications whose answers wait: of the newest, at most `LONGEST`, in this person's own order.

    Of neighbours most come from one model, so in the order of time the next answer would not be blind any more.
    """
    newest = [identifier for (identifier,) in sql.rows(WAITING, waiting_values(user, within))]
    return sorted(newest, key=lambda identifier: hashlib.blake2b(f"{user.pk}/{identifier}".encode()).digest())


def waiting_values(user: Person, within: list[int]) -> dict[str, Any]:
    today = timezone.now().date()
    days = {"first": today - timedelta(days=DAYS), "last": today + timedelta(days=1)}
    return _of(user, within) | days | {"most": LONGEST}


def _of(user: Person, within: list[int]) -> dict[str, Any]:
    return {"rater": user.pk, "by": number_of_person(user.pk), "within": within}


REQUEST, APPLICATION = sql.Table(Request, "r"), sql.Table(Application, "a")
RATING, DRAFT = sql.Table(Rating, "t"), sql.Table(RatingDraft, "draft")
ANSWER = f"""
SELECT {REQUEST}, {APPLICATION}, {RATING}, {DRAFT}, b.prompt, b.answer,
       EXISTS (SELECT 1 FROM traffic_abstention AS note WHERE note.rater_id = %(rater)s AND note.request_id = r.id)
FROM traffic_request AS r
JOIN traffic_application AS a ON a.id = r.application_id
LEFT JOIN traffic_request_body AS b ON b.day = %(day)s AND b.request_id = r.id
LEFT JOIN traffic_rating AS t ON t.request_id = r.id AND t.rater_kind = 'person' AND t.by = %(by)s
LEFT JOIN traffic_ratingdraft AS draft ON draft.rater_id = %(rater)s AND draft.request_id = r.id
WHERE r.day = %(day)s AND r.id = %(id)s AND a.id = ANY(%(within)s::bigint[]) AND (b.answer > '' OR %(deleted)s)
  AND NOT {COPY_OF_OTHERS.format(id="r.id")}
"""


def answer(user: Person, identifier: uuid.UUID, within: list[int], *, deleted: bool = False) -> Answer | None:
    """One answer of these applications with its prompt, and this person's draft about it and rating of it.

    Where `deleted`, also one whose text is not stored any more.
    """
    values = _of(user, within) | {"id": identifier, "day": day_of(identifier), "deleted": deleted}
    for request, application, mine, draft, prompt, text, cannot in sql.instances(
        ANSWER, REQUEST, APPLICATION, RATING, DRAFT, parameters=values
    ):
        request.application = application
        return Answer(request, prompt, text or "", draft.typed if draft else None, mine, cannot)
    return None


def rating_by(user: Person, request: Request) -> Rating | None:
    return Rating.objects.of_person(user).filter(request_id=request.id).first()


def own_rating(user: Person, pk: int) -> Rating | None:
    """A rating by its number, if this person gave it."""
    return Rating.objects.of_person(user).filter(pk=pk, rater_id=user.pk).first()


def rated_today(user: Person) -> int:
    """How many answers this person has judged since midnight, UTC."""
    return Rating.objects.filter(rater_id=user.pk, created_at__gte=midnight(timezone.now().date())).count()


def ratings_of(user: Person, before: int | None, limit: int) -> list[Rating]:
    """What this person rated, the newest first, before the rating of a number where one is given."""
    mine = Rating.objects.of_person(user).filter(rater_id=user.pk, request_id__isnull=False)
    if before is not None:
        mine = mine.filter(pk__lt=before)
    return list(mine.select_related("application", "deployment").order_by("-pk")[:limit])


def abstentions_of(user: Person) -> list[Abstention]:
    """What this person could not judge of late, the newest first."""
    return list(Abstention.objects.filter(rater=user.pk).order_by("-pk")[:LONGEST])


def own_abstention(user: Person, pk: int) -> Abstention | None:
    return Abstention.objects.filter(pk=pk, rater=user.pk).first()


def hides_name(user: Person) -> bool:
    return RaterPreference.objects.filter(person=user.pk, hide_name=True).exists()


def rater_of(pk: int) -> User:
    """Raises Http404."""
    return get_object_or_404(User, pk=pk)
