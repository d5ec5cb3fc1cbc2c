"""Simulated analytics reports: flat rows, none for an empty bucket, and only what lies behind the watermark."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from aiohttp import web

from sandbox.anthropic_bills import CONSTANT, FIELDS, WIDTHS, Bills, Sum, cents_text, creation, fan_out
from sandbox.anthropic_wire import cursor, identity_of, invalid, limit_of, offset_of, zoned
from sandbox.state import hour_of, stamp
from sandbox.vendor import Refused, json

BETA = "analytics-usage-cost-2026-08-24"
LAG = timedelta(hours=4)
DIMENSIONS = (
    "actor actor_type agent_id api_key_id claude_tag_category claude_tag_user_id context_window deployment_id "
    "environment_id inference_geo model organization_id product rbac_group_id service_tier session_id "
    "slack_channel_id speed user_profile_id workspace_id"
)
GROUPS = DIMENSIONS.split()


class Analytics:
    def __init__(self, bills: Bills) -> None:
        self.bills = bills
        self.state = bills.state
        self._last: tuple[str, list[list[dict[str, Any]]]] = ("", [])  # rows of the query that is being paged through

    def routes(self) -> list[web.RouteDef]:
        base = "/v1/organizations/analytics"
        return [web.get(f"{base}/usage", self.usage), web.get(f"{base}/cost", self.cost)]

    async def usage(self, request: web.Request) -> web.Response:
        return self._report(request, GROUPS, _usage_rows)

    async def cost(self, request: web.Request) -> web.Response:
        return self._report(request, [*GROUPS, "cost_type", "token_type"], _cost_rows)

    def watermark(self) -> datetime:
        return hour_of(self.state.now()) - LAG

    def _report(self, request: web.Request, known: list[str], shape: Any) -> web.Response:
        query = request.query
        if BETA not in request.headers.get("anthropic-beta", ""):
            raise Refused(invalid(f"anthropic-beta: {BETA} is required"))
        groups = query.getall("group_by[]", [])
        if unknown := [name for name in groups if name not in known]:
            raise Refused(invalid(f"group_by: {unknown[0]} is not supported"))
        if len([name for name in groups if name not in ("cost_type", "token_type")]) > 5:
            raise Refused(invalid("group_by: at most 5 dimensions"))
        start, end, width = self._period(query)
        mark = self.watermark()
        identity = identity_of(query, request.path)
        offset, limit = offset_of(query, identity), limit_of(query, 20, 1000)
        cached = f"{identity}/{mark}/{sorted(self.bills.versions())}"
        if self._last[0] != cached:
            sums = self.bills.sums(start, min(end, mark), width, [name for name in groups if name in FIELDS])
            if query.get("order", "desc") == "desc" and query.get("order_by") == "time":
                sums.reverse()
            blank = dict.fromkeys(known)
            rows = [shape(bucket, width, (start, end), key, groups, blank, total) for bucket, key, total in sums]
            self._last = (cached, rows)
        page = self._last[1][offset : offset + limit]
        more = offset + limit < len(self._last[1])
        return json(
            {
                "data": [row for rows in page for row in rows],
                "has_more": more,
                "next_page": cursor(identity, offset + limit) if more else None,
                "data_refreshed_at": stamp(mark),
            }
        )

    def _period(self, query: Any) -> tuple[datetime, datetime, timedelta | None]:
        try:
            start = zoned(query["starting_at"])
            end = zoned(query["ending_at"]) if "ending_at" in query else None
        except (KeyError, ValueError):
            raise Refused(invalid("starting_at: an RFC 3339 time with a zone is required")) from None
        width = query.get("time_bucket_width")
        if width is not None and (width not in WIDTHS or end is None):
            raise Refused(invalid("time_bucket_width: 1h or 1d, with ending_at"))
        end = end or min(self.state.now(), start + timedelta(days=31))
        oldest = max(datetime(2026, 1, 1, tzinfo=UTC), self.state.now() - timedelta(days=365))
        if start < oldest:
            raise Refused(invalid("starting_at: must be within the last 365 days and not before 2026-01-01"))
        if end - start > timedelta(days=31) or end < start:
            raise Refused(invalid("ending_at: the range may span at most 31 days"))
        return start, end, WIDTHS.get(width) if width else None


def _bounds(bucket: datetime, width: timedelta | None, period: tuple[datetime, datetime]) -> dict[str, str]:
    start, end = (bucket, bucket + width) if width else (hour_of(period[0]), hour_of(period[1]))
    return {"starting_at": stamp(start), "ending_at": stamp(end)}


def _group(blank: dict[str, Any], groups: list[str], key: dict[str, Any]) -> dict[str, Any]:
    return blank | {name: value for name, value in CONSTANT.items() if name in groups} | key


def _usage_rows(
    bucket: datetime, width: Any, period: Any, key: dict[str, Any], groups: list[str], blank: dict[str, Any], total: Sum
) -> list[dict[str, Any]]:
    tokens = total.tokens
    usage = {
        "uncached_input_tokens": tokens["uncached_input"],
        "cache_creation": creation(tokens),
        "cache_read_input_tokens": tokens["cache_read"],
        "output_tokens": tokens["output"],
        "total_tokens": sum(tokens.values()),
        "requests": total.requests,
        "server_tool_use": {"web_search_requests": total.web_searches},
    }
    return [_bounds(bucket, width, period) | {"group": _group(blank, groups, key), "usage": usage}]


def _cost_rows(
    bucket: datetime, width: Any, period: Any, key: dict[str, Any], groups: list[str], blank: dict[str, Any], total: Sum
) -> list[dict[str, Any]]:
    bounds, group = _bounds(bucket, width, period), _group(blank, groups, key)
    counted = None if {"cost_type", "token_type"} & set(groups) else total.requests
    return [
        bounds | {"group": group | parts, "cost": _cost(cents) | {"requests": counted}}
        for parts, cents in fan_out(total, groups)
        if cents
    ]


def _cost(cents: Decimal) -> dict[str, Any]:
    text = cents_text(cents)
    return {"amount": text, "list_amount": text, "currency": "USD"}
