"""The application of the playground, its key and its cap; what is kept of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from providers.audit.log import Action, Actor, record
from providers.models import Deployment
from traffic.authentication.keys import PREFIX, callers, create_key, hash_of
from traffic.caps.services import set_cap
from traffic.comparisons.services import add_pair, digest_of
from traffic.models import Application, CapPeriod, Key, Pair, QuotaUnit, Scope, Task
from traffic.models.applications import PLAYGROUND

DAILY_USD = Decimal(5)
PER_MINUTE = 60
TOKENS_LAST_S = 86_400
SALT = "traffic.playground"


class Unusable(Exception):
    """The playground cannot send; the message is a sentence for its page."""


@transaction.atomic
def application(actor: Actor) -> Application:
    """The application of all sends, with a cap from its first day. Its requests never count in Break-even.

    `actor` is who sends, for the audit log of what is made.
    """
    made, new = Application.objects.own(PLAYGROUND, name=_("Playground"), capture_bodies=True)
    if new:
        record(Action.ADDED, actor=actor, thing=made)
        cap, _new = set_cap(made, unit=QuotaUnit.USD, period=CapPeriod.DAY, amount=DAILY_USD)
        record(Action.ADDED, actor=actor, thing=cap)
    return made


def own_slug() -> str:
    """What its application is called, or will be."""
    return Application.objects.filter(made_for=PLAYGROUND).values_list("slug", flat=True).first() or PLAYGROUND


def key(actor: Actor) -> str:
    """The key of the playground. It follows from the secret of the installation, so that it is stored nowhere.

    Raises Unusable where a person revoked it.
    """
    secret = PREFIX + salted_hmac(SALT, "key", secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()[:40]
    stored = Key.objects.filter(hash=hash_of(secret)).first() or _make_key(secret, actor)
    if stored.revoked_at is not None:
        raise Unusable(_("The key of the playground is revoked."))
    return secret


@transaction.atomic
def _make_key(secret: str, actor: Actor) -> Key:
    """Two sides that are sent at once make one key."""
    owner = Application.objects.select_for_update().get(pk=application(actor).pk)
    if (stored := Key.objects.filter(hash=hash_of(secret)).first()) is not None:
        return stored
    for old in owner.keys.live().filter(is_playground=True):  # of another secret of the installation
        record(Action.CHANGED, actor=actor, thing=old, message=_("Revoked."))
        owner.keys.filter(pk=old.pk).update(revoked_at=timezone.now())
        callers.clear()
    made, _secret = create_key(
        name=_("Playground"), scopes=[str(Scope.GATEWAY)], application=owner, secret=secret, per_minute=PER_MINUTE,
        is_playground=True,
    )  # fmt: skip
    record(Action.ADDED, actor=actor, thing=made)
    return made


def token_of(request: UUID, deployment: str, prompt: str) -> str:
    """What proves that the playground got this request's answer of a deployment to a prompt."""
    return signing.dumps([str(request), deployment, digest_of(prompt)], salt=SALT)


def keep_pair(tokens: Sequence[str], prompt: str, actor: Actor) -> Pair:
    """Two answers as a pair for raters. Raises Unusable."""
    try:
        (first, one_deployment, one_digest), (second, other_deployment, other_digest) = (
            _loaded(token) for token in tokens
        )
    except (signing.BadSignature, ValueError):
        raise Unusable(_("These answers are too old to be kept. Send again.")) from None
    if not one_digest == other_digest == digest_of(prompt):
        raise Unusable(_("The two answers are to different prompts."))
    deployments = {deployment.slug: deployment for deployment in Deployment.objects.filter(
        slug__in=(one_deployment, other_deployment))}  # fmt: skip
    try:
        return add_pair(
            candidate=deployments[one_deployment],
            baseline=deployments[other_deployment],
            candidate_request=UUID(first),
            baseline_request=UUID(second),
            task=Task.OTHER,
            application=application(actor),
            prompt=prompt,
        )
    except KeyError:
        raise Unusable(_("One of the deployments is deleted.")) from None
    except ValueError:
        raise Unusable(_("Both answers are of one deployment. A pair needs two.")) from None


def _loaded(token: str) -> Any:
    return signing.loads(token, salt=SALT, max_age=TOKENS_LAST_S)
