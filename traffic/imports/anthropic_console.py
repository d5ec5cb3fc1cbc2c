"""The Claude Console's CSV exports, usage and cost: sums by day, model and key, not requests.

They become rows of the vendor's usage report or bill, beside which our own log is held; never requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from lib.dates import DAY
from providers.connectors.base import CostRow, UsageRow
from traffic.imports.base import Format, Options, Record, Reported
from traffic.imports.readers import snaked
from traffic.imports.values import count, decimal, first, moment, text
from traffic.ingest.native import Rejected

TOKEN_CLASS = {
    "input_no_cache": "uncached_input", "input_cache_read": "cache_read", "input_cache_write_5m": "cache_write_5m",
    "input_cache_write_1h": "cache_write_1h", "output": "output",
}  # fmt: skip
CATEGORY = {"token": "tokens", "web_search": "web_search", "code_execution": "code_execution", "session": "session"}
# What tells two lines of one day apart in the cost export.
KEY = (
    "model",
    "workspace",
    "api_key",
    "usage_type",
    "context_window",
    "token_type",
    "cost_type",
    "inference_geo",
    "speed",
)


def report_of(record: Record, options: Options) -> Iterable[Reported]:
    row = snaked(dict(record))
    starts_at = moment(row.get("usage_date_utc"), options, "usage_date_utc")
    if starts_at is None:
        raise Rejected(["usage_date_utc"], "Has no day.")
    if "cost_usd" in row:
        amount = decimal(row["cost_usd"], options, "cost_usd")
        if amount is None:
            raise Rejected(["cost_usd"], "Has no amount.")
        parts = "/".join(text(row.get(name)) or "-" for name in KEY)
        yield CostRow.usd(
            f"file/{starts_at:%Y-%m-%d}/{blake2b(parts.encode(), digest_size=16).hexdigest()}",
            starts_at,
            starts_at + DAY,
            CATEGORY.get(text(row.get("cost_type")) or "token", "adjustment"),
            amount,
            model=model_id(text(row.get("model")) or ""),
            token_class=TOKEN_CLASS.get(text(row.get("token_type")) or "", ""),
            description=parts[:500],
            list_amount=decimal(row.get("list_price_usd"), options, "list_price_usd"),
        )
        return

    def tokens(name: str) -> int:
        return count(row.get(name), options, name) or 0

    yield UsageRow(
        starts_at=starts_at,
        ends_at=starts_at + DAY,
        model=model_id(text(first(row, "model_version", "model")) or ""),
        workspace=text(row.get("workspace")) or "",
        api_key=text(row.get("api_key")) or "",
        service_tier=text(row.get("usage_type")) or "",
        requests=None,
        uncached_input=tokens("usage_input_tokens_no_cache"),
        cache_read=tokens("usage_input_tokens_cache_read"),
        # Exports of before the hour's cache have one column for what was written.
        cache_write_5m=tokens("usage_input_tokens_cache_write_5m") or tokens("usage_input_tokens_cache_write"),
        cache_write_1h=tokens("usage_input_tokens_cache_write_1h"),
        output=tokens("usage_output_tokens"),
        web_searches=tokens("web_search_count"),
    )


def model_id(name: str) -> str:
    """The cost export writes names for people: `Claude Haiku 4.5` is claude-haiku-4-5."""
    return name.lower().replace(" ", "-").replace(".", "-") if " " in name else name


FORMAT = Format(
    slug="anthropic-console",
    label="Claude Console, usage or cost",
    about="the CSV of the Console's usage or cost page: sums by day",
    needs=(frozenset({"usage_date_utc"}),),
    report_of=report_of,
    provider="anthropic",
)
