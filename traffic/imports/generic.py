"""Any CSV or JSON lines with one row a request: a person says which column is what, guessed from the names first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from traffic.imports.base import Format, Made, Options, Record
from traffic.imports.readers import flat
from traffic.imports.usage import Usage, usage_of
from traffic.imports.values import blank, count, milliseconds, moment, number, provider_of, snake, text
from traffic.ingest.native import Rejected
from traffic.ingest.otlp.usage import Counted

# Our field and the names that it goes by elsewhere, the likeliest first.
ALIASES: dict[str, tuple[str, ...]] = {
    "started_at": ("started_at", "start_time", "timestamp", "created_at", "created", "datetime", "date_time", "time",
                   "date", "request_time", "ts"),
    "ended_at": ("ended_at", "end_time", "finished_at", "completed_at", "response_time_at"),
    "provider": ("provider", "vendor", "custom_llm_provider", "api_provider"),
    "model": ("model", "model_name", "model_id", "request_model", "response_model", "model_version"),
    "id": ("id", "request_id", "call_id", "uuid", "span_id", "generation_id"),
    "response_id": ("response_id", "completion_id", "message_id"),
    "application": ("application", "app", "service", "project", "service_name"),
    "deployment": ("deployment", "deployment_slug"),
    "task": ("task", "task_type"),
    "outcome": ("outcome",),
    "http_status": ("http_status", "status_code", "status", "response_status"),
    "error_type": ("error_type", "error", "error_code"),
    "latency_ms": ("latency_ms", "duration_ms", "latency", "duration", "elapsed_ms", "total_time_ms", "response_time",
                   "latency_s", "duration_s"),
    "ttft_ms": ("ttft_ms", "ttft", "time_to_first_token", "time_to_first_token_ms", "first_token_ms"),
    "streamed": ("streamed", "stream", "streaming", "is_streaming"),
    "batch": ("batch", "is_batch"),
    "uncached_input": ("uncached_input", "uncached_input_tokens", "input_uncached_tokens"),
    "input": ("input_tokens", "prompt_tokens", "tokens_in", "tokens_prompt", "usage.prompt_tokens",
              "usage.input_tokens", "native_tokens_prompt", "prompt_token_count"),
    "cache_read": ("cache_read", "cache_read_tokens", "cached_tokens", "cache_read_input_tokens", "cached_input_tokens",
                   "input_cached_tokens", "usage.cache_read_input_tokens", "native_tokens_cached"),
    "cache_write_5m": ("cache_write_5m", "cache_creation_input_tokens", "cache_write_tokens",
                       "usage.cache_creation_input_tokens"),
    "cache_write_1h": ("cache_write_1h",),
    "output": ("output", "output_tokens", "completion_tokens", "tokens_out", "tokens_completion",
               "usage.completion_tokens", "usage.output_tokens", "native_tokens_completion", "candidates_token_count"),
    "reasoning": ("reasoning", "reasoning_tokens", "native_tokens_reasoning"),
    "user": ("user", "user_id", "end_user"),
}  # fmt: skip
CLASSES = ("cache_read", "cache_write_5m", "cache_write_1h")
TRUE = ("true", "t", "yes", "y", "1")
GOOD = ("ok", "success", "succeeded", "completed", "answered")


def guess(names: Iterable[str]) -> dict[str, str]:
    """Our fields and the columns that are called like them."""
    columns = {snake(name): name for name in reversed(list(names))}
    guessed: dict[str, str] = {}
    for target, aliases in ALIASES.items():
        name = next((columns[alias] for alias in aliases if alias in columns), None)
        if name is not None and name not in guessed.values():
            guessed[target] = name
    return guessed


def request_of(record: Record, options: Options) -> Made:
    """A record under the person's columns. Raises Rejected."""
    values = flat(dict(record))
    row = {target: values.get(column) for target, column in options.columns.items()}
    if blank(row.get("started_at")):
        raise Rejected(["started_at"], "Has no time.")
    started_at = moment(row["started_at"], options)
    model = text(row.get("model"))
    latency = duration(row, "latency_ms", options)
    if latency is None:
        latency = milliseconds(started_at, moment(row.get("ended_at"), options, "ended_at"))
    status, outcome = outcome_of(row, options)
    return {
        "id": text(row.get("id")),
        "response_id": text(row.get("response_id")),
        "started_at": started_at,
        "provider": provider_of(row.get("provider"), model, options),
        "model": model,
        "application": text(row.get("application")),
        "deployment": text(row.get("deployment")),
        "task": text(row.get("task")) or "other",
        "outcome": outcome,
        "http_status": status,
        "error_type": text(row.get("error_type")),
        "latency_ms": latency,
        "ttft_ms": duration(row, "ttft_ms", options),
        "streamed": (text(row.get("streamed")) or "").lower() in TRUE,
        "batch": (text(row.get("batch")) or "").lower() in TRUE,
        "usage": usage(row, options, answered=outcome == "ok"),
        "user": text(row.get("user")),
        "raw": {column: values.get(column) for target, column in options.columns.items() if target != "user"},
    }


def duration(row: dict[str, Any], name: str, options: Options) -> float | None:
    value = number(row.get(name), options, name)
    if value is None:
        return None
    return value * 1000 if options.seconds else value


def outcome_of(row: dict[str, Any], options: Options) -> tuple[int | None, str]:
    """HTTP status and outcome; a column of words like `success` says the outcome alone."""
    code, word = text(row.get("http_status")), text(row.get("outcome"))
    status = int(code) if code and len(code) == 3 and code.isdecimal() and 100 <= int(code) <= 599 else None
    if word:
        return status, "ok" if word.lower() in GOOD else word.lower()
    if status is not None:
        return status, "ok" if status < 400 else "error"
    return None, "ok" if code is None or code.lower() in GOOD else "error"


def usage(row: dict[str, Any], options: Options, *, answered: bool) -> Usage:
    """`input` is with what was read from the cache, as most vendors count; `uncached_input` is without."""
    counts = {
        name: count(row.get(name), options, name)
        for name in ("input", "uncached_input", "output", "reasoning", *CLASSES)
    }
    read, written, hour = (counts[name] or 0 for name in CLASSES)
    apart = counts["uncached_input"] is not None
    prompt = counts["uncached_input"] if apart else counts["input"]
    if not apart and prompt is not None and prompt < read + written + hour:
        raise Rejected(
            ["input"], "Has more tokens from the cache than input. Map the input as the one without the cache."
        )
    counted = Counted(prompt, counts["output"], read, written + hour, hour, counts["reasoning"] or 0)
    return usage_of(counted, apart=apart, outputs=answered)


FORMAT = Format(
    slug="generic",
    label="Any CSV or JSON lines",
    about="one row a request, and you name the columns",
    needs=(frozenset(),),
    request_of=request_of,
)
