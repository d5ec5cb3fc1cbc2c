"""The form of a price, filled."""

from __future__ import annotations

from typing import Any

BOOK, ADD = "/settings/prices/", "/settings/prices/add/"


def filled(**more: Any) -> dict[str, Any]:
    return {
        "provider": "anthropic",
        "model": "claude-new",
        "starts_at": "2026-11-01T00:00",
        "uncached_input": "1.5",
        "output": "7.5",
        "source": "https://example.com/prices",
        "confirmed": "yes",
        **more,
    }
