"""`POST /api/v1/requests`: parses and stores rows. A bad row is named in the answer; the others are stored."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
import orjson
from msgspec import Meta

from lib.errors import ApiError, at
from traffic.authentication.keys import Caller
from traffic.ingest import data_quality
from traffic.ingest.bounds import LONGEST_MS, LONGEST_NAME, LONGEST_SLUG, MOST_TOKENS
from traffic.ingest.context import LookupTables, lookup_tables
from traffic.ingest.density import refuse_dense
from traffic.ingest.parse_lock import parse_lock
from traffic.ingest.pipeline import REFUSED, store_apart
from traffic.ingest.rows import RequestRow, Tokens
from traffic.json_depth import DEEPEST, shallow

MAX_ROWS = 5_000
MAX_BYTES = 16 << 20

Name = Annotated[str, Meta(min_length=1, max_length=LONGEST_NAME)]
Slug = Annotated[str, Meta(min_length=1, max_length=LONGEST_SLUG)]
Milliseconds = Annotated[float, Meta(ge=0, le=1e10)]
Count = Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


class TokensIn(msgspec.Struct, forbid_unknown_fields=True):
    uncached_input: Count = 0
    cache_read: Count = 0
    cache_write_5m: Count = 0
    cache_write_1h: Count = 0
    output: Count = 0
    reasoning: Count = 0


class RequestIn(msgspec.Struct, forbid_unknown_fields=True):
    """One row of the contract. A field left out is unknown."""

    started_at: Annotated[datetime, Meta(tz=True)]
    provider: Slug
    model: Name
    id: Annotated[str, Meta(max_length=LONGEST_NAME)] | None = None
    deployment: Slug | None = None
    application: Slug | None = None
    task: Literal["rag", "qa", "code", "reasoning", "chat", "batch", "vision", "other"] = "other"
    outcome: Literal["ok", "error", "timeout", "cancelled", "refused"] = "ok"
    http_status: Annotated[int, Meta(ge=100, le=599)] | None = None
    error_type: Name | None = None
    latency_ms: Milliseconds | None = None
    ttft_ms: Milliseconds | None = None
    streamed: bool = False
    batch: bool = False
    response_id: Name | None = None
    tokens: TokensIn | None = None
    user: Name | None = None
    instead_of: Slug | None = None
    service_tier: Name | None = None
    inference_geo: Name | None = None
    finish_reason: Name | None = None
    prompt: str | list[Any] | None = None
    answer: str | None = None


class Batch(msgspec.Struct):
    requests: list[msgspec.Raw]


@dataclass
class Parsed:
    rows: list[RequestRow] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # of each row, in what was sent
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, rows: Iterable[int], message: str) -> None:
        """Add rows that the database refused to the rejected ones, by their place in what was sent."""
        self.rejected += [{"index": self.places[row], "errors": [at([], message)]} for row in rows]
        self.rejected.sort(key=lambda rejected: int(rejected["index"]))


_outer = msgspec.json.Decoder(Batch)
_inner = msgspec.json.Decoder(RequestIn)


def parse(body: bytes, caller: Caller, tables: LookupTables, now: datetime) -> Parsed:
    """Rows that can be stored, and those that cannot with the reason. Raises ApiError for a wrong outer shape."""
    raws = outer(body)
    if len(raws) > MAX_ROWS:
        raise ApiError(413, f"A batch holds at most {MAX_ROWS:,} requests. This one has {len(raws):,}.")
    parsed = Parsed()
    window = (now - timedelta(days=tables.retention_days), now + timedelta(days=1))
    for index, raw in enumerate(raws):
        try:
            parsed.rows.append(row_of(raw, caller, tables, window))
            parsed.places.append(index)
        except Rejected as reason:
            parsed.rejected.append({"index": index, "errors": [at(reason.loc, reason.message)]})
    return parsed


def outer(body: bytes) -> list[msgspec.Raw]:
    """The rows as undecoded JSON. Raises ApiError (400) for a wrong outer shape."""
    refuse_dense(body)
    try:
        return _outer.decode(body).requests
    except RecursionError as error:
        if (rows := shallow_rows(body)) is not None:
            return rows
        raise ApiError(400, "The body's JSON is nested too deep to be read.", [at([], str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # Half a surrogate pair (an emoji that was cut) is refused wherever it stands; it must cost its own row alone.
        if b"\\u" in body and (rows := lenient(body)) is not None:
            return rows
        raise ApiError(400, 'The body must be JSON: {"requests": [...]}.', [at([], str(error))]) from None


def shallow_rows(body: bytes) -> list[msgspec.Raw] | None:
    """The rows of a body that is nested deeper than msgspec reads, each without what is too deep to be kept."""
    try:
        requests = orjson.loads(body)["requests"]
        return [msgspec.Raw(orjson.dumps(shallow(row))) for row in requests] if isinstance(requests, list) else None
    except (ValueError, TypeError, KeyError):
        return None


def lenient(body: bytes) -> list[msgspec.Raw] | None:
    """The rows by the standard library, which accepts lone surrogates; each row is checked when it is decoded."""
    try:
        requests = json.loads(body)["requests"]
        return [msgspec.Raw(json.dumps(shallow(row)).encode()) for row in requests] if type(requests) is list else None
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


class Rejected(Exception):
    """One row cannot be stored."""

    def __init__(self, loc: list[str | int], message: str) -> None:
        super().__init__(message)
        self.loc = loc
        self.message = message


def row_of(raw: msgspec.Raw, caller: Caller, tables: LookupTables, window: tuple[datetime, datetime]) -> RequestRow:
    fields = decode(raw)
    try:
        started_at = fields.started_at.astimezone(UTC)
    except OverflowError:
        raise Rejected(["started_at"], "Lies outside of the years 1 to 9999.") from None
    if started_at < window[0]:
        raise Rejected(["started_at"], f"Older than the {tables.retention_days} days that requests are kept.")
    if started_at > window[1]:
        raise Rejected(["started_at"], "More than a day ahead of our clock.")
    application_id, captures = application_of(fields.application, caller, tables)
    deployment_id = None
    if fields.deployment is not None:
        deployment_id = tables.deployments.get(fields.deployment)
        if deployment_id is None:
            raise Rejected(["deployment"], f"No deployment is called {fields.deployment!r}.")
    provider, model = fields.provider.strip(), fields.model.strip()
    if not provider or not model:
        raise Rejected(["model" if provider else "provider"], "Must not be blank.")
    raw_fields, latency, ttft, odd = reported_fields(fields), fields.latency_ms, fields.ttft_ms, []
    if max(latency or 0, ttft or 0) > LONGEST_MS:
        latency, ttft, odd = None, None, [data_quality.ENDLESS]
    elif ttft is not None and latency is not None and ttft > latency:
        ttft, odd = None, [data_quality.LATE_FIRST]
    if odd:
        raw_fields["doubts"] = odd
    return RequestRow(
        external_id=fields.id or uuid.uuid4().hex,
        started_at=started_at,
        provider=provider,
        model=model,
        source="native",
        application_id=application_id,
        deployment_id=deployment_id,
        task=fields.task,
        outcome=fields.outcome,
        http_status=fields.http_status,
        error_type=fields.error_type,
        latency_ms=latency,
        ttft_ms=ttft,
        streamed=fields.streamed,
        batch=fields.batch,
        response_id=fields.response_id,
        tokens=tokens_of(fields.tokens),
        user=fields.user,
        raw=raw_fields or None,
        prompt=text_of(fields.prompt) if captures else None,
        answer=fields.answer if captures else None,
    )


def reported_fields(fields: RequestIn) -> dict[str, Any]:
    """Fields of a row that are kept in its raw record."""
    names = ("instead_of", "service_tier", "inference_geo", "finish_reason")
    return {name: value for name in names if (value := getattr(fields, name))}


def decode(raw: msgspec.Raw) -> RequestIn:
    """The typed row. Raises Rejected with the place and the sentence of the first thing that is wrong."""
    try:
        fields = _inner.decode(raw)
    except msgspec.ValidationError as error:
        raise Rejected(*place(str(error))) from None
    except RecursionError:
        return decode_deep(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejected([], f"Not valid JSON: {error}") from None
    if b"\\u0000" in memoryview(raw).tobytes():
        refuse_nul({name: getattr(fields, name) for name in RequestIn.__struct_fields__}, [])
    if fields.tokens is not None and fields.tokens.reasoning > fields.tokens.output:
        raise Rejected(["tokens", "reasoning"], "Reasoning tokens are part of the output and cannot exceed it.")
    return fields


def decode_deep(raw: msgspec.Raw) -> RequestIn:
    """A row that is nested deeper than msgspec reads, without what is too deep to be kept. Raises Rejected."""
    try:
        return decode(msgspec.Raw(orjson.dumps(shallow(orjson.loads(memoryview(raw))))))
    except ValueError:
        raise Rejected([], "Its JSON is nested too deep to be read.") from None


LONGEST_MESSAGE = 500  # characters; a field's name in it is whatever was sent


def place(message: str) -> tuple[list[str | int], str]:
    """msgspec's "… - at `$.tokens.output`" as a location and a sentence."""
    sentence, at, written = message.rpartition(" - at `")
    if not at:
        sentence, written = message, ""
    path: list[str | int] = [part for part in written[:LONGEST_MESSAGE].strip("$`").split(".") if part]
    unknown = re.search(r"unknown field `(\w+)`", sentence[:LONGEST_MESSAGE])
    return ([*path, unknown[1]] if unknown else path), sentence[:LONGEST_MESSAGE]


def refuse_nul(value: Any, loc: list[str | int]) -> None:
    """Raise Rejected for a NUL byte anywhere in the value: Postgres stores none in text."""
    if isinstance(value, str) and "\0" in value:
        raise Rejected(loc, "Holds a NUL byte, which cannot be stored.")
    if len(loc) > DEEPEST:
        return  # it is taken out
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        if isinstance(key, str):
            refuse_nul(key, loc) if "\0" in key else None
        refuse_nul(item, [*loc, key])


def application_of(slug: str | None, caller: Caller, tables: LookupTables) -> tuple[int | None, bool]:
    """The application's id, and whether bodies are captured. An application's key writes for that one alone, a
    collector's for any."""
    if caller.application_id is not None:
        if slug is not None and slug != caller.application:
            raise Rejected(["application"], f"This key writes for the application {caller.application!r} only.")
        return caller.application_id, caller.capture_bodies
    if slug is None:
        return None, False
    if slug not in tables.applications:
        raise Rejected(["application"], f"No application is called {slug!r}.")
    return tables.applications[slug]


def tokens_of(counts: TokensIn | None) -> Tokens | None:
    if counts is None:
        return None
    return Tokens(
        counts.uncached_input,
        counts.cache_read,
        counts.cache_write_5m,
        counts.cache_write_1h,
        counts.output,
        counts.reasoning,
    )


def text_of(prompt: str | list[Any] | None) -> str | None:
    """A prompt as text; a messages array as its JSON."""
    return msgspec.json.encode(shallow(prompt)).decode() if isinstance(prompt, list) else prompt


def ingest_native(*, body: bytes, caller: Caller, now: datetime) -> dict[str, Any]:
    """Store a body of `POST /api/v1/requests`; returns the answer. Raises ApiError for a wrong outer shape."""
    tables = lookup_tables.get()
    with parse_lock(size=len(body)):
        parsed = parse(body, caller, tables, now)
    stored = store_apart(parsed.rows, caller)
    parsed.reject(stored.refused, REFUSED)
    return {"accepted": stored.accepted, "duplicates": stored.duplicates, "rejected": parsed.rejected}
