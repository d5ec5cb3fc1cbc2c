"""The application `playground`, its key and its cap; what is kept of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from providers.models import Deployment
from traffic.authentication.keys import PREFIX, create_key, hash_of
from traffic.caps.services import set_cap
from traffic.comparisons.services import add_pair, digest_of
from traffic.models import Application, CapPeriod, Key, Pair, QuotaUnit, Scope, Task

SLUG = "playground"
DAILY_USD = Decimal(5)
PER_MINUTE = 60
TOKENS_LAST_S = 86_400
SALT = "traffic.playground"


class Unusable(Exception):
    """The playground cannot send; the message is a sentence for its page."""


@transaction.atomic
def application() -> Application:
    """The application of all sends, with a cap from its first day. Its requests never count in Break-even."""
    defaults = {"name": _("Playground"), "capture_bodies": True, "test_only": True}
    made, new = Application.objects.get_or_create(slug=SLUG, defaults=defaults)
    if new:
        set_cap(made, unit=QuotaUnit.USD, period=CapPeriod.DAY, amount=DAILY_USD)
    return made


def key() -> str:
    """The key of the playground. It follows from the secret of the installation, so that it is stored nowhere.

    Raises Unusable where a person revoked it.
    """
    secret = PREFIX + salted_hmac(SALT, "key", secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()[:40]
    stored = Key.objects.filter(hash=hash_of(secret)).first() or _make_key(secret)
    if stored.revoked_at is not None:
        raise Unusable(_("The key of the playground is revoked."))
    return secret


@transaction.atomic
def _make_key(secret: str) -> Key:
    """Two sides that are sent at once make one key."""
    owner = Application.objects.select_for_update().get(pk=application().pk)
    if (stored := Key.objects.filter(hash=hash_of(secret)).first()) is not None:
        return stored
    owner.keys.live().delete()  # of another secret of the installation: nobody can know them any more
    scopes = [str(Scope.GATEWAY)]
    return create_key(name=_("Playground"), scopes=scopes, application=owner, secret=secret, per_minute=PER_MINUTE)[0]


def token_of(request: UUID, deployment: str, prompt: str) -> str:
    """What proves that the playground got this request's answer of a deployment to a prompt."""
    return signing.dumps([str(request), deployment, digest_of(prompt)], salt=SALT)


def keep_pair(tokens: Sequence[str], prompt: str) -> Pair:
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
            application=application(),
            prompt=prompt,
        )
    except KeyError:
        raise Unusable(_("One of the deployments is deleted.")) from None
    except ValueError:
        raise Unusable(_("Both answers are of one deployment. A pair needs two.")) from None


def _loaded(token: str) -> Any:
    return signing.loads(token, salt=SALT, max_age=TOKENS_LAST_S)
