"""A vendor that nobody simulates: it answers what was recorded of it, and breaks like all others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp import web

from sandbox.state import State
from sandbox.vendor import Refused, Vendor, json

KEY = "recorded_0123456789abcdefghij"


class Recorded(Vendor):
    """Answers `GET /{kind}/a/b` with `{kind}_a_b.json`, its page 2 with `{kind}_a_b_2.json`; the key may stand in
    any header."""

    def __init__(self, state: State, kind: str, folder: Path) -> None:
        super().__init__(state)
        self.name = self.prefix = kind  # type: ignore[misc]  # of the class everywhere else
        self.folder = folder

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/{path:.*}", self.recorded)]

    def load(self, data: dict[str, Any]) -> int:
        raise ValueError("what is recorded stands in files")

    def check(self, request: web.Request) -> None:
        if not any(value in (KEY, f"Bearer {KEY}") for value in request.headers.values()):
            raise Refused(self.bad_key())

    def bad_key(self) -> web.Response:
        return json({"id": "unauthorized", "message": "Unable to authenticate you"}, 401)

    def too_many(self, wait: float) -> web.Response:
        return json({"id": "too_many_requests", "message": "Too many requests"}, 429, retry_after=f"{wait:.0f}")

    def broken(self) -> web.Response:
        return json({"id": "server_error", "message": "Unexpected server-side error"}, 500)

    async def recorded(self, request: web.Request) -> web.Response:
        page = request.query.get("page", "1")
        name = "_".join([self.name, *request.match_info["path"].split("/")]) + ("" if page == "1" else f"_{page}")
        file = self.folder / f"{name}.json"
        if file.parent != self.folder or not file.is_file():
            return json({"id": "not_found", "message": "The resource you were accessing could not be found."}, 404)
        return web.Response(body=file.read_bytes(), content_type="application/json")
