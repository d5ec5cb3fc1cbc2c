"""The answers that wait for one person's judgement: of their applications, kept, and not yet rated by them."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from lib.dates import midnight
from traffic.models import Abstention, Application, Outcome, Rating, Request, RequestBody
from traffic.visibility import Person

DAYS = 14  # how far back an answer is still offered
LONGEST = 200  # answers that are looked at at once


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to judge, with what it was asked."""

    request: Request
    prompt: str | None
    text: str


def applications(user: Person) -> QuerySet[Application]:
    """Applications whose answers this person may read and rate."""
    captured = Application.objects.filter(capture_bodies=True)
    return captured if user.has_perm("traffic.view_bodies") else captured.of_person(user)


def waiting(user: Person) -> list[uuid.UUID]:
    """Requests whose answers wait: of the newest, at most `LONGEST`, in an order of this person's own.

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
        outcome=Outcome.OK,
        application__in=list(applications(user).values_list("pk", flat=True)),
    )
    newest = requests.newest_first().values_list("id", flat=True)[:LONGEST]
    return sorted(newest, key=lambda identifier: hashlib.blake2b(f"{user.pk}/{identifier}".encode()).digest())


def answer(user: Person, identifier: uuid.UUID) -> Answer | None:
    """One answer with its prompt, where this person may read it."""
    request = Request.objects.select_related("application", "deployment").by_id(identifier)
    if request is None or request.application not in applications(user):
        return None
    body = RequestBody.objects.filter(day=request.day, request_id=request.id).first()
    return Answer(request, body.prompt, body.answer) if body is not None and body.answer else None


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
