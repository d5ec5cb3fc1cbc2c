"""Absolute addresses for mails; those that act without a login are signed, single use, and end by themselves."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from email.utils import parseaddr

from django.conf import settings
from django.core import signing
from django.urls import reverse

from alerts.models import Alert, Delivery, Rule, UsedLink

SALT = "alerts.mail"
LASTS = timedelta(days=7)


class BadLink(Exception):
    """A link that is not ours, too old or used; the text says which."""


def absolute(path: str) -> str:
    """A path of this installation as a whole address; what is none stays out of mails."""
    return f"{settings.BASE_URL}{path}" if path.startswith("/") else settings.BASE_URL


def host() -> str:
    """The domain that our mails come from."""
    return parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "localhost"


def alert_url(alert: Alert) -> str:
    return absolute(reverse("alerts:detail", args=[alert.pk]))


def rule_url(rule: Rule) -> str:
    return absolute(reverse("alerts:rule", args=[rule.slug]))


def action_url(delivery: Delivery, action: str) -> str:
    """A page that asks once more and then acts, for the person that the mail went to."""
    path = reverse(f"alerts:{action}", args=[delivery.alert_id])
    if not settings.MAIL_LINKS_ACT:
        return absolute(path)
    return absolute(f"{path}?by={sign(action, delivery.alert.pk, delivery.recipient)}")


def unsubscribe_url(delivery: Delivery) -> str:
    """Out of what this mail is one of: see `alerts.delivery.subscriptions`."""
    if delivery.report_id:
        token = sign("unsubscribe-report", int(delivery.report_id), delivery.recipient)
    elif delivery.deferred_by and delivery.folded.exists():
        token = sign("unsubscribe-several", delivery.pk, delivery.recipient)
    else:
        token = sign("unsubscribe", delivery.alert.rule_id, delivery.recipient)
    return absolute(reverse("alerts:unsubscribe", args=[token]))


def action_of(token: str) -> str:
    """What a token was made for, whatever that is. Raises BadLink."""
    try:
        return str(signing.loads(token, salt=SALT)[0])
    except (signing.BadSignature, ValueError, IndexError):
        raise BadLink("unknown") from None


def sign(action: str, key: int, address: str) -> str:
    return signing.dumps([action, key, address], salt=SALT, compress=True)


def read(token: str, action: str, key: int | None = None, *, lasts: timedelta | None = LASTS) -> tuple[int, str]:
    """The key and the address that a token was made for. Raises BadLink."""
    try:
        said_action, said_key, address = signing.loads(token, salt=SALT, max_age=lasts)
    except signing.SignatureExpired:
        raise BadLink("expired") from None
    except (signing.BadSignature, ValueError):
        raise BadLink("unknown") from None
    if said_action != action or (key is not None and said_key != key):
        raise BadLink("unknown")
    return int(said_key), str(address)


def use_up(token: str) -> None:
    """Remember that a token was used; call it in the transaction of what it does. Raises BadLink the second time."""
    digest = hashlib.sha256(token.encode()).digest()
    _row, first = UsedLink.objects.get_or_create(digest=digest)
    if not first:
        raise BadLink("used")


def used(token: str) -> bool:
    return UsedLink.objects.filter(digest=hashlib.sha256(token.encode()).digest()).exists()
