"""One-time links by which people set a password that nobody else has known: signed, for three days, used once.

Django's own tokens: a new password, another e-mail address or a sign-in makes the link worthless.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _

from dashboard.signin.throttle import ADDRESS, Limit, Throttled, begin, bucket
from lib.client_address import client_address, network
from providers.audit.counts import Kind, counts
from providers.audit.log import Action, stranger

MAILS = Limit(free=3, longest_s=3_600)  # to one mailbox


class TooMany(Exception):
    """Links were asked for too often; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Try again in {retry_after} s.")
        self.retry_after = retry_after


def by_mail() -> bool:
    """Whether this installation can send a link by mail."""
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def link(user: User) -> str:
    """The address where this person sets a password, once."""
    return str(settings.BASE_URL + reverse("new-password", args=parts_of(user)))


def parts_of(user: User) -> list[str]:
    """Who it is, and the token."""
    return [urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)]


def ask_by_mail(request: HttpRequest, email: str) -> None:
    """Have a link sent to whoever has this address; the worker does it, so that the answer takes the same time.

    Raises TooMany for a client or a mailbox past its limit.
    """
    from dashboard.tasks import mail_link

    address = client_address(request)
    limits = [(bucket("address", f"mail {network(address)}"), ADDRESS)] if address else []
    try:
        begin([*limits, (bucket("mailbox", email.casefold()), MAILS)])
    except Throttled as refusal:
        raise TooMany(refusal.retry_after) from None
    counts.add(Kind(Action.PASSWORD, stranger(request)), "a link by mail was asked for")
    mail_link.delay(email)


def send(email: str) -> int:
    """Send their link to the active people with this address; returns how many there are."""
    people = User.objects.filter(email__iexact=email, is_active=True)
    for user in people:
        context = {"user": user, "link": link(user), "days": settings.PASSWORD_RESET_TIMEOUT // 86_400}
        text = render_to_string("registration/link_mail.txt", context)
        send_mail(_("A new password for Breakeven"), text, settings.DEFAULT_FROM_EMAIL, [user.email])
    return len(people)
