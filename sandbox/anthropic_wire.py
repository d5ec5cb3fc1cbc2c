"""How the simulated Claude answers: errors, cursors, limits and times, the same in every report."""

from __future__ import annotations

import base64
import binascii
import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from sandbox.vendor import Refused, json


def error(status: int, kind: str, message: str, details: Any = None, **headers: str) -> web.Response:
    body: dict[str, Any] = {"type": kind, "message": message}
    if details:
        body["details"] = details
    return json({"type": "error", "error": body, "request_id": "req_sandbox"}, status, **headers)


def invalid(message: str) -> web.Response:
    return error(400, "invalid_request_error", message)


def zoned(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no zone")
    return at.astimezone(UTC)


def identity_of(query: Any, path: str) -> str:
    rest = sorted((name, value) for name, value in query.items() if name != "page")
    return hashlib.sha256(orjson.dumps([path, rest])).hexdigest()[:16]


def cursor(identity: str, offset: int) -> str:
    return "page_" + base64.urlsafe_b64encode(f"{identity}:{offset}".encode()).decode()


def offset_of(query: Any, identity: str) -> int:
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


def limit_of(query: Any, default: int, most: int) -> int:
    try:
        limit = int(query.get("limit", default))
    except ValueError:
        limit = 0
    if not 1 <= limit <= most:
        raise Refused(invalid(f"limit: must be between 1 and {most}"))
    return limit
