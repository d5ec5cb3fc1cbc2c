"""The answers that wait for one person's judgement: of their applications, kept, and not yet rated by them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef
from django.shortcuts import get_object_or_404
from django.utils import timezone

from lib.dates import midnight
from traffic.models import Abstention, Outcome, RaterPreference, Rating, RatingDraft, Request, RequestBody
from traffic.visibility import Person, copies_of_others

DAYS = 14  # how far back an answer is still offered
LONGEST = 200  # answers that are looked at at once


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to judge, with what it was asked, and what its rater typed without sending it."""

    request: Request
    prompt: str | None
    text: str
    draft: Mapping[str, Any] | None = None


def waiting(user: Person, within: list[int]) -> list[uuid.UUID]:
    """Requests of these applications whose answers wait: of the newest, at most `LONGEST`, in this person's own order.

    Of neighbours most come from one model, so in the order of time the next answer would not be blind any more.
    """
    today = timezone.now().date()
    first, end = today - timedelta(days=DAYS), today + timedelta(days=2)
    bodies = RequestBody.objects.filter(
        day__gte=first, day__lt=end, day=OuterRef("day"), request_id=OuterRef("id"), answer__gt=""
    )
    mine = Rating.objects.of_person(user).filter(request_id=OuterRef("id"))
    requests = Request.objects.in_days(first, end).filter(
        Exists(bodies),
        ~Exists(mine),
        ~Exists(Abstention.objects.filter(rater=user.pk, request_id=OuterRef("id"))),
        ~copies_of_others(within, "id"),
        outcome=Outcome.OK,
        application__in=within,
    )
    newest = requests.newest_first().values_list("id", flat=True)[:LONGEST]
    return sorted(newest, key=lambda identifier: hashlib.blake2b(f"{user.pk}/{identifier}".encode()).digest())


def answer(user: Person, identifier: uuid.UUID, within: list[int]) -> Answer | None:
    """One answer of these applications with its prompt, and this person's draft about it."""
    requests = Request.objects.select_related("application", "deployment").exclude(copies_of_others(within, "id"))
    request = requests.by_id(identifier)
    if request is None or request.application_id not in within:
        return None
    body = RequestBody.objects.filter(day=request.day, request_id=request.id).first()
    if body is None or not body.answer:
        return None
    draft = RatingDraft.objects.filter(rater=user.pk, request_id=identifier).first()
    return Answer(request, body.prompt, body.answer, draft.typed if draft else None)


def rating_by(user: Person, request: Request) -> Rating | None:
    return Rating.objects.of_person(user).filter(request_id=request.id).first()


def judged_by(user: Person, request: Request) -> bool:
    """Whether this person has rated an answer, or cannot judge it."""
    cannot = Abstention.objects.filter(rater=user.pk, request_id=request.id)
    return rating_by(user, request) is not None or cannot.exists()


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
