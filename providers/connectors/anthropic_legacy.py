"""Claude's older organisation reports: still served, minutes fresh, for Console organisations alone.

Traps: they come in buckets, empty ones too; a page counts buckets, of which there are few; there is no number of
requests; the cost of the priority tier is not in them, so its usage has tokens and no bill; a workspace that is null is
the default one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from providers.connectors.base import Connector, ConnectorError, CostRow, Fetched, UsageRow
from providers.connectors.http import Answer, VendorHttp, header_key, walk
from providers.connectors.parse import day_of, hour_of, moment, money, rfc3339, usd_only, whole

USAGE_PATH = "/v1/organizations/usage_report/messages"
COST_PATH = "/v1/organizations/cost_report"
FRESH = timedelta(minutes=10)  # "typically within five"
TOKEN_CLASS = {
    "uncached_input_tokens": "uncached_input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}
CATEGORY = {name: name for name in ("tokens", "web_search", "code_execution")} | {"session_usage": "session"}


def fetch_usage(connector: Connector, since: datetime, until: datetime) -> Fetched[UsageRow]:
    params = {"bucket_width": "1h", "limit": 168, "starting_at": rfc3339(hour_of(since)), "ending_at": rfc3339(until)}
    params["group_by[]"] = ["model", "workspace_id", "api_key_id", "service_tier"]
    with _http(connector) as http, connector.parsing():
        rows = [_usage_row(*result) for result in _results(http, USAGE_PATH, params)]
    return Fetched(rows, hour_of(datetime.now(UTC) - FRESH))


def fetch_costs(connector: Connector, since: datetime, until: datetime) -> Fetched[CostRow]:
    params = {"bucket_width": "1d", "limit": 31, "starting_at": rfc3339(day_of(since)), "ending_at": rfc3339(until)}
    params["group_by[]"] = ["workspace_id", "description"]
    with _http(connector) as http, connector.parsing():
        rows = [_cost_row(*result) for result in _results(http, COST_PATH, params)]
    return Fetched(rows, hour_of(datetime.now(UTC) - FRESH))


def _http(connector: Connector) -> VendorHttp:
    headers = {"x-api-key": header_key(connector.label, connector.config.secret), "anthropic-version": "2023-06-01"}
    return VendorHttp(connector.label, connector.base_url, connector.config, headers=headers, explain=spend_cap)


def spend_cap(answer: Answer) -> ConnectorError | None:
    """The month's cap looks like a rate limit but holds until the month rolls over."""
    error = answer.fields.get("error") if answer.status == 429 else None
    details = error.get("details") if isinstance(error, dict) else None
    if not isinstance(details, dict) or details.get("error_code") != "enforced_spend_limit_reached":
        return None
    now = datetime.now(UTC)
    next_month = day_of((now.replace(day=1) + timedelta(days=32)).replace(day=1))
    return ConnectorError(
        _("Claude's spend limit of this month is reached."),
        retry_after=(next_month - now).total_seconds(),
        capped=True,
    )


def _results(
    http: VendorHttp, path: str, params: dict[str, Any]
) -> Iterator[tuple[datetime, datetime, dict[str, Any]]]:
    def page(cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        answer = http.get(path, params | ({"page": cursor} if cursor else {}))
        return answer["data"], answer["next_page"] if answer["has_more"] else None

    for bucket in walk(http.label, page):
        for result in bucket["results"]:
            yield moment(bucket["starting_at"]), moment(bucket["ending_at"]), result


def _usage_row(starts_at: datetime, ends_at: datetime, result: dict[str, Any]) -> UsageRow:
    written = result["cache_creation"]
    return UsageRow(
        starts_at=starts_at,
        ends_at=ends_at,
        model=result["model"] or "",
        workspace=result["workspace_id"] or "",
        api_key=result["api_key_id"] or "",
        service_tier=result["service_tier"] or "",
        requests=None,
        uncached_input=whole(result["uncached_input_tokens"]),
        cache_read=whole(result["cache_read_input_tokens"]),
        cache_write_5m=whole(written["ephemeral_5m_input_tokens"]),
        cache_write_1h=whole(written["ephemeral_1h_input_tokens"]),
        output=whole(result["output_tokens"]),
        web_searches=whole(result["server_tool_use"]["web_search_requests"]),
    )


def _cost_row(starts_at: datetime, ends_at: datetime, result: dict[str, Any]) -> CostRow:
    names = ("workspace_id", "model", "service_tier", "cost_type", "token_type", "context_window", "inference_geo")
    return CostRow.usd(
        "/".join([f"legacy/{starts_at:%Y-%m-%d}", *(str(result.get(name) or "-") for name in names)]),
        starts_at,
        ends_at,
        CATEGORY.get(result.get("cost_type") or "", "adjustment"),
        money(str(result["amount"]), per=100, signed=True),
        currency=usd_only(result["currency"]),
        model=result.get("model") or "",
        token_class=TOKEN_CLASS.get(result.get("token_type") or "", ""),
        description=str(result.get("description") or "")[:200],
        workspace=result.get("workspace_id") or "",
        service_tier=result.get("service_tier") or "",
    )
