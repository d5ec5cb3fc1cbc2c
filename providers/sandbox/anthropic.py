"""Simulated Claude: the organisation's keys, limits and reports, and the Messages API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from providers.sandbox.anthropic_analytics import Analytics
from providers.sandbox.anthropic_bills import Bills
from providers.sandbox.anthropic_legacy import LegacyReports
from providers.sandbox.anthropic_wire import error
from providers.sandbox.messages import MessagesApi
from providers.sandbox.state import State, stamp
from providers.sandbox.vendor import Limit, Refused, Vendor, json

ADMIN_KEY = "sk-ant-admin01-sandbox"
API_KEY = "sk-ant-api03-sandbox"


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
            *self.analytics.routes(),
            *self.legacy.routes(),
            *self.messages.routes(),
        ]

    def load(self, data: dict[str, Any]) -> int:
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
        return json({"id": "org_sandbox", "name": "Breakeven Demo GmbH", "type": "organization"})

    async def workspaces(self, request: web.Request) -> web.Response:
        names = self.bills.workspaces()
        data = [
            {"id": name, "name": name.removeprefix("wrkspc_"), "type": "workspace", "archived_at": None}
            for name in names
        ]
        first, last = (names[0], names[-1]) if names else (None, None)
        return json({"data": data, "has_more": False, "first_id": first, "last_id": last})
