"""Who opens the providers' pages in tests, and what stands there."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.people.roles import ROLES
from lib.encryption import encrypt
from providers.models import Account, Deployment, Feed, Lease, Offer
from providers.polling.due import ensure_feeds
from tests.factories import AccountFactory, DeploymentFactory, LeaseFactory, LeaseSpanFactory
from tests.pages import html_of
from tests.permissions import permission_ids

KEY = "rpa_NEVERSHOW0123456789abcdef"


def in_role(role: str) -> Client:
    """Someone logged in with what a role may; `admin` may everything, `nobody` nothing."""
    user = User.objects.create_user(role, is_superuser=role == "admin")
    user.user_permissions.add(*permission_ids(ROLES.get(role, ())))
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, url: str, status: int = 200, **query: Any) -> str:
    """A page's words on one line."""
    response = client.get(url, query)
    assert response.status_code == status, response.status_code
    return html_of(response)


def account(slug: str = "runpod", kind: str = "runpod", **more: Any) -> Account:
    """With its feeds, all of them just read."""
    given: dict[str, Any] = {"name": slug.title(), "kind": kind, "secret": encrypt(KEY)}
    made = AccountFactory.create(slug=slug, **given | more)
    ensure_feeds(made, timezone.now())
    read(made)
    return made


def read(account: Account, ago: timedelta = timedelta(seconds=10), **more: Any) -> None:
    """Its feeds as if they had answered some time ago."""
    at = timezone.now() - ago
    due = {"due_at": at + timedelta(minutes=1), "last_success_at": at, "rows": 3}
    Feed.objects.filter(account=account).update(**due | more)


def offer(number: int = 1, **more: Any) -> Offer:
    given: dict[str, Any] = {
        "provider": "runpod",
        "external_id": f"o{number}",
        "kind": "on_demand",
        "gpu": "RTX 4090",
        "memory_gb": Decimal(24),
        "price_per_gpu_hour": Decimal("0.34"),
        "seen_at": timezone.now(),
    }
    return Offer.objects.create(**given | more)


def lease(account: Account, number: int = 1, hours: int = 10, **more: Any) -> Lease:
    """A pod that has run for some hours at 0.40 an hour, with the span that we saw of it."""
    now = timezone.now()
    given: dict[str, Any] = {
        "external_id": f"pod{number}",
        "name": f"pod {number}",
        "gpu": "RTX 4090",
        "memory_gb": Decimal(24),
        "price_per_hour": Decimal("0.40"),
        "state": "running",
        "started_at": now - timedelta(hours=hours),
        "seen_at": now,
    }
    made = LeaseFactory.create(account=account, **given | more)
    end = made.ended_at or now
    span = {"starts_at": made.started_at, "ends_at": end, "price_per_hour": made.price_per_hour}
    LeaseSpanFactory.create(lease=made, state=made.state if made.state != "ended" else "running", **span)
    return made


def deployment(slug: str = "llama", **more: Any) -> Deployment:
    now = timezone.now()
    given: dict[str, Any] = {
        "name": slug.title(),
        "provider": "self",
        "engine": "llamacpp",
        "url": "http://127.0.0.1:1",
        "local": True,
        "model": "tiny",
        "state": "up",
        "state_since": now - timedelta(hours=1),
        "last_check_at": now - timedelta(seconds=5),
        "last_latency_ms": 12.0,
    }
    return DeploymentFactory.create(slug=slug, **given | more)


Access = dict[str, int]


def assert_access(url: str, expected: Access, method: str = "get", **data: Any) -> None:
    """Who gets which answer; a stranger is always sent to the login."""
    answer = getattr(Client(), method)(url, data)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/login/"), answer["Location"]
    found = {role: getattr(in_role(role), method)(url, data).status_code for role in expected}
    if found != expected:
        pytest.fail(f"{url}: {found} in place of {expected}")
