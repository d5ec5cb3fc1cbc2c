"""LiteLLM's `generic_api` webhook: a JSON array, NDJSON or one object, all sent as application/json."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from lib.errors import ApiError, at
from traffic.authentication.access import authenticate
from traffic.authentication.keys import Caller
from traffic.ingest import data_quality
from traffic.ingest.body import read_body
from traffic.ingest.bounds import LONGEST_MS, LONGEST_NAME, MOST_ITEMS
from traffic.ingest.context import LookupTables, lookup_tables
from traffic.ingest.density import refuse_dense
from traffic.ingest.dropped_signals import count_refused
from traffic.ingest.native import Parsed, Rejected
from traffic.ingest.otlp.json_encoding import ODD, decoded, why
from traffic.ingest.otlp.names import LONGEST, PROVIDERS, NoCount, whole
from traffic.ingest.otlp.spans import DEEPEST
from traffic.ingest.otlp.usage import Counted, classes
from traffic.ingest.pipeline import REFUSED, store_apart
from traffic.ingest.refusals import log_refused
from traffic.ingest.rows import RequestRow, Tokens, usd_of
from traffic.json_depth import shallow

MAX_BYTES = 64 << 20
CONTENT = ("messages", "response", "requester_ip_address", "model_parameters")


@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Answered after the commit. A failed send loses LiteLLM's batch, so one bad event never fails the others."""
    try:
        caller = authenticate(request, "ingest")
        parsed, skipped = parse(read_body(request, MAX_BYTES), caller, lookup_tables.get(), timezone.now())
    except ApiError as error:
        log_refused(request, "litellm", error)
        return error.response()
    stored = store_apart(parsed.rows, caller)
    parsed.reject(stored.refused, REFUSED)
    count_refused(parsed.rejected, "litellm", caller.application_id, skipped=skipped)
    return JsonResponse({"accepted": stored.accepted, "duplicates": stored.duplicates, "rejected": parsed.rejected})


def parse(body: bytes, caller: Caller, tables: LookupTables, now: datetime) -> tuple[Parsed, int]:
    """The rows of the events, those that cannot be one, and how many hold none. Raises ApiError (400, 413).

    The first `MOST_ITEMS` are read: LiteLLM drops a batch that is refused as a whole.
    """
    parsed, skipped = Parsed(), 0
    for index, (event, doubts_of_text) in enumerate(events_of(body)):
        try:
            if index == MOST_ITEMS:
                raise Rejected([], f"A post holds at most {MOST_ITEMS:,} events. From this one on they are not read.")
            row = row_of(event, caller, tables, now, doubts_of_text)
        except Rejected as reason:
            parsed.rejected.append({"index": index, "errors": [at(reason.loc, reason.message)]})
            continue
        if row is None:
            skipped += 1
        else:
            parsed.rows.append(row)
            parsed.places.append(index)
    return parsed, skipped


Doubts = tuple[str, ...]


def events_of(body: bytes) -> Iterator[tuple[Any, Doubts]]:
    """The events of any of the three formats; a line that is no JSON is `BROKEN`. Raises ApiError (400)."""
    refuse_dense(body)
    try:
        document, doubt = decoded(body)
    except ODD as error:
        written = (line for line in io.BytesIO(body) if line.strip())
        lines = [line_of(line) for line in islice(written, MOST_ITEMS + 1)]
        if all(event is BROKEN for event, _doubt in lines):
            raise ApiError(400, f"The body is neither JSON nor NDJSON: {why(error)}") from None
        yield from lines
        return
    yield from (
        (event, doubt) for event in islice(document if isinstance(document, list) else [document], MOST_ITEMS + 1)
    )


BROKEN = object()


def line_of(line: bytes) -> tuple[Any, Doubts]:
    try:
        return decoded(line)
    except ODD:
        return BROKEN, ()


def row_of(event: Any, caller: Caller, tables: LookupTables, now: datetime, doubt: Doubts = ()) -> RequestRow | None:
    """A row, or None for an event without payload. Raises Rejected."""
    if event is None:
        return None
    if event is BROKEN:
        raise Rejected([], "This line is no JSON.")
    if not isinstance(event, dict):
        raise Rejected([], "An event must be an object.")
    started_at, ended_at = moment(event.get("startTime")), moment(event.get("endTime"))
    if started_at is None:
        raise Rejected(
            ["startTime"], "Must be Unix seconds. The old format of LiteLLM (generic_api_use_v1) is not read."
        )
    if not now - timedelta(days=tables.retention_days) <= started_at <= now + timedelta(days=1):
        raise Rejected(["startTime"], "Before what is kept, or more than a day ahead of our clock.")
    cached = event.get("cache_hit") is True
    first = moment(event.get("completionStartTime")) if event.get("stream") else None
    failed = event.get("status") == "failure"
    error = an_object(event.get("error_information"))
    doubts = [*doubt]
    latency_ms, ttft_ms = times_of(started_at, ended_at, first, doubts)
    # An answer from LiteLLM's own cache cost nothing: no vendor was asked.
    tokens = Tokens() if cached else tokens_of(event, doubts)
    raw = facts_of(event)
    if doubts:
        raw["doubts"] = doubts
    name = text(event.get("litellm_call_id"), 150) or text(event.get("id"), 150)
    if failed or not name:  # a failure and the try after it have one name; each asked a vendor
        name = f"{name or ''}:{started_at.timestamp()}"
    return RequestRow(
        external_id=name,
        started_at=started_at,
        provider=provider_of(event),
        model=text(event.get("model")) or "unknown",
        source="litellm",
        application_id=application_of(event, caller, tables),
        outcome="error" if failed else "ok",
        http_status=status_of(error.get("error_code")),
        error_type=text(error.get("error_class")),
        latency_ms=latency_ms,
        ttft_ms=ttft_ms,
        streamed=bool(event.get("stream")),
        response_id=None if cached else text(event.get("id")),
        tokens=tokens,
        user=text(event.get("end_user")),
        reported_cost=None if cached else usd_of(event.get("response_cost")),
        raw=raw,
    )


def facts_of(event: dict[str, Any]) -> dict[str, Any]:
    """The event without what people wrote, who they are, and values that are too long."""
    facts = {key: value for key, value in event.items() if key not in CONTENT and not PERSON.search(key)}
    if isinstance(metadata := event.get("metadata"), dict):
        facts["metadata"] = {key: value for key, value in metadata.items() if not PERSON.search(key)}
    left = iter(range(MOST_KEPT))
    return {
        key: short(value, left) for key, value in facts.items() if is_fact(key, value) and next(left, None) is not None
    }


MOST_KEPT = 1_000  # values of one event, those inside others counted


def short(value: Any, left: Iterator[int], depth: int = 1) -> Any:
    """The value without parts that are too long or too deep, with as many parts as `left` counts."""
    if not isinstance(value, dict | list):
        return value
    if depth > DEEPEST:
        return None
    if isinstance(value, list):
        return [short(item, left, depth + 1) for item in value if is_fact("", item) and next(left, None) is not None]
    return {
        key: short(item, left, depth + 1)
        for key, item in value.items()
        if is_fact(key, item) and next(left, None) is not None
    }


def is_fact(key: str, value: Any) -> bool:
    return len(key) <= LONGEST_NAME and not (isinstance(value, str) and len(value) > LONGEST)


PERSON = re.compile(r"end_user|user_id|user_email|requester_ip|requester_custom_headers")


def text(value: Any, limit: int = LONGEST_NAME) -> str | None:
    if not value:
        return None
    return (value if isinstance(value, str) else str(shallow(value))).replace("\0", "")[:limit]


def moment(value: Any) -> datetime | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def times_of(
    start: datetime, end: datetime | None, first: datetime | None, doubts: list[str]
) -> tuple[float | None, float | None]:
    """Milliseconds to the end and to the first token. An impossible time is None and adds to `doubts`."""
    latency, ttft = milliseconds(start, end), milliseconds(start, first)
    if latency is None:
        doubts.append(data_quality.NO_END)
    elif not 0 <= latency <= LONGEST_MS:
        doubts.append(data_quality.BACKWARDS if latency < 0 else data_quality.ENDLESS)
        latency = None
    if ttft is not None and not 0 <= ttft <= (LONGEST_MS if latency is None else latency):
        ttft = None
        doubts.append(data_quality.LATE_FIRST)
    return latency, ttft


def milliseconds(start: datetime, end: datetime | None) -> float | None:
    return None if end is None else (end - start) / timedelta(milliseconds=1)


def status_of(code: Any) -> int | None:
    try:
        number = int(code)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 100 <= number <= 599 else None


def provider_of(event: dict[str, Any]) -> str:
    name = (text(event.get("custom_llm_provider"), 40) or "unknown").lower()
    return PROVIDERS.get(name, name)


def application_of(event: dict[str, Any], caller: Caller, tables: LookupTables) -> int | None:
    """The key's application; with a collector's key the one named like LiteLLM's key or team."""
    if caller.application_id is not None:
        return caller.application_id
    metadata = an_object(event.get("metadata"))
    for name in ("user_api_key_alias", "user_api_key_team_alias"):
        if application := tables.applications.get(text(metadata.get(name)) or ""):
            return application[0]
    return None


def tokens_of(event: dict[str, Any], doubts: list[str]) -> Tokens | None:
    """LiteLLM's prompt tokens include what was read from and written to the vendor's cache.

    None where they are unknown: LiteLLM writes 0 there.
    """
    usage = usage_of(event)
    details = an_object(usage.get("prompt_tokens_details"))
    try:
        counted = Counted(
            input=whole(event.get("prompt_tokens")),
            output=whole(event.get("completion_tokens")),
            read=whole(details.get("cached_tokens")) or whole(usage.get("cache_read_input_tokens")) or 0,
            written=whole(usage.get("cache_creation_input_tokens")) or 0,
            reasoning=whole(an_object(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0,
            total=whole(event.get("total_tokens")) or None,
        )
    except NoCount:
        doubts.append(data_quality.NOT_A_COUNT)
        return None
    if not (counted.input or counted.output or counted.total):
        return None
    embeds = "embedding" in (text(event.get("call_type")) or "")
    return classes(counted, doubts, outputs=not embeds and event.get("status") != "failure")


def usage_of(event: dict[str, Any]) -> dict[str, Any]:
    for holder in (event.get("metadata"), event.get("hidden_params")):
        usage = an_object(holder).get("usage_object")
        if isinstance(usage, dict):
            return usage
    return an_object(an_object(event.get("response")).get("usage"))


def an_object(value: Any) -> dict[str, Any]:
    """A part of an event that should be an object; empty for what is none."""
    return value if isinstance(value, dict) else {}
