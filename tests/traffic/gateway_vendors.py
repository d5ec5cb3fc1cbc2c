"""A stack with a deployment of each vendor that keeps objects, and two applications that call it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.traffic.gateway_stack import KEY, OTHER_KEY, Stack
from traffic.models import Route

LAB = {"x-breakeven-application": "lab"}
BEARER = {"authorization": f"Bearer {KEY}"}
THEIRS = {"authorization": f"Bearer {OTHER_KEY}", **LAB}


@pytest.fixture(scope="module")
def vendors(stack: Stack, django_db_blocker: Any) -> Iterator[Stack]:
    """Our own deployment is one of OpenAI's, and routes name both vendors."""
    with django_db_blocker.unblock():
        Route.objects.create(slug="files", name="Files", to_provider="openai", order=1, tasks=["batch"])
        Route.objects.create(slug="rest", name="Rest", to_provider="anthropic", order=2)
    try:
        with stack.changed(
            "UPDATE providers_deployment SET provider = 'openai', engine = 'openai_compatible' WHERE slug = 'own'",
            "UPDATE providers_deployment SET provider = 'self', engine = 'llamacpp' WHERE slug = 'own'",
        ):
            yield stack
    finally:
        with django_db_blocker.unblock():
            Route.objects.all().delete()


@pytest.fixture
def both(vendors: Stack, calm: Stack) -> Stack:
    return vendors


def upload(stack: Stack, headers: dict[str, str] = BEARER, content: bytes = b"{}", purpose: str = "batch") -> Any:
    files = {"file": ("a.jsonl", content)}
    return httpx.post(f"{stack.url}/v1/files", headers=headers, data={"purpose": purpose}, files=files, timeout=60)
