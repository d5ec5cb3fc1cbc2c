"""Feedback links are made, read and used.

The address holds the link's number, signed, so that no address can be guessed. The row decides whether it still works.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from lib.errors import ApiError
from providers.audit.log import Action, Actor, record
from traffic.models import FeedbackLink, RaterKind, Request
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement

SALT = "traffic.feedback_link"
DAYS, MOST_DAYS = 14, 90
MOST_OPEN = 10_000  # of one application; what is beyond is refused until some have expired
REMEMBERED = timedelta(days=30)  # for which an expired link is still explained to who follows it


class Unusable(Exception):
    """The link was used before, or has expired."""


class AnswerGone(Unusable):
    """The answer is past retention."""


@transaction.atomic
def make(*, request: Request, actor: Actor, days: int = DAYS) -> FeedbackLink:
    """A link for one answer that works for `days`. Raises ApiError (429) where the application has too many."""
    now = timezone.now()
    same = FeedbackLink.objects.filter(application=request.application_id, used_at=None, expires_at__gt=now)
    if same[:MOST_OPEN].count() >= MOST_OPEN:
        raise ApiError(429, f"{MOST_OPEN:,} feedback links of this application are unused.", retry_after=3_600)
    link = FeedbackLink.objects.create(
        day=request.day, request_id=request.id, application_id=request.application_id,
        expires_at=now + timedelta(days=days),
    )  # fmt: skip
    record(Action.ADDED, actor=actor, thing=link)
    return link


def address(link: FeedbackLink) -> str:
    """The whole address, which is the secret."""
    return settings.BASE_URL + reverse("traffic:feedback-link", args=[signing.dumps(link.pk, salt=SALT)])


def number_of(token: str) -> int | None:
    """The number of an address's link, without a look into the database; None where the address is not one of ours."""
    try:
        return int(signing.loads(token, salt=SALT))
    except signing.BadSignature:
        return None


def link_of(number: int) -> FeedbackLink | None:
    return FeedbackLink.objects.filter(pk=number).first()


@transaction.atomic
def use(*, link: FeedbackLink, score: int, comment: str, actor: Actor) -> None:
    """Store what its holder thinks of the answer; the link does not work again. Raises Unusable, AnswerGone."""
    now = timezone.now()
    if not FeedbackLink.objects.filter(pk=link.pk, used_at=None, expires_at__gt=now).update(used_at=now):
        raise Unusable
    request = Request.objects.by_id(link.request_id)
    if request is None:
        raise AnswerGone
    kind = RaterKind.INSTALLATION if link.application_id is None else RaterKind.APPLICATION
    judgement = Judgement(f"link-{link.pk}", score=score, comment=comment, rater_kind=kind)
    ratings.rate(request=request, judgement=judgement)
    record(Action.CHANGED, actor=actor, thing=link, message="used")


def purge() -> int:
    """Delete links that expired long ago; returns how many."""
    return FeedbackLink.objects.filter(expires_at__lt=timezone.now() - REMEMBERED).delete()[0]
