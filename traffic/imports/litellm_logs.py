"""LiteLLM's table of requests, `LiteLLM_SpendLogs`, as its proxy or `COPY ... TO` writes it: CSV or JSON lines.

Tokens are read as the webhook reads them, and `request_id` is the vendor's response id, so that a request that the
webhook brought is known again.
"""

from __future__ import annotations

from typing import Any

from traffic.imports.base import Format, Made, Options, Record
from traffic.imports.readers import snaked
from traffic.imports.usage import NOTHING_ASKED, Usage, usage_of
from traffic.imports.values import count, first, milliseconds, moment, nested, provider_of, text, whole
from traffic.ingest import litellm
from traffic.ingest.otlp.usage import Counted
from traffic.ingest.rows import usd_of

# What a tool asks of LiteLLM that is no call to a model.
OTHER_CALLS = ("health", "list_models", "afile", "file", "batch_retrieve", "acreate_batch", "aretrieve_batch")


def request_of(record: Record, options: Options) -> Made:
    row = snaked(dict(record))
    if (text(row.get("call_type")) or "").startswith(OTHER_CALLS):
        return None
    metadata = nested(row.get("metadata"))
    error = nested(metadata.get("error_information"))
    failed = (text(row.get("status")) or text(metadata.get("status")) or "success") == "failure"
    cached = (text(row.get("cache_hit")) or "").lower() == "true"
    started_at, ended_at = (moment(row.get(name), options, name) for name in ("start_time", "end_time"))
    first_at = moment(row.get("completion_start_time"), options, "completion_start_time")
    # LiteLLM writes the end there when the answer was not streamed.
    streamed = first_at is not None and first_at != ended_at
    identity = text(row.get("request_id"))
    model = text(first(row, "model", "model_group")) or "unknown"
    return {
        "id": identity,
        "response_id": None if cached else identity,
        "started_at": started_at,
        "provider": provider_of(row.get("custom_llm_provider"), model, options),
        "model": model.rsplit("/", 1)[-1],
        "application": names(metadata, row),
        "outcome": "error" if failed else "ok",
        "http_status": litellm.status_of(error.get("error_code")),
        "error_type": text(error.get("error_class")),
        "latency_ms": milliseconds(started_at, ended_at),
        "ttft_ms": milliseconds(started_at, first_at) if streamed else None,
        "streamed": streamed,
        "usage": NOTHING_ASKED if cached else usage(row, metadata, options, failed),
        "user": text(row.get("end_user")),
        "reported_cost": None if cached else usd_of(row.get("spend")),
        "raw": {"spend": text(row.get("spend")), "usage_object": metadata.get("usage_object")},
    }


def names(metadata: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """What an application may be called like: LiteLLM's key or team."""
    candidates = (metadata.get("user_api_key_alias"), metadata.get("user_api_key_team_alias"), row.get("team_id"))
    return [str(name) for name in candidates if name]


def usage(row: dict[str, Any], metadata: dict[str, Any], options: Options, failed: bool) -> Usage:
    """Unknown where all is 0: LiteLLM writes it there, as by the webhook."""
    used = nested(metadata.get("usage_object"))
    details = nested(used.get("prompt_tokens_details"))
    counted = Counted(
        input=count(row.get("prompt_tokens"), options, "prompt_tokens"),
        output=count(row.get("completion_tokens"), options, "completion_tokens"),
        read=whole(details.get("cached_tokens")) or whole(used.get("cache_read_input_tokens")),
        written=whole(used.get("cache_creation_input_tokens")),
        reasoning=whole(nested(used.get("completion_tokens_details")).get("reasoning_tokens")),
        total=count(row.get("total_tokens"), options, "total_tokens") or None,
    )
    if not (counted.input or counted.output or counted.total):
        return Usage()
    embeds = "embedding" in (text(row.get("call_type")) or "")
    return usage_of(counted, outputs=not embeds and not failed)


FORMAT = Format(
    slug="litellm",
    label="LiteLLM spend logs",
    about="the table LiteLLM_SpendLogs as CSV or JSON lines, one row a request",
    needs=(frozenset({"request_id", "call_type", "spend", "start_time"}),),
    request_of=request_of,
)
