"""Writes of the sign-in: one's own new password, and links that people ask for by mail."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest

from dashboard.signin.forms import OwnPasswordForm
from dashboard.signin.tasks import mail_link
from dashboard.signin.throttle import ADDRESS, Limit, begin, bucket
from lib.client_address import client_address, network
from providers.audit.counts import Kind, counts
from providers.audit.log import Action, stranger

MAILS = Limit(free=3, longest_s=3_600)  # to one mailbox


def set_own_password(*, form: OwnPasswordForm) -> User:
    """Save the new password of a valid form."""
    return form.save()


def ask_by_mail(request: HttpRequest, email: str) -> None:
    """Ask the worker to mail a link to the person with this address, if there is one. The worker does it, so that the
    time of the answer does not tell whether there is one. Raises Throttled for a client or mailbox past its limit.
    """
    address = client_address(request)
    limits = [(bucket("address", f"mail {network(address)}"), ADDRESS)] if address else []
    begin([*limits, (bucket("mailbox", email.casefold()), MAILS)])
    counts.add(Kind(Action.PASSWORD, stranger(request)), "a link by mail was asked for")
    mail_link.delay(email)
