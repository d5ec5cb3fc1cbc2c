"""Rows as the gateway writes them into its spool."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from traffic.ingest.rows import RequestRow, Tokens


def row(number: int, **given: Any) -> RequestRow:
    values: dict[str, Any] = {
        "external_id": f"gw-{number}",
        "started_at": datetime(2026, 11, 24, 10, tzinfo=UTC),
        "provider": "anthropic",
        "model": "m",
        "source": "gateway",
        "tokens": Tokens(1, 2, 3, 4, 5, 0),
        "raw": {"usage": {"input_tokens": 1}},
    }
    return RequestRow(**{**values, **given})
