"""Faults that change what a good answer says: lists that empty, bills that are revised, numbers that are none.

Each works on the vendor's own good answer, so that the wire format around the change stays true.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from aiohttp import web

SLOW_S = 1.0
ZONED = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+)(Z|[+-]\d\d:\d\d)")
CURSORS = ("page", "pageToken", "after_token", "after_id")  # what asks for the next page
NEXT = ("next_page", "nextPageToken", "next_token", "last_id")  # what names it
LISTS = ("pods", "endpoints", "instances")
BILLS = ("cost", "billing", "charges", "queries")
PRICES: tuple[str, ...] = ("secure", "community", "serverless", "secureSpotPrice", "communitySpotPrice")
PRICES += ("dph_base", "dph_total", "min_bid", "price_cents_per_hour")
REVISED, MOVED = Decimal("1.1"), Decimal("1.25")
_numbers = itertools.count(1)

Handler = Callable[[web.Request], Any]


async def bent(kind: str, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer of a handler, as the fault changes it; what is no good answer, or lets us in, is left alone."""
    if kind == "slow":
        await asyncio.sleep(SLOW_S)
    if kind == "endless":
        asked = request.rel_url
        request = request.clone(rel_url=asked.with_query([(k, v) for k, v in asked.query.items() if k not in CURSORS]))
    answer: web.StreamResponse = await handler(request)
    if kind == "slow" or request.path.endswith("/token") or answer.status != 200:
        return answer
    if not isinstance(answer, web.Response) or not isinstance(answer.body, bytes):
        return answer
    body = answer.body
    if kind == "wrong_type":
        answer.content_type = "text/csv"
    else:
        body = json.dumps(BENDS[kind](request.path, json.loads(body, parse_float=Decimal)), default=float).encode()
    answer.body = body
    return answer


def everywhere(data: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    """A copy in which `change` has been asked about every value, the outer ones first."""
    data = change(key, data)
    if isinstance(data, dict):
        return {name: everywhere(value, change, name) for name, value in data.items()}
    return [everywhere(value, change, key) for value in data] if isinstance(data, list) else data


def _number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def nan(path: str, data: Any) -> Any:
    """No amount is a number any more, whether it comes as one or as text."""

    def change(key: str, value: Any) -> Any:
        if _number(value):
            return float("nan")
        return "NaN" if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?(E[+-]?\d+)?", value) else value

    return everywhere(data, change)


def currency(path: str, data: Any) -> Any:
    return everywhere(data, lambda key, value: "EUR" if value == "USD" else value)


def naive(path: str, data: Any) -> Any:
    """Times without a zone."""
    return everywhere(data, lambda key, value: ZONED.sub(r"\1", value) if isinstance(value, str) else value)


def endless(path: str, data: Any) -> Any:
    """Every page names a next one that was never named before."""

    def change(key: str, value: Any) -> Any:
        if key in NEXT:
            return f"page-{next(_numbers)}"
        return True if key == "has_more" else value

    return everywhere(data, change)


def vanish(path: str, data: Any) -> Any:
    """What was rented is not listed any more."""
    listed = (*LISTS, "data") if path.endswith("/instances") else LISTS
    return everywhere(data, lambda key, value: [] if key in listed and isinstance(value, list) else value)


def sold_out(path: str, data: Any) -> Any:
    def change(key: str, value: Any) -> Any:
        if key == "availability":
            return "NONE"
        return [] if key in ("offers", "regions_with_capacity_available") else value

    return everywhere(data, change)


def moved(path: str, data: Any) -> Any:
    """Prices a quarter higher."""

    def change(key: str, value: Any) -> Any:
        if key == "unitPrice":
            nanos = int((int(value["units"]) * 10**9 + int(value["nanos"])) * MOVED)
            return value | {"units": str(nanos // 10**9), "nanos": nanos % 10**9}
        return _times(value, MOVED) if key in PRICES and _number(value) else value

    return everywhere(data, change)


def revised(path: str, data: Any) -> Any:
    """A bill a tenth higher; whatever is no bill stays."""
    if not any(part in path for part in BILLS):
        return data
    if "schema" in data:  # BigQuery names its columns apart
        names = [field["name"] for field in data["schema"]["fields"]]
        for cell in (row["f"][names.index("cost")] for row in data["rows"]):
            cell["v"] = str(Decimal(cell["v"]) * REVISED)
        return data

    def change(key: str, value: Any) -> Any:
        if isinstance(value, dict | list) or not key.lower().endswith("amount"):
            return value
        return str(Decimal(value) * REVISED) if isinstance(value, str) else _times(value, REVISED)

    return everywhere(data, change)


def _times(value: Any, factor: Decimal) -> Any:
    return int(value * factor) if isinstance(value, int) else Decimal(value) * factor


BENDS: dict[str, Callable[[str, Any], Any]] = {
    bend.__name__: bend for bend in (nan, currency, naive, endless, vanish, sold_out, moved, revised)
}

BENT = ("slow", "wrong_type", *BENDS)
