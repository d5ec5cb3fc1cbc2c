"""Helicone's requests: the export of its request table and what its export tool writes (CSV, JSON, JSON lines)."""

from __future__ import annotations

from typing import Any

from traffic.imports.base import Format, Made, Options, Record
from traffic.imports.readers import snaked
from traffic.imports.usage import NOTHING_ASKED, Usage, usage_of
from traffic.imports.values import count, first, milliseconds, moment, nested, number, provider_of, text
from traffic.ingest.otlp.usage import Counted

OUTCOMES = {-1: "timeout", -3: "cancelled", -4: "refused"}


def request_of(record: Record, options: Options) -> Made:
    row = snaked(dict(record))
    started_at = moment(row.get("request_created_at"), options, "request_created_at")
    ended_at = moment(row.get("response_created_at"), options, "response_created_at")
    latency = number(first(row, "delay_ms", "latency", "latency_ms"), options, "latency")
    ttft = number(first(row, "time_to_first_token", "time_to_first_token_ms"), options, "time_to_first_token")
    model = text(first(row, "response_model", "model", "request_model", "model_override"))
    status = number(first(row, "response_status", "status"), options, "response_status")
    code = None if status is None else int(status)
    cached = (text(first(row, "cache_enabled_hit", "is_cached", "cached")) or "").lower() == "true"
    body = nested(row.get("response_body"))
    return {
        "id": text(first(row, "request_id", "helicone_id", "response_id")),
        "response_id": None if cached else text(body.get("id")),
        "started_at": started_at or ended_at,
        "provider": provider_of(row.get("provider"), model, options),
        "model": model,
        "outcome": outcome(code),
        "http_status": code if code is not None and 100 <= code <= 599 else None,
        "latency_ms": milliseconds(started_at, ended_at) if latency is None else latency,
        "ttft_ms": ttft,
        "streamed": ttft is not None,
        # An answer from Helicone's own cache cost nothing: no vendor was asked.
        "usage": NOTHING_ASKED if cached else usage(row, options, answered=outcome(code) == "ok"),
        "user": text(first(row, "request_user_id", "user_id")),
        "raw": {"cost": text(first(row, "cost", "cost_usd"))},
    }


def outcome(status: int | None) -> str:
    if status is None or 200 <= status < 300:
        return "ok"
    return OUTCOMES.get(status, "error")


def usage(row: dict[str, Any], options: Options, *, answered: bool) -> Usage:
    """Helicone's prompt tokens are without those of the cache."""
    prompt, output, reasoning, read, written = (
        count(row.get(f"{name}_tokens"), options, f"{name}_tokens")
        for name in ("prompt", "completion", "reasoning", "prompt_cache_read", "prompt_cache_write")
    )
    counted = Counted(prompt, output, read or 0, written or 0, reasoning=reasoning or 0)
    return usage_of(counted, apart=True, outputs=answered)


FORMAT = Format(
    slug="helicone",
    label="Helicone requests",
    about="the export of its request table, or of its export tool, as CSV, JSON or JSON lines",
    needs=(frozenset({"request_created_at", "response_status"}),),
    request_of=request_of,
)
