"""Feedback as a program sends it."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

URL = "/api/v1/feedback"


def send(key: str, **body: Any) -> Any:
    return Client().post(
        URL, json.dumps(body), content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )
