"""LiteLLM's `generic_api` webhook: a JSON array, NDJSON or one object, all sent as application/json."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from providers.rest.errors import ApiError, at
from traffic.access import authenticate
from traffic.ingest.body import read_body
from traffic.ingest.native import Directory, Rejected
from traffic.ingest.otlp.names import PROVIDERS
from traffic.ingest.rows import RequestRow, Tokens, usd_of
from traffic.keys import Caller
from traffic.services import directory, store

MAX_BYTES = 64 << 20
CONTENT = ("messages", "response", "requester_ip_address", "model_parameters")


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Answered after the commit. A failed send loses LiteLLM's batch, so one bad event never fails the others."""
    try:
        caller = authenticate(request, "ingest")
        events = list(events_of(read_body(request, MAX_BYTES)))
    except ApiError as error:
        return error.response()
    rows, rejected = [], []
    for index, event in enumerate(events):
        try:
            row = row_of(event, caller, directory.get(), timezone.now())
        except Rejected as reason:
            rejected.append({"index": index, "errors": [at(reason.loc, reason.message)]})
            continue
        if row is not None:
            rows.append(row)
    result = store(rows, caller=caller)
    return JsonResponse({"accepted": result.accepted, "duplicates": result.duplicates, "rejected": rejected})


def events_of(body: bytes) -> Iterator[Any]:
    """The events of any of the three formats. Raises ApiError (400)."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            yield from (orjson.loads(line) for line in body.splitlines() if line.strip())
            return
        except orjson.JSONDecodeError as error:
            raise ApiError(400, f"The body is neither JSON nor NDJSON: {error}") from None
    yield from found if isinstance(found, list) else [found]


def row_of(event: Any, caller: Caller, known: Directory, now: datetime) -> RequestRow | None:
    """A row, or None for an event without payload. Raises Rejected."""
    if event is None:
        return None
    if not isinstance(event, dict):
        raise Rejected([], "An event must be an object.")
    started_at, ended_at = moment(event.get("startTime")), moment(event.get("endTime"))
    if started_at is None:
        raise Rejected(
            ["startTime"], "Must be Unix seconds; the old format of LiteLLM (generic_api_use_v1) is not read."
        )
    if not now - timedelta(days=known.retention_days) <= started_at <= now + timedelta(days=1):
        raise Rejected(["startTime"], "Before what is kept, or more than a day ahead of our clock.")
    cached = event.get("cache_hit") is True
    first = moment(event.get("completionStartTime")) if event.get("stream") else None
    failed = event.get("status") == "failure"
    error = event.get("error_information") or {}
    name = text(event.get("litellm_call_id"), 150) or text(event.get("id"), 150)
    if failed or not name:  # a failure and the try after it have one name; each asked a vendor
        name = f"{name or ''}:{started_at.timestamp()}"
    return RequestRow(
        external_id=name,
        started_at=started_at,
        provider=provider_of(event),
        model=text(event.get("model")) or "unknown",
        source="litellm",
        application_id=application_of(event, caller, known),
        outcome="error" if failed else "ok",
        http_status=status_of(error.get("error_code")),
        error_type=text(error.get("error_class")),
        latency_ms=milliseconds(started_at, ended_at),
        ttft_ms=milliseconds(started_at, first),
        streamed=bool(event.get("stream")),
        response_id=None if cached else text(event.get("id")),
        # An answer from LiteLLM's own cache cost nothing: no vendor was asked.
        tokens=Tokens() if cached else None if failed and not event.get("total_tokens") else tokens_of(event),
        user=text(event.get("end_user")),
        reported_cost=None if cached else usd_of(event.get("response_cost")),
        raw=facts_of(event),
    )


def facts_of(event: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an event: neither what people wrote nor who they are."""
    kept = {key: value for key, value in event.items() if key not in CONTENT and not PERSON.search(key)}
    if isinstance(metadata := event.get("metadata"), dict):
        kept["metadata"] = {key: value for key, value in metadata.items() if not PERSON.search(key)}
    return kept


PERSON = re.compile(r"end_user|user_id|user_email|requester_ip|requester_custom_headers")


def text(value: Any, limit: int = 200) -> str | None:
    return str(value).replace("\0", "")[:limit] if value else None


def moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def milliseconds(start: datetime, end: datetime | None) -> float | None:
    return (end - start) / timedelta(milliseconds=1) if end is not None and end >= start else None


def status_of(code: Any) -> int | None:
    try:
        number = int(code)
    except (TypeError, ValueError):
        return None
    return number if 100 <= number <= 599 else None


def provider_of(event: dict[str, Any]) -> str:
    found = (text(event.get("custom_llm_provider"), 40) or "unknown").lower()
    return PROVIDERS.get(found, found)


def application_of(event: dict[str, Any], caller: Caller, known: Directory) -> int | None:
    """The key's application; with a collector's key the one named like LiteLLM's key or team."""
    if caller.application_id is not None:
        return caller.application_id
    metadata = event.get("metadata") or {}
    for name in ("user_api_key_alias", "user_api_key_team_alias"):
        if found := known.applications.get(str(metadata.get(name) or "")):
            return found[0]
    return None


def tokens_of(event: dict[str, Any]) -> Tokens:
    """LiteLLM's prompt tokens include what was read from and written to the vendor's cache."""
    usage = usage_of(event)
    details = usage.get("prompt_tokens_details") or {}
    read = count(details.get("cached_tokens")) or count(usage.get("cache_read_input_tokens"))
    written = count(usage.get("cache_creation_input_tokens"))
    prompt, output = count(event.get("prompt_tokens")), count(event.get("completion_tokens"))
    uncached = prompt if read + written > prompt else prompt - read - written
    reasoning = count((usage.get("completion_tokens_details") or {}).get("reasoning_tokens"))
    return Tokens(uncached, read, written, 0, output, min(reasoning, output))


def usage_of(event: dict[str, Any]) -> dict[str, Any]:
    for holder in (event.get("metadata"), event.get("hidden_params")):
        found = (holder or {}).get("usage_object")
        if isinstance(found, dict):
            return found
    response = event.get("response")
    found = response.get("usage") if isinstance(response, dict) else None
    return found if isinstance(found, dict) else {}


def count(value: Any) -> int:
    """A count of tokens; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 0
    return int(min(max(value, 0), 10**12))
