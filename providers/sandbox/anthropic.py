"""Simulated Claude: the organisation's reports, analytics and legacy, over the bills that the generator loads."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from aiohttp import web

from providers.sandbox.messages import MessagesApi
from providers.sandbox.state import Row, State, hour_of, moment, stamp
from providers.sandbox.vendor import Limit, Refused, Vendor, json

ADMIN_KEY = "sk-ant-admin01-sandbox"
API_KEY = "sk-ant-api03-sandbox"
BETA = "analytics-usage-cost-2026-08-24"
LAG = timedelta(hours=4)
WEB_SEARCH_CENTS = Decimal(1)

TOKENS = {
    "uncached_input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_write_5m": "cache_creation.ephemeral_5m_input_tokens",
    "cache_write_1h": "cache_creation.ephemeral_1h_input_tokens",
    "output": "output_tokens",
}
WIDTHS = {"1h": timedelta(hours=1), "1d": timedelta(days=1)}
DIMENSIONS = (
    "actor actor_type agent_id api_key_id claude_tag_category claude_tag_user_id context_window deployment_id "
    "environment_id inference_geo model organization_id product rbac_group_id service_tier session_id "
    "slack_channel_id speed user_profile_id workspace_id"
)
GROUPS = DIMENSIONS.split()
# Where a group's value stands in a loaded row, or what it always is.
FIELDS = {"model": "model", "service_tier": "service_tier", "workspace_id": "workspace", "api_key_id": "api_key"}
CONSTANT = {"product": "messages_api", "inference_geo": "global", "context_window": "0-200k", "speed": "standard"}


@dataclass
class Sum:
    """Loaded rows of one bucket and group, added up."""

    requests: int = 0
    web_searches: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKENS, 0))
    cents: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(TOKENS, Decimal(0)))

    def add(self, row: Row) -> None:
        self.requests += row["requests"]
        self.web_searches += row["web_searches"]
        for name in TOKENS:
            self.tokens[name] += row["tokens"].get(name, 0)
            self.cents[name] += Decimal(row["cost"].get(name, "0")) * 100


class SandboxAnthropic(Vendor):
    name = "anthropic"
    prefix = "anthropic"

    def __init__(self, state: State, pace: float = 1.0) -> None:
        super().__init__(state)
        self.messages = MessagesApi(state, pace)
        self.limit = Limit(600, 60)
        self._by_hour: dict[datetime, list[Row]] = {}
        self._made_at: tuple[int, int] = (-1, -1)
        self._last: tuple[str, list[list[dict[str, Any]]]] = ("", [])

    def routes(self) -> list[web.RouteDef]:
        org = "/v1/organizations"
        return [
            web.get(f"{org}/me", self.me),
            web.get(f"{org}/workspaces", self.workspaces),
            web.get(f"{org}/analytics/usage", self.analytics_usage),
            web.get(f"{org}/analytics/cost", self.analytics_cost),
            web.get(f"{org}/usage_report/messages", self.usage_report),
            web.get(f"{org}/cost_report", self.cost_report),
            *self.messages.routes(),
        ]

    def load(self, data: dict[str, Any]) -> int:
        known = {} if data.get("replace") else self.state.table("anthropic", "usage")
        rows: dict[str, Row] = {}
        for sent in data["usage"]:
            key, row = _key(sent), _row(sent)
            old = rows.get(key) or known.get(key)
            rows[key] = _added(old, row) if old else row
        self.state.put("anthropic", "usage", rows)
        return len(rows)

    def check(self, request: web.Request) -> None:
        key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
        if "anthropic-version" not in request.headers:
            raise Refused(error(400, "invalid_request_error", "anthropic-version: header is required"))
        if key != (ADMIN_KEY if "/organizations/" in request.path else API_KEY):
            raise Refused(self.bad_key())
        if "/organizations/" in request.path and (wait := self.limit.wait()):
            raise Refused(self.too_many(wait))

    def bad_key(self) -> web.Response:
        return error(401, "authentication_error", "invalid x-api-key")

    def too_many(self, wait: float) -> web.Response:
        message = "This request would exceed your organization's rate limit."
        return error(429, "rate_limit_error", message, retry_after=str(int(wait) + 1))

    def broken(self) -> web.Response:
        return error(500, "api_error", "Internal server error")

    def spend_cap(self) -> web.Response:
        details = {"error_code": "enforced_spend_limit_reached"}
        return error(429, "rate_limit_error", "You have reached your monthly spend limit.", details=details)

    def decorate(self, response: web.StreamResponse) -> None:
        response.headers["request-id"] = "req_sandbox"
        response.headers["anthropic-organization-id"] = "org_sandbox"
        response.headers["anthropic-ratelimit-requests-limit"] = str(self.limit.calls)
        response.headers["anthropic-ratelimit-requests-remaining"] = str(self.limit.left)
        response.headers["anthropic-ratelimit-requests-reset"] = stamp(self.state.now() + timedelta(seconds=60))

    async def me(self, request: web.Request) -> web.Response:
        return json({"id": "org_sandbox", "name": "Breakeven Demo GmbH", "type": "organization"})

    async def workspaces(self, request: web.Request) -> web.Response:
        names = sorted({row["workspace"] for rows in self._hours().values() for row in rows if row["workspace"]})
        data = [
            {"id": name, "name": name.removeprefix("wrkspc_"), "type": "workspace", "archived_at": None}
            for name in names
        ]
        first, last = (names[0], names[-1]) if names else (None, None)
        return json({"data": data, "has_more": False, "first_id": first, "last_id": last})

    # Analytics: flat rows, none for an empty bucket, whole only behind the watermark.

    async def analytics_usage(self, request: web.Request) -> web.Response:
        return self._analytics(request, GROUPS, _usage_rows)

    async def analytics_cost(self, request: web.Request) -> web.Response:
        return self._analytics(request, [*GROUPS, "cost_type", "token_type"], _cost_rows)

    def watermark(self) -> datetime:
        return hour_of(self.state.now()) - LAG

    def _analytics(self, request: web.Request, known: list[str], shape: Any) -> web.Response:
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
        identity = _identity(query, request.path)
        offset, limit = _offset(query, identity), _limit(query, 20, 1000)
        cached = f"{identity}/{mark}/{sorted(self._versions())}"
        if self._last[0] != cached:
            sums = self._sums(start, min(end, mark), width, [name for name in groups if name in FIELDS])
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
                "next_page": _cursor(identity, offset + limit) if more else None,
                "data_refreshed_at": stamp(mark),
            }
        )

    def _period(self, query: Any) -> tuple[datetime, datetime, timedelta | None]:
        try:
            start = _zoned(query["starting_at"])
            end = _zoned(query["ending_at"]) if "ending_at" in query else None
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

    def _versions(self) -> tuple[int, int]:
        return self.state.changes["anthropic", "usage"], self.state.changes["anthropic", "calls"]

    def _hours(self) -> dict[datetime, list[Row]]:
        if self._made_at != self._versions():
            self._by_hour = defaultdict(list)
            for table in ("usage", "calls"):
                for row in self.state.table("anthropic", table).values():
                    self._by_hour[moment(row["hour"])].append(row)
            self._made_at = self._versions()
        return self._by_hour

    def _sums(
        self, start: datetime, end: datetime, width: timedelta | None, groups: list[str]
    ) -> list[tuple[datetime, dict[str, Any], Sum]]:
        """(bucket, group values, sum) in order of time, only for whole hours before `end`."""
        found: dict[tuple[datetime, tuple[Any, ...]], Sum] = defaultdict(Sum)
        for hour, rows in self._hours().items():
            if not hour_of(start) <= hour or hour + timedelta(hours=1) > end:
                continue
            bucket = hour_of(start) if width is None else hour if width == WIDTHS["1h"] else hour.replace(hour=0)
            for row in rows:
                found[bucket, tuple(row[FIELDS[name]] for name in groups)].add(row)
        ordered = sorted(found.items(), key=lambda entry: (entry[0][0], [str(value) for value in entry[0][1]]))
        return [(bucket, dict(zip(groups, key, strict=True)), total) for (bucket, key), total in ordered]

    # Legacy: buckets oldest first, empty ones present, five minutes fresh.

    async def usage_report(self, request: web.Request) -> web.Response:
        sizes = {"1d": (7, 31), "1h": (24, 168)}
        return self._buckets(request, sizes, _legacy_usage)

    async def cost_report(self, request: web.Request) -> web.Response:
        return self._buckets(request, {"1d": (7, 31)}, _legacy_cost)

    def _buckets(self, request: web.Request, sizes: dict[str, tuple[int, int]], shape: Any) -> web.Response:
        query = request.query
        width = query.get("bucket_width", "1d")
        if width not in sizes:
            raise Refused(invalid("bucket_width: not supported"))
        try:
            start = _zoned(query["starting_at"])
            end = min(_zoned(query["ending_at"]) if "ending_at" in query else self.state.now(), self.state.now())
        except (KeyError, ValueError):
            raise Refused(invalid("starting_at: Field required")) from None
        step = WIDTHS[width]
        start = hour_of(start) if width == "1h" else hour_of(start).replace(hour=0)
        groups = query.getall("group_by[]", [])
        wanted = ["model", "service_tier"] if "description" in groups else []
        wanted += [name for name in groups if name in FIELDS]
        identity = _identity(query, request.path)
        offset, limit = _offset(query, identity), _limit(query, *sizes[width])
        starts = [start + step * n for n in range(max(0, -((start - end) // step)))]
        page = starts[offset : offset + limit]
        sums: dict[datetime, list[tuple[dict[str, Any], Sum]]] = defaultdict(list)
        if page:
            for bucket, key, total in self._sums(page[0], page[-1] + step, step, wanted):
                sums[bucket].append((key, total))
        data = [
            {
                "starting_at": stamp(at),
                "ending_at": stamp(at + step),
                "results": [result for key, total in sums[at] for result in shape(key, groups, total)],
            }
            for at in page
        ]
        more = offset + limit < len(starts)
        return json({"data": data, "has_more": more, "next_page": _cursor(identity, offset + limit) if more else None})


def error(status: int, kind: str, message: str, details: Any = None, **headers: str) -> web.Response:
    body: dict[str, Any] = {"type": kind, "message": message}
    if details:
        body["details"] = details
    return json({"type": "error", "error": body, "request_id": "req_sandbox"}, status, **headers)


def invalid(message: str) -> web.Response:
    return error(400, "invalid_request_error", message)


def _zoned(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no zone")
    return at.astimezone(UTC)


def _identity(query: Any, path: str) -> str:
    rest = sorted((name, value) for name, value in query.items() if name != "page")
    return hashlib.sha256(orjson.dumps([path, rest])).hexdigest()[:16]


def _cursor(identity: str, offset: int) -> str:
    return "page_" + base64.urlsafe_b64encode(f"{identity}:{offset}".encode()).decode()


def _offset(query: Any, identity: str) -> int:
    """Where a cursor points. One that was made for other parameters is refused, as the vendor does."""
    if "page" not in query:
        return 0
    try:
        made_for, _, offset = base64.urlsafe_b64decode(query["page"].removeprefix("page_")).decode().partition(":")
        if made_for != identity:
            raise ValueError("other parameters")
        return int(offset)
    except (ValueError, binascii.Error):
        raise Refused(invalid("page: the cursor is not valid for these parameters")) from None


def _limit(query: Any, default: int, most: int) -> int:
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise Refused(invalid(f"limit: must be between 1 and {most}"))
    return limit


def _key(row: Row) -> str:
    hour = stamp(hour_of(moment(row["hour"])))
    return "|".join([hour, *(str(row.get(name) or "") for name in ("model", "service_tier", "workspace", "api_key"))])


def _row(row: Row) -> Row:
    """A loaded row in the shape that is kept. Raises KeyError, ValueError."""
    return {
        "hour": stamp(hour_of(moment(row["hour"]))),
        "model": str(row["model"]),
        "service_tier": row.get("service_tier") or "standard",
        "workspace": row.get("workspace") or None,
        "api_key": row.get("api_key") or None,
        "requests": int(row.get("requests") or 0),
        "tokens": {name: int(row["tokens"].get(name) or 0) for name in TOKENS},
        "cost": {name: str(Decimal(row.get("cost", {}).get(name) or 0)) for name in TOKENS},
        "web_searches": int(row.get("web_searches") or 0),
    }


def _added(old: Row, new: Row) -> Row:
    return new | {
        "requests": old["requests"] + new["requests"],
        "web_searches": old["web_searches"] + new["web_searches"],
        "tokens": {name: old["tokens"][name] + new["tokens"][name] for name in TOKENS},
        "cost": {name: str(Decimal(old["cost"][name]) + Decimal(new["cost"][name])) for name in TOKENS},
    }


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
        "cache_creation": _creation(tokens),
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
        for parts, cents in _parts(total, groups)
        if cents
    ]


def _parts(total: Sum, groups: list[str]) -> Iterator[tuple[dict[str, str | None], Decimal]]:
    """How a sum fans out over `cost_type` and `token_type`."""
    search = WEB_SEARCH_CENTS * total.web_searches
    if "token_type" in groups:
        for name, cents in total.cents.items():
            yield {"cost_type": "tokens", "token_type": TOKENS[name]}, cents
        if "cost_type" in groups:
            yield {"cost_type": "web_search"}, search
    elif "cost_type" in groups:
        yield {"cost_type": "tokens"}, sum(total.cents.values(), Decimal(0))
        yield {"cost_type": "web_search"}, search
    else:
        yield {}, sum(total.cents.values(), search)


def _cost(cents: Decimal) -> dict[str, Any]:
    text = format(cents.normalize(), "f")
    return {"amount": text, "list_amount": text, "currency": "USD"}


def _creation(tokens: dict[str, int]) -> dict[str, int]:
    return {
        "ephemeral_5m_input_tokens": tokens["cache_write_5m"],
        "ephemeral_1h_input_tokens": tokens["cache_write_1h"],
    }


def _legacy_usage(key: dict[str, Any], groups: list[str], total: Sum) -> Iterator[dict[str, Any]]:
    names = "model workspace_id api_key_id account_id service_account_id service_tier context_window inference_geo"
    group = dict.fromkeys(names.split()) | {name: CONSTANT[name] for name in CONSTANT if name in groups} | key
    yield group | {
        "uncached_input_tokens": total.tokens["uncached_input"],
        "output_tokens": total.tokens["output"],
        "cache_read_input_tokens": total.tokens["cache_read"],
        "cache_creation": _creation(total.tokens),
        "server_tool_use": {"web_search_requests": total.web_searches},
    }


def _legacy_cost(key: dict[str, Any], groups: list[str], total: Sum) -> Iterator[dict[str, Any]]:
    described = "description" in groups
    if described and str(key.get("service_tier", "")).startswith("priority"):
        return  # this report leaves the priority tier out
    names = "workspace_id description cost_type token_type model service_tier context_window inference_geo"
    for parts, cents in _parts(total, ["cost_type", "token_type"] if described else []):
        if cents:
            row: dict[str, Any] = dict.fromkeys(names.split()) | key
            if described:
                words = " ".join(str(value) for value in [*key.values(), *parts.values()] if value)
                row |= parts | {"description": words}
            yield row | {"currency": "USD", "amount": format(cents.normalize(), "f")}
