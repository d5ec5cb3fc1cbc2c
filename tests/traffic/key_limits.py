"""Requests sent with a key that has limits."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client
from django.utils import timezone


def request_row(number: int, output: int = 1_000) -> dict[str, Any]:
    return {
        "id": f"r{number}",
        "started_at": timezone.now().isoformat(),
        "provider": "anthropic",
        "model": "claude-test",
        "tokens": {"uncached_input": 100, "output": output},
    }


def send(client: Client, secret: str, *numbers: int) -> Any:
    body = {"requests": [request_row(number) for number in numbers]}
    return client.post(
        "/api/v1/requests",
        json.dumps(body),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )
