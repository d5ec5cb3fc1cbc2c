"""Simulated Claude: the organisation's keys, limits and reports, and the Messages API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from sandbox.anthropic_analytics import Analytics
from sandbox.anthropic_bills import Bills
from sandbox.anthropic_legacy import LegacyReports
from sandbox.anthropic_wire import error, invalid, limit_of
from sandbox.messages import MessagesApi
from sandbox.state import State, stamp
from sandbox.vendor import Limit, Refused, Vendor, json

ADMIN_KEY = "sk-ant-admin01-sandbox"
API_KEY = "sk-ant-api03-sandbox"
DEFAULT_WORKSPACE = "wrkspc_01SandboxDefault"
SINCE = "2026-01-05T09:00:00Z"


class SandboxAnthropic(Vendor):
    name = "anthropic"
    prefix = "anthropic"

    def __init__(self, state: State, pace: float = 1.0) -> None:
        super().__init__(state)
        self.messages = MessagesApi(state, pace)
        self.limit = Limit(600, 60)
        self.bills = Bills(state)
        self.analytics, self.legacy = Analytics(self.bills), LegacyReports(self.bills)

    def routes(self) -> list[web.RouteDef]:
        org = "/v1/organizations"
        return [
            web.get(f"{org}/me", self.me),
            web.get(f"{org}/workspaces", self.workspaces),
            web.get(f"{org}/api_keys", self.api_keys),
            *self.analytics.routes(),
            *self.legacy.routes(),
            *self.messages.routes(),
        ]

    def load(self, data: dict[str, Any]) -> int:
        named = {str(id_): {"name": str(name)} for id_, name in data.get("names", {}).items()}
        self.state.put("anthropic", "names", named)
        return self.bills.load(data["usage"], replace=bool(data.get("replace")))

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
        id_ = self.state.table("anthropic", "account").get("identity", {}).get("id", "org_sandbox")
        return json({"id": id_, "name": "Breakeven Demo GmbH", "type": "organization"})

    async def workspaces(self, request: web.Request) -> web.Response:
        """The default one only for whoever asks for it, as the vendor does."""
        ids = self.bills.seen("workspace")
        if request.query.get("include_default") == "true":
            ids = [DEFAULT_WORKSPACE, *ids]
        return self._listed(request, [self._workspace(id_) for id_ in ids])

    async def api_keys(self, request: web.Request) -> web.Response:
        return self._listed(request, [self._api_key(id_) for id_ in self.bills.seen("api_key")])

    def _listed(self, request: web.Request, rows: list[dict[str, Any]]) -> web.Response:
        """A page by `after_id`, which must be of the list."""
        ids, after = [row["id"] for row in rows], request.query.get("after_id")
        if after is not None and after not in ids:
            raise Refused(invalid("after_id: no such object"))
        start = 0 if after is None else ids.index(after) + 1
        page = rows[start : start + limit_of(request.query, 20, 1000)]
        first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
        more = start + len(page) < len(rows)
        return json({"data": page, "has_more": more, "first_id": first, "last_id": last})

    def _name(self, id_: str) -> str:
        return str(self.state.table("anthropic", "names").get(id_, {"name": id_.partition("_")[2]})["name"])

    def _workspace(self, id_: str) -> dict[str, Any]:
        name = "Default" if id_ == DEFAULT_WORKSPACE else self._name(id_)
        return {"id": id_, "name": name, "type": "workspace", "created_at": SINCE, "archived_at": None, "tags": {}}

    def _api_key(self, id_: str) -> dict[str, Any]:
        where = self.bills.seen("workspace")[:1] or [DEFAULT_WORKSPACE]
        return {
            "id": id_,
            "type": "api_key",
            "name": self._name(id_),
            "status": "active",
            "partial_key_hint": f"sk-ant-api03-{id_[-4:]}...",
            "created_at": SINCE,
            "expires_at": None,
            "created_by": None,
            "principal": None,
            "scope": {"type": "workspace", "workspace_id": where[0]},
        }
