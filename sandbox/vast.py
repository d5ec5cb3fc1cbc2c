"""Simulated Vast.ai: a market of machines, instances in small pages, charges by contract, and its odd refusals."""

from __future__ import annotations

import base64
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiohttp import web

from sandbox import rentals
from sandbox.catalog import VAST, VastHost, drift
from sandbox.state import Row, State, moment, stamp
from sandbox.vendor import Limit, Refused, Vendor, bearer, json

KEY = "vast_sandbox_0123456789abcdef"
SEARCHES_A_DAY = 2000
STATUS = {"RUNNING": "running", "EXITED": "exited"}


class SandboxVast(Vendor):
    name = "vast"
    prefix = "vast"

    def __init__(self, state: State, strict: bool = False) -> None:
        super().__init__(state)
        # The vendor wants a second between two calls of one endpoint; only a test of that wants it here. Otherwise a
        # first poll (56 calls, a year of bills) fits in many times.
        self._calls, self._seconds = (1, 1.0) if strict else (1000, 10.0)
        self._limits: dict[str, Limit] = defaultdict(lambda: Limit(self._calls, self._seconds))
        self._searches = Limit(SEARCHES_A_DAY, 86_400)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v0/bundles/", self.bundles),
            web.get("/api/v1/instances/", self.instances),
            web.put("/api/v0/instances/{id}/", self.change),
            web.get("/api/v0/charges/", self.charges),
            web.get("/api/v1/invoices/", self.invoices),
            web.get("/api/v0/users/current/", self.user),
        ]

    def load(self, data: dict[str, Any]) -> int:
        rows = {str(row["id"]): rentals.kept(row, label="", place="Utah, US", util=55) for row in data["instances"]}
        if data.get("replace"):
            self.state.clear("vast", "instances")
        self.state.put("vast", "instances", rows)
        if "balance" in data:
            loaded = {"amount": float(data["balance"]), "at": stamp(self.state.now())}
            self.state.put("vast", "account", {"balance": loaded})
        paid = {
            str(row["id"]): {"at": stamp(moment(row["at"])), "amount": float(row["amount"])}
            for row in data.get("payments", [])
        }
        self.state.put("vast", "payments", paid)
        return len(rows)

    def check(self, request: web.Request) -> None:
        key = bearer(request) or request.query.get("api_key", "")
        if not key:
            raise Refused(refusal(403, "auth_error", "This action requires login."))
        if key != KEY:
            raise Refused(self.bad_key())
        if wait := self._limits[request.path].wait():
            raise Refused(self.too_many(wait))

    def bad_key(self) -> web.Response:
        return refusal(404, "auth_error", "Invalid user key")

    def too_many(self, wait: float) -> web.Response:
        text = "API requests too frequent: endpoint threshold=1.0"
        return web.Response(status=429, text=text, content_type="text/plain")

    def broken(self) -> web.Response:
        return web.Response(status=500, text="<html>500 Internal Server Error</html>", content_type="text/html")

    def spend_cap(self) -> web.Response:
        midnight = (self.state.now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        body = {"success": False, "error": "search_quota_exceeded", "msg": "Daily search quota exceeded."}
        return json(body, 429, **{"X-RateLimit-Reset": str(int(midnight.timestamp()))})

    async def bundles(self, request: web.Request) -> web.Response:
        if self._searches.wait():
            raise Refused(self.spend_cap())
        asked = await request.json()
        storage = float(asked.get("allocated_storage", 5))
        offers = [self._offer(number, host, storage) for number, host in enumerate(VAST)]
        offers = [offer for offer in offers if offer["rentable"]]
        offers.sort(key=lambda offer: float(offer["dph_total"]))
        return json({"offers": offers[: int(asked.get("limit", 64))]})

    def _offer(self, number: int, host: VastHost, storage: float) -> dict[str, Any]:
        now = self.state.now()
        price = drift(f"vast {host.machine}", host.dph, now)
        # Each machine is taken by somebody else for some hours of some days.
        gone = (now.toordinal() * 24 + now.hour) // 6 % 7 == host.machine % 7
        return {
            "id": int(now.toordinal()) * 10_000 + host.machine,
            "ask_contract_id": int(now.toordinal()) * 10_000 + host.machine,
            "machine_id": host.machine,
            "host_id": 9 + number,
            "gpu_name": host.gpu,
            "num_gpus": host.count,
            "gpu_ram": host.ram_mb,
            "dph_base": price,
            "dph_total": price + round(storage * 0.15 / 730, 6),
            "min_bid": round(host.min_bid * price / host.dph, 4),
            "storage_cost": 0.15,
            "reliability2": host.reliability,
            "inet_down": 812.4,
            "inet_up": 401.0,
            "verification": "verified",
            "rentable": host.rentable and not gone,
            "rented": False,
            "geolocation": host.place,
        }

    async def instances(self, request: web.Request) -> web.Response:
        limit = min(int(request.query.get("limit", 25)), 25)
        rows = [row for row in self._rows() if rentals.alive(row)]
        start = _after(request.query.get("after_token"))
        more = start + limit < len(rows)
        return json(
            {
                "success": True,
                "instances_found": len(rows),
                "total_instances": len(rows),
                "label_counts": {},
                "next_token": _token(start + limit) if more else None,
                "instances": [self._instance(row) for row in rows[start : start + limit]],
            }
        )

    async def change(self, request: web.Request) -> web.Response:
        """Only stopping, of what an instance can be told."""
        row = self.state.table("vast", "instances").get(request.match_info["id"])
        if row is None or not rentals.alive(row):
            raise Refused(refusal(404, "no_such_instance", "Instance not found"))
        if (await request.json()).get("state") != "stopped":
            raise Refused(refusal(400, "invalid_args", "state must be stopped here"))
        self.state.put("vast", "instances", {row["id"]: rentals.stopped(row, self.state.now())})
        return json({"success": True})

    def _rows(self) -> list[Row]:
        return list(self.state.table("vast", "instances").values())

    def _instance(self, row: Row) -> dict[str, Any]:
        running = rentals.status(row) == rentals.RUNNING
        disk = float(row["disk_per_hour"])
        return {
            "id": int(row["id"]) if row["id"].isdigit() else row["id"],
            "label": row["label"] or row["name"],
            "machine_id": 1202,
            "gpu_name": row["gpu"],
            "num_gpus": row["gpu_count"],
            "gpu_ram": row.get("gpu_ram", 24564),
            "gpu_util": row["util"] if running else None,
            "dph_base": float(row["price_per_hour"]),
            "dph_total": float(row["price_per_hour"]) + disk,
            "storage_total_cost": disk,
            "is_bid": bool(row.get("spot")),
            "start_date": rentals.started(row).timestamp(),
            "end_date": None,
            "actual_status": STATUS.get(rentals.status(row), rentals.status(row).lower()),
            "cur_state": "running" if running else "stopped",
            "geolocation": row["place"],
            "jupyter_token": "not-for-you",
            "extra_env": [["HF_TOKEN", "hf_not_for_you"]],
        }

    async def charges(self, request: web.Request) -> web.Response:
        """Per contract over the whole window, as the vendor does."""
        try:
            span = orjson.loads(request.query["select_filters"])["day"]
            start = datetime.fromtimestamp(span["gte"], UTC)
            end = datetime.fromtimestamp(span["lte"] + 1, UTC)
        except (KeyError, ValueError, TypeError):
            raise Refused(refusal(400, "bad_request", "select_filters must hold a day range")) from None
        if end < start:
            raise Refused(json({"success": False, "error": "bad_range", "msg": "gte is after lte"}))
        found = [self._charge(bill) for bill in self._charged(start, end)]
        limit, offset = min(int(request.query.get("limit", 500)), 500), _after(request.query.get("after_token"))
        more = offset + limit < len(found)
        return json(
            {
                "success": True,
                "results": found[offset : offset + limit],
                "next_token": _token(offset + limit) if more else None,
            }
        )

    def _charged(self, start: datetime, end: datetime) -> list[rentals.Bill]:
        return list(rentals.bills(self._rows(), start, end, end - start, self.state.now()))

    def _charge(self, bill: rentals.Bill) -> dict[str, Any]:
        row, gpu, disk = bill.row, round(bill.gpu, 6), round(bill.disk, 6)
        return {
            "start": bill.starts_at.timestamp(),
            "end": self.state.now().timestamp(),
            "type": "instance",
            "source": f"instance-{row['id']}",
            "description": f"Instance {row['id']} ({row['gpu_count']}x {row['gpu']})",
            "amount": round(gpu + disk, 6),  # of what its items say, not a millionth beside them
            "metadata": {"label": row["label"]},
            "items": [
                {"type": "gpu", "amount": gpu, "description": "GPU"},
                {"type": "disk", "amount": disk, "description": "Storage"},
            ],
        }

    async def invoices(self, request: web.Request) -> web.Response:
        """Payments; a period that is none is refused with 200 and `success: false`."""
        try:
            span = orjson.loads(request.query["select_filters"])["when"]
            start, end = datetime.fromtimestamp(span["gte"], UTC), datetime.fromtimestamp(span["lte"], UTC)
        except (KeyError, ValueError, TypeError):
            return json({"success": False, "error": "invalid_args", "msg": "Invalid date range."})
        paid = self.state.table("vast", "payments").items()
        found = [(id_, row) for id_, row in paid if start <= moment(row["at"]) <= end]
        limit, offset = min(int(request.query.get("limit", 20)), 100), _after(request.query.get("after_token"))
        more = offset + limit < len(found)
        return json(
            {
                "success": True,
                "count": len(found[offset : offset + limit]),
                "total": len(found),
                "results": [_invoice(id_, row) for id_, row in found[offset : offset + limit]],
                "next_token": _token(offset + limit) if more else None,
            }
        )

    async def user(self, request: web.Request) -> web.Response:
        loaded = self.state.table("vast", "account").get("balance")
        left = rentals.balance_left(self._rows(), loaded, self.state.now())
        id_ = self.state.table("vast", "account").get("identity", {}).get("id", 4711)
        return json({"id": id_, "balance": 0.0, "credit": round(left, 4), "api_key": KEY, "ssh_key": "ssh-ed25519 AA"})


def _invoice(id_: str, row: Row) -> dict[str, Any]:
    """Money that was paid in is below zero here."""
    return {
        "start": moment(row["at"]).timestamp(),
        "end": None,
        "type": "credit",
        "source": "stripe",
        "description": "Manual billing from VISA ending in 0000",
        "amount": -row["amount"],
        "metadata": {"invoice_id": int(id_), "service": "stripe_payments", "last4": "0000", "network": "visa"},
        "items": [],
    }


def refusal(status: int, code: str, words: str) -> web.Response:
    return json({"success": False, "error": code, "msg": words}, status)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"after:{offset}".encode()).decode()


def _after(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("after:"))
    except ValueError:
        raise Refused(refusal(400, "bad_request", "after_token is not valid")) from None
