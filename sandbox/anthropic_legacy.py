"""Simulated legacy reports: buckets, oldest first, empty ones too, minutes fresh, without the cost of priority."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiohttp import web

from sandbox.anthropic_bills import CONSTANT, FIELDS, WIDTHS, Bills, Sum, cents_text, creation, fan_out
from sandbox.anthropic_wire import cursor, identity_of, invalid, limit_of, offset_of, zoned
from sandbox.state import hour_of, stamp
from sandbox.vendor import Refused, json


class LegacyReports:
    def __init__(self, bills: Bills) -> None:
        self.bills = bills
        self.state = bills.state

    def routes(self) -> list[web.RouteDef]:
        base = "/v1/organizations"
        return [web.get(f"{base}/usage_report/messages", self.usage), web.get(f"{base}/cost_report", self.cost)]

    async def usage(self, request: web.Request) -> web.Response:
        sizes = {"1d": (7, 31), "1h": (24, 168)}
        return self._buckets(request, sizes, _legacy_usage)

    async def cost(self, request: web.Request) -> web.Response:
        return self._buckets(request, {"1d": (7, 31)}, _legacy_cost)

    def _buckets(self, request: web.Request, sizes: dict[str, tuple[int, int]], shape: Any) -> web.Response:
        query = request.query
        width = query.get("bucket_width", "1d")
        if width not in sizes:
            raise Refused(invalid("bucket_width: not supported"))
        try:
            start = zoned(query["starting_at"])
            end = min(zoned(query["ending_at"]) if "ending_at" in query else self.state.now(), self.state.now())
        except (KeyError, ValueError):
            raise Refused(invalid("starting_at: Field required")) from None
        step = WIDTHS[width]
        start = hour_of(start) if width == "1h" else hour_of(start).replace(hour=0)
        groups = query.getall("group_by[]", [])
        wanted = ["model", "service_tier"] if "description" in groups else []
        wanted += [name for name in groups if name in FIELDS]
        identity = identity_of(query, request.path)
        offset, limit = offset_of(query, identity), limit_of(query, *sizes[width])
        starts = [start + step * n for n in range(max(0, -((start - end) // step)))]
        page = starts[offset : offset + limit]
        sums: dict[datetime, list[tuple[dict[str, Any], Sum]]] = defaultdict(list)
        if page:
            for bucket, key, total in self.bills.sums(page[0], page[-1] + step, step, wanted):
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
        return json({"data": data, "has_more": more, "next_page": cursor(identity, offset + limit) if more else None})


def _legacy_usage(key: dict[str, Any], groups: list[str], total: Sum) -> Iterator[dict[str, Any]]:
    names = "model workspace_id api_key_id account_id service_account_id service_tier context_window inference_geo"
    group = dict.fromkeys(names.split()) | {name: CONSTANT[name] for name in CONSTANT if name in groups} | key
    yield group | {
        "uncached_input_tokens": total.tokens["uncached_input"],
        "output_tokens": total.tokens["output"],
        "cache_read_input_tokens": total.tokens["cache_read"],
        "cache_creation": creation(total.tokens),
        "server_tool_use": {"web_search_requests": total.web_searches},
    }


def _legacy_cost(key: dict[str, Any], groups: list[str], total: Sum) -> Iterator[dict[str, Any]]:
    described = "description" in groups
    if described and str(key.get("service_tier", "")).startswith("priority"):
        return  # this report leaves the priority tier out
    names = "workspace_id description cost_type token_type model service_tier context_window inference_geo"
    for parts, cents in fan_out(total, ["cost_type", "token_type"] if described else []):
        if cents:
            row: dict[str, Any] = dict.fromkeys(names.split()) | key
            if described:
                words = " ".join(str(value) for value in [*key.values(), *parts.values()] if value)
                row |= parts | {"description": words}
            yield row | {"currency": "USD", "amount": cents_text(cents)}
