"""Langfuse's observations: the UI's export (CSV, JSON) and the blob storage export (CSV, JSON, JSON lines).

Generations are requests; spans, events and scores are not. Langfuse keeps the classes of tokens apart: what was read
from a cache is not in `input`, reasoning not in `output`.
"""

from __future__ import annotations

import re
from typing import Any

from traffic.imports.base import Format, Made, Options, Record
from traffic.imports.readers import snaked
from traffic.imports.usage import Usage, usage_of
from traffic.imports.values import count, first, milliseconds, moment, nested, provider_of, text, whole
from traffic.ingest.otlp.dialects import INPUT, OUTPUT, READ, REASONING, WRITTEN, WRITTEN_1H, add
from traffic.ingest.otlp.usage import Counted

CALLS = ("generation", "embedding")
SPAN = re.compile(r"^[0-9a-f]{16}$")
TRACE = re.compile(r"^[0-9a-f]{32}$")


def request_of(record: Record, options: Options) -> Made:
    row = snaked(dict(record))
    if (text(row.get("type")) or "generation").lower() not in CALLS:
        return None
    started_at, ended_at = (moment(row.get(name), options, name) for name in ("start_time", "end_time"))
    first_at = moment(row.get("completion_start_time"), options, "completion_start_time")
    model = text(first(row, "provided_model_name", "model", "internal_model", "model_id"))
    usage = counts_of(row, options)
    failed = (text(row.get("level")) or "").upper() == "ERROR"
    return {
        "id": identity(row),
        "response_id": response_id(row),
        "started_at": started_at,
        "provider": provider_of(first(row, "provider", "model_provider"), model, options),
        "model": model,
        "outcome": "error" if failed else "ok",
        "latency_ms": milliseconds(started_at, ended_at),
        "ttft_ms": milliseconds(started_at, first_at),
        "streamed": first_at is not None,
        "usage": usage_of_counts(usage, answered=not failed),
        "user": text(row.get("user_id")),
        "raw": {"usage_details": usage or None, "total_cost": text(first(row, "total_cost", "calculated_total_cost"))},
    }


def identity(row: dict[str, Any]) -> str | None:
    """An observation made by OpenTelemetry is the span that OTLP brings: then both are one request."""
    own, trace = text(row.get("id")), text(row.get("trace_id"))
    return f"{trace}:{own}" if own and trace and SPAN.match(own) and TRACE.match(trace) else own


def response_id(row: dict[str, Any]) -> str | None:
    """The vendor's id, where an instrumentation kept it."""
    attributes = nested(nested(row.get("metadata")).get("attributes"))
    return text(first(attributes, "gen_ai.response.id", "llm.response.id"))


def counts_of(row: dict[str, Any], options: Options) -> dict[str, int]:
    """Counts by their Langfuse name, as an object or, in older files, as columns."""
    for name in ("usage_details", "usage"):
        counts_read = {
            key: whole(value) for key, value in nested(row.get(name)).items() if isinstance(value, int | float)
        }
        if counts_read:
            return counts_read
    columns = {
        name: count(row.get(column), options, column)
        for column, name in (
            ("prompt_tokens", "input"), ("completion_tokens", "output"), ("input_tokens", "input"),
            ("output_tokens", "output"), ("input_usage", "input"), ("output_usage", "output"),
        )
        if text(row.get(column)) is not None
    }  # fmt: skip
    return {name: value for name, value in columns.items() if value is not None}


def usage_of_counts(counts: dict[str, int], *, answered: bool) -> Usage:
    """Zeros everywhere are Langfuse's way to say that it does not know."""
    if not any(counts.values()):
        return Usage()
    read, written, hour, reasoning = (add(counts, names) for names in (READ, WRITTEN, WRITTEN_1H, REASONING))
    prompt, output = added_counts(counts, INPUT), added_counts(counts, OUTPUT)
    counted = Counted(
        input=None if prompt is None else prompt + read + written + hour,
        output=None if output is None else output + reasoning,
        read=read,
        written=written + hour,
        hour=hour,
        reasoning=reasoning,
        total=counts.get("total"),
    )
    return usage_of(counted, outputs=answered)


def added_counts(counts: dict[str, int], names: tuple[str, ...]) -> int | None:
    """None where none of them is told."""
    return add(counts, names) if any(name in counts for name in names) else None


FORMAT = Format(
    slug="langfuse",
    label="Langfuse observations",
    about="the export of generations or observations as CSV, JSON or JSON lines, without spans and events",
    needs=(frozenset({"id", "trace_id", "start_time", "end_time"}),),
    request_of=request_of,
)
