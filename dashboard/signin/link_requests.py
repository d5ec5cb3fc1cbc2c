"""People who ask for a link by mail themselves: how often they may."""

from __future__ import annotations

from django.http import HttpRequest

from dashboard.signin.tasks import mail_link
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


def ask_by_mail(request: HttpRequest, email: str) -> None:
    """Have a link sent to whoever has this address; the worker does it, so that the answer takes the same time.

    Raises TooMany for a client or a mailbox past its limit.
    """
    address = client_address(request)
    limits = [(bucket("address", f"mail {network(address)}"), ADDRESS)] if address else []
    try:
        begin([*limits, (bucket("mailbox", email.casefold()), MAILS)])
    except Throttled as refusal:
        raise TooMany(refusal.retry_after) from None
    counts.add(Kind(Action.PASSWORD, stranger(request)), "a link by mail was asked for")
    mail_link.delay(email)
