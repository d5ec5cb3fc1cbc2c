"""Texts in log records of an application that keeps none: the page of applications counts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from demo.client import Client
from traffic.models import Unread

SLUG = "code-helper"
CALLS = 12
SAID = ("gen_ai.system.message", "gen_ai.user.message", "gen_ai.choice")


def send_texts(client: Client, keys: Mapping[str, str], now: datetime) -> None:
    """Once. Raises DemoError, Halted."""
    if not Unread.objects.exists():
        client.send_logs([record(call, name, now) for call in range(CALLS) for name in SAID], keys[f"ingest/{SLUG}"])


def record(call: int, name: str, now: datetime) -> dict[str, Any]:
    content = {"key": "content", "value": {"stringValue": "What does this function return?"}}
    message = {"key": "message", "value": {"kvlistValue": {"values": [content]}}}
    return {
        "eventName": name, "traceId": f"{call + 1:032x}", "spanId": f"{call + 1:016x}",
        "timeUnixNano": str(int(now.timestamp()) * 10**9),
        "body": {"kvlistValue": {"values": [message if name == "gen_ai.choice" else content]}},
    }  # fmt: skip
