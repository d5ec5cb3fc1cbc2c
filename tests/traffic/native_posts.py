"""Posts of the native API."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

URL = "/api/v1/requests"


def row(**given: Any) -> dict[str, Any]:
    started = timezone.now() - timedelta(minutes=5)
    return {"id": "a", "started_at": started.isoformat(), "provider": "anthropic", "model": "m", **given}


def post(key: str, body: Any, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body)
    return Client().post(
        URL, data, content_type="application/json", headers={"Authorization": f"Bearer {key}", **headers}
    )
