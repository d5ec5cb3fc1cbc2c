"""OpenAI's usage and cost exports: sums by hour or day, model, project and key, not requests.

CSV from the usage page, or pages of `/v1/organization/usage/completions` and `/costs` as JSON.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

from lib.dates import DAY
from providers.connectors.base import CostRow, UsageRow
from traffic.imports.base import Format, Options, Record, Reported
from traffic.imports.readers import flat, snaked
from traffic.imports.values import count, decimal, first, moment, text
from traffic.ingest.native import Rejected


def report_of(record: Record, options: Options) -> Iterable[Reported]:
    for row in rows_of(dict(record)):
        starts_at = moment(first(row, "start_time", "start_time_iso"), options, "start_time")
        if starts_at is None:
            raise Rejected(["start_time"], "Has no start.")
        ends_at = moment(first(row, "end_time", "end_time_iso"), options, "end_time") or starts_at + DAY
        if "amount_value" in row:
            yield from cost(row, starts_at, ends_at, options)
        elif text(row.get("model")) or count(row.get("num_model_requests"), options, "num_model_requests"):
            yield usage(row, starts_at, ends_at, options)


def rows_of(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of a CSV as they stand, those of the API out of their pages and buckets."""
    if isinstance(record.get("data"), list):
        for bucket in record["data"]:
            yield from rows_of(bucket)
    elif isinstance(record.get("results"), list):
        for result in record["results"]:
            flattened = flat({"start_time": record.get("start_time"), "end_time": record.get("end_time"), **result})
            yield {name.replace(".", "_"): value for name, value in flattened.items()}
    else:
        yield snaked(record)


def usage(row: dict[str, Any], starts_at: Any, ends_at: Any, options: Options) -> UsageRow:
    """OpenAI's input is with what was read from the cache."""
    prompt = count(row.get("input_tokens"), options, "input_tokens") or 0
    cached = count(row.get("input_cached_tokens"), options, "input_cached_tokens") or 0
    return UsageRow(
        starts_at=starts_at,
        ends_at=ends_at,
        model=text(row.get("model")) or "",
        workspace=text(row.get("project_id")) or "",
        api_key=text(row.get("api_key_id")) or "",
        service_tier="batch"
        if (text(row.get("batch")) or "").lower() == "true"
        else text(row.get("service_tier")) or "",
        requests=count(row.get("num_model_requests"), options, "num_model_requests"),
        uncached_input=max(prompt - cached, 0),
        cache_read=cached,
        cache_write_5m=0,
        cache_write_1h=0,
        output=count(row.get("output_tokens"), options, "output_tokens") or 0,
        web_searches=0,
    )


def cost(row: dict[str, Any], starts_at: Any, ends_at: Any, options: Options) -> Iterator[CostRow]:
    """A day without cost has a line without an amount."""
    amount = decimal(row.get("amount_value"), options, "amount_value")
    if amount is None:
        return
    currency = (text(row.get("amount_currency")) or "usd").upper()
    if currency != "USD":
        raise Rejected(["amount_currency"], f"Is in {currency}. Only USD can be read.")
    item = text(row.get("line_item")) or ""
    parts = "/".join((item or "-", text(row.get("project_id")) or "-"))
    yield CostRow.usd(
        f"file/{starts_at:%Y-%m-%d}/{blake2b(parts.encode(), digest_size=16).hexdigest()}",
        starts_at,
        ends_at,
        "tokens",
        amount,
        model=item.split(",")[0].strip(),
        description=parts[:500],
    )


FORMAT = Format(
    slug="openai-usage",
    label="OpenAI, usage or cost",
    about="the export of the usage page, or the API's JSON: sums by hour or day",
    needs=(
        frozenset({"start_time", "num_model_requests"}),
        frozenset({"start_time", "amount_value"}),
        frozenset({"start_time", "results"}),
        frozenset({"object", "data"}),
    ),
    report_of=report_of,
    provider="openai",
)
