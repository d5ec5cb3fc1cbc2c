"""Simulated Lambda: instance types keyed by name, instances, one call a second, and no bill at all."""

from __future__ import annotations

import base64
from typing import Any

from aiohttp import web

from sandbox import rentals
from sandbox.catalog import LAMBDA, LAMBDA_REGIONS, LambdaType
from sandbox.state import Row, State
from sandbox.vendor import Limit, Refused, Vendor, json

KEY = "secret_sandbox_0123456789abcdef"
STATUS = {"RUNNING": "active", "EXITED": "unhealthy"}


class SandboxLambda(Vendor):
    name = "lambda"
    prefix = "lambda"

    def __init__(self, state: State, strict: bool = False) -> None:
        super().__init__(state)
        self.limit = Limit(1, 1.0) if strict else Limit(20, 10.0)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/instance-types", self.instance_types),
            web.get("/instances", self.instances),
            web.post("/instance-operations/terminate", self.terminate),
        ]

    def load(self, data: dict[str, Any]) -> int:
        known = {kind.name for kind in LAMBDA}
        rows = {str(row["id"]): rentals.kept(row, region="us-west-3") for row in data["instances"]}
        if unknown := [row["gpu"] for row in rows.values() if row["gpu"] not in known]:
            raise ValueError(f"gpu is an instance type here, one of {', '.join(sorted(known))}, not {unknown[0]}")
        if data.get("replace"):
            self.state.clear("lambda", "instances")
        self.state.put("lambda", "instances", rows)
        return len(rows)

    def check(self, request: web.Request) -> None:
        if _key(request.headers.get("authorization", "")) != KEY:
            raise Refused(self.bad_key())
        if wait := self.limit.wait():
            raise Refused(self.too_many(wait))

    def bad_key(self) -> web.Response:
        return refusal(401, "global/invalid-api-key", "API key was invalid, expired, or deleted.")

    def too_many(self, wait: float) -> web.Response:
        return refusal(429, "global/rate-limit", "Too many requests: 1 request per second.")

    def broken(self) -> web.Response:
        return refusal(500, "global/internal-error", "An unexpected error occurred.")

    async def instance_types(self, request: web.Request) -> web.Response:
        found = {
            kind.name: {
                "instance_type": _kind(kind),
                "regions_with_capacity_available": [_region(n) for n in kind.regions],
            }
            for kind in LAMBDA
        }
        return json({"data": found})

    async def instances(self, request: web.Request) -> web.Response:
        rows = self.state.table("lambda", "instances").values()
        return json({"data": [_instance(row) for row in rows if rentals.alive(row)]})

    async def terminate(self, request: web.Request) -> web.Response:
        rows = self.state.table("lambda", "instances")
        found = [rows.get(id_) for id_ in (await request.json())["instance_ids"]]
        known = [row for row in found if row and rentals.alive(row)]
        if len(known) < len(found):
            raise Refused(refusal(404, "global/object-does-not-exist", "Specified instance does not exist."))
        self.state.put("lambda", "instances", {r["id"]: rentals.given_back(r, self.state.now()) for r in known})
        return json({"data": {"terminated_instances": [_instance(row) | {"status": "terminating"} for row in known]}})


def refusal(status: int, code: str, message: str) -> web.Response:
    return json({"error": {"code": code, "message": message, "suggestion": "See the documentation."}}, status)


def _key(header: str) -> str:
    """Bearer, or Basic with the key as user name, or with the bare key."""
    scheme, _, rest = header.partition(" ")
    if scheme.lower() != "basic":
        return rest.strip()
    try:
        return base64.b64decode(rest, validate=True).decode().rstrip(":")
    except ValueError:
        return rest.strip()


def _region(name: str) -> dict[str, str]:
    return {"name": name, "description": LAMBDA_REGIONS.get(name, name)}


def _kind(kind: LambdaType) -> dict[str, Any]:
    return {
        "name": kind.name,
        "description": kind.description,
        "gpu_description": kind.gpu,
        "price_cents_per_hour": kind.cents,
        "specs": {"vcpus": 26 * kind.gpus, "memory_gib": 200 * kind.gpus, "storage_gib": 1024, "gpus": kind.gpus},
    }


def _instance(row: Row) -> dict[str, Any]:
    kind = next(kind for kind in LAMBDA if kind.name == row["gpu"])
    return {
        "id": row["id"],
        "name": row["name"],
        "ip": "203.0.113.10",
        "status": STATUS.get(rentals.status(row), "terminating"),
        "region": _region(row["region"]),
        "instance_type": _kind(kind),
        "hostname": "203-0-113-10.cloud.example",
        "jupyter_token": "not-for-you",
        "jupyter_url": "https://jupyter.example/?token=not-for-you",
        "tags": [],
        "ssh_key_names": ["ops"],
        "file_system_names": [],
        "actions": {},
    }
