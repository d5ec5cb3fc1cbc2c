"""Reads of the page Send requests: the models to ask for, and the first request that came with a key."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from providers.models import Deployment
from traffic.clients.snippets import Addresses, Models
from traffic.gateway.protocols import OPENAI, Protocol
from traffic.gateway.routes import PROTOCOLS
from traffic.models import Key, KeyUse, Request


def addresses() -> Addresses:
    """Where people and programs reach this installation, as its settings say."""
    return Addresses(web=settings.BASE_URL.rstrip("/"), gateway=settings.GATEWAY_URL)


def example_models() -> Models:
    """For each protocol a model that an enabled deployment serves; where there is none, a model of the vendor."""
    served: dict[Protocol, str] = {}
    rows = Deployment.objects.enabled().order_by("pk")[:200]
    # Anthropic's own models come first: they do not depend on a route. Of several, the one that was added first.
    for deployment in sorted(rows, key=lambda row: row.engine != "anthropic"):
        for protocol in PROTOCOLS.get(deployment.engine, frozenset({OPENAI})):
            served.setdefault(protocol, deployment.model)
    return Models(**served)


def was_stored(key: Key) -> bool:
    """Whether a request came in with the key. A request's row does not name its key: the counters of keys do."""
    return KeyUse.objects.filter(key=key, requests__gt=0).exists()


def newest_request(key: Key, now: datetime) -> Request | None:
    """The newest request of the key's application that was received since the key was made, of the last two days.

    For a key of the whole installation: of any application.
    """
    recent = Request.objects.in_days((now - timedelta(days=1)).date(), (now + timedelta(days=1)).date())
    if key.application_id is not None:
        recent = recent.filter(application=key.application_id)
    return recent.filter(received_at__gte=key.created_at).newest_first().first()
