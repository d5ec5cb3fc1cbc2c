"""What to do first where nothing has arrived yet."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.mail.server import has_mail_server
from providers.models import Account, Deployment
from traffic.models import Key


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    why: str
    url: str
    action: str
    done: bool
    code: str = ""


def steps() -> list[Step]:
    """The steps of a new installation to its first answer, in order; those that are done are marked."""
    return [
        Step(
            _("Add a vendor’s account"),
            _("Its bills, offers and leases are then read by themselves. Keys are encrypted and never shown again."),
            reverse("providers:account-add"),
            _("Add an account"),
            Account.objects.exists(),
        ),
        Step(
            _("Say where models answer"),
            _("A deployment is a model behind a URL; it is checked every 30 seconds from then on."),
            reverse("providers:deployment-add"),
            _("Add a deployment"),
            Deployment.objects.exists(),
        ),
        Step(
            _("Make a key for an application"),
            _("A program sends its requests with it. A key with the scope “ingest” may report them."),
            reverse("traffic:key-add"),
            _("Make a key"),
            Key.objects.live().exists(),
        ),
        Step(
            _("Set up a mail server"),
            _("Alerts and digests go out by e-mail. Set EMAIL_URL, then restart; without it no mail is sent."),
            reverse("alerts:deliveries"),
            _("See what was not sent"),
            has_mail_server(),
        ),
        Step(
            _("Send the first request"),
            _("Through the gateway with one changed line, or reported after the fact as here. It shows up at once."),
            reverse("traffic:requests"),
            _("See it arrive"),
            False,
            example(),
        ),
    ]


def example() -> str:
    """Shell commands that report one request; they run unchanged after KEY was set."""
    row = (
        '{"started_at": "\'$(date -u +%FT%TZ)\'", "provider": "anthropic", "model": "claude-haiku-4-5", '
        '"latency_ms": 840, "tokens": {"uncached_input": 1200, "output": 200}}'
    )
    return f"""curl {settings.BASE_URL}/api/v1/requests \\
  -H 'authorization: Bearer KEY' -H 'content-type: application/json' \\
  -d '{{"requests": [{row}]}}'"""
