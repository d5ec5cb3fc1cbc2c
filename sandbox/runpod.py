"""Simulated RunPod: REST v2 and the two GraphQL queries that still have no other home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from sandbox import rentals
from sandbox.catalog import RUNPOD, Gpu, drift
from sandbox.state import Row, State, hour_of, moment, stamp
from sandbox.vendor import Limit, Refused, Vendor, bearer, json

KEY = "rpa_sandbox"
STILL = "NVIDIA GeForce RTX 4090"  # the price that the demo company rents at does not move
STEPS = {"hour": rentals.HOUR, "day": rentals.DAY}


class SandboxRunPod(Vendor):
    name = "runpod"
    prefix = "runpod"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.limit = Limit(600, 60)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/catalog/gpus", self.gpus),
            web.get("/v2/pods", self.pods),
            web.post("/v2/pods/{id}/stop", self.stop),
            web.get("/v2/serverless", self.endpoints),
            web.get("/v2/serverless/{id}/workers", self.workers),
            web.get("/v2/billing/pods", self.billing_pods),
            web.get("/v2/billing/serverless", self.billing_serverless),
            web.get("/v2/billing/networkvolumes", self.billing_volumes),
            web.post("/graphql", self.graphql),
        ]

    def load(self, data: dict[str, Any]) -> int:
        count = 0
        for table, check in TABLES:
            rows = {row["id"]: check(row) for row in data.get(table, [])}
            if data.get("replace") and table in data:
                self.state.clear("runpod", table)
            self.state.put("runpod", table, rows)
            count += len(rows)
        if "balance" in data:
            self.state.put("runpod", "account", {"balance": {"amount": float(data["balance"]), "at": self._stamp()}})
            count += 1
        return count

    def check(self, request: web.Request) -> None:
        if bearer(request) != KEY:
            raise Refused(self.bad_key())
        if wait := self.limit.wait():
            raise Refused(self.too_many(wait))

    def bad_key(self) -> web.Response:
        return problem(401, "Unauthorized", "The API key is missing or invalid.")

    def too_many(self, wait: float) -> web.Response:
        return problem(429, "Too Many Requests", "Rate limit exceeded.", retry_after=str(int(wait) + 1))

    def broken(self) -> web.Response:
        return problem(500, "Internal Server Error", "An unexpected error occurred.")

    def decorate(self, response: web.StreamResponse) -> None:
        response.headers["RateLimit"] = f'"minute";r={self.limit.left};t=60, "hour";r=2800;t=1812'
        response.headers["RateLimit-Policy"] = '"minute";q=600;w=60, "hour";q=3000;w=3600, "day";q=50000;w=86400'

    async def gpus(self, request: web.Request) -> web.Response:
        if ("include" in request.query) != ("product" in request.query):
            raise Refused(problem(400, "Bad Request", "include and product must be used together."))
        stock = "include" in request.query
        return json({"gpus": [self._gpu(gpu, stock) for gpu in self._catalog()]})

    def _catalog(self) -> list[Gpu]:
        loaded = self.state.table("runpod", "gpus")
        return [Gpu(**row) for row in loaded.values()] or RUNPOD

    def _price(self, gpu: Gpu, place: str) -> float:
        base = float(getattr(gpu, place))
        still = not base or (gpu.id == STILL and place == "community")
        return base if still else drift(gpu.id, base, self.state.now())

    def _gpu(self, gpu: Gpu, stock: bool) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": gpu.id,
            "name": gpu.name,
            "pool": gpu.pool,
            "manufacturer": "NVIDIA",
            "memory": gpu.memory,
            "secure": bool(gpu.secure),
            "community": bool(gpu.community),
            "price": {place: self._price(gpu, place) for place in ("secure", "community", "serverless")},
            "maxCount": {"secure": 8, "community": 2},
        }
        if stock:
            centers = [("EU-RO-1", "Romania"), ("US-TX-3", "Texas")]
            shown["availability"] = gpu.availability
            shown["dataCenters"] = [
                {"id": id_, "name": name, "availability": gpu.availability} for id_, name in centers
            ]
        return shown

    async def pods(self, request: web.Request) -> web.Response:
        return json({"pods": [self._pod(row) for row in self._pods() if rentals.alive(row)]})

    def _pod(self, row: Row) -> dict[str, Any]:
        running = rentals.status(row) == rentals.RUNNING
        first, last = row["spans"][0], row["spans"][-1]
        uptime = int((self.state.now() - moment(last["from"])).total_seconds())
        return {
            "id": row["id"],
            "name": row["name"],
            "status": rentals.status(row),
            "image": "vllm/vllm-openai:latest",
            "gpu": {"id": row["gpu"], "count": row["gpu_count"]},
            "cloud": row["cloud"],
            "dataCenterId": row["data_center"],
            "cost": float(row["price_per_hour"]) if running else 0.0,
            "env": {"HF_TOKEN": "hf_not_for_you"},
            "createdAt": first["from"],
            "startedAt": last["from"] if running else None,
            "runtime": {"uptime": uptime, "gpus": [{"util": row["util"], "memoryUtil": 71}], "ports": []}
            if running
            else None,
        }

    async def stop(self, request: web.Request) -> web.Response:
        row = self.state.table("runpod", "pods").get(request.match_info["id"])
        if row is None or not rentals.alive(row):
            raise Refused(problem(404, "Not Found", "There is no such pod."))
        self.state.put("runpod", "pods", {row["id"]: rentals.stopped(row, self.state.now())})
        return json(self._pod(self.state.table("runpod", "pods")[row["id"]]))

    async def endpoints(self, request: web.Request) -> web.Response:
        return json({"endpoints": [_shown(row) for row in self.state.table("runpod", "endpoints").values()]})

    async def workers(self, request: web.Request) -> web.Response:
        row = self.state.table("runpod", "endpoints").get(request.match_info["id"])
        if row is None:
            raise Refused(problem(404, "Not Found", "There is no such endpoint."))
        running, total = row.get("running", 0), row.get("workers_max", 3)
        zero = dict.fromkeys(["initializing", "throttled", "unhealthy"], 0)
        return json({"workers": [], "summary": {"running": running, "idle": total - running, **zero, "total": total}})

    async def billing_pods(self, request: web.Request) -> web.Response:
        return self._billing(request, "podId", self._pod_records)

    async def billing_serverless(self, request: web.Request) -> web.Response:
        return self._billing(request, "serverlessId", self._endpoint_records)

    async def billing_volumes(self, request: web.Request) -> web.Response:
        return self._billing(request, "networkVolumeId", self._volume_records)

    def _billing(self, request: web.Request, key: str, records: Any) -> web.Response:
        start, end, step = self._period(request)
        found = sorted(records(start, end, step), key=lambda record: (record["startTime"], record[key]))
        totals = {
            name: round(sum(record.get(name, 0) for record in found), 6)
            for name in ("totalAmount", "gpuAmount", "diskAmount")
        }
        query = {"startTime": stamp(start), "endTime": stamp(end), "bucketSize": request.query.get("bucketSize", "day")}
        meta = {"query": query, "recordCount": len(found), "uniquePodCount": len({r[key] for r in found})}
        return json({"records": found, "metadata": meta | {"totals": totals}})

    def _period(self, request: web.Request) -> tuple[datetime, datetime, timedelta]:
        """The period asked for, snapped outward to buckets."""
        query = request.query
        step = STEPS.get(query.get("bucketSize", "day"))
        if step is None:
            raise Refused(problem(400, "Bad Request", "bucketSize is not supported here."))
        try:
            end = moment(query["endTime"]) if "endTime" in query else self.state.now()
            start = moment(query["startTime"]) if "startTime" in query else end - timedelta(days=30)
        except ValueError:
            raise Refused(problem(400, "Bad Request", "startTime and endTime are RFC 3339.")) from None
        start = hour_of(start) if step == STEPS["hour"] else hour_of(start).replace(hour=0)
        return start, end, step

    def _pod_records(self, start: datetime, end: datetime, step: timedelta) -> Iterator[dict[str, Any]]:
        for bill in rentals.bills(self._pods(), start, end, step, self.state.now()):
            yield _record(bill.starts_at, step, "podId", bill.row["id"], bill.gpu, bill.disk)

    def _volume_records(self, start: datetime, end: datetime, step: timedelta) -> Iterator[dict[str, Any]]:
        volumes = self.state.table("runpod", "volumes").values()
        for bill in rentals.bills(volumes, start, end, step, self.state.now()):
            record = _record(bill.starts_at, step, "networkVolumeId", bill.row["id"], bill.gpu, bill.disk)
            yield {
                name: value for name, value in record.items() if name not in ("gpuAmount", "cpuAmount", "diskAmount")
            }

    def _pods(self) -> list[Row]:
        return list(self.state.table("runpod", "pods").values())

    def _endpoint_records(self, start: datetime, end: datetime, step: timedelta) -> Iterator[dict[str, Any]]:
        """Endpoints are billed by the busy seconds that the generator gives for each hour."""
        for row in self.state.table("runpod", "endpoints").values():
            sums: dict[datetime, float] = {}
            for hour, seconds in row.get("busy_seconds", {}).items():
                at = moment(hour)
                if start <= at < end:
                    bucket = at if step == STEPS["hour"] else at.replace(hour=0)
                    sums[bucket] = sums.get(bucket, 0.0) + float(seconds)
            for at, seconds in sums.items():
                yield _record(at, step, "serverlessId", row["id"], seconds * float(row["price_per_second"]), 0.0) | {
                    "feeAmount": 0
                }

    async def graphql(self, request: web.Request) -> web.Response:
        """Errors come with status 200, as in GraphQL."""
        query = str((await request.json()).get("query", ""))
        if "myself" in query:
            loaded = self.state.table("runpod", "account").get("balance")
            left = rentals.balance_left(self._pods(), loaded, self.state.now())
            rate = rentals.burn_rate(self._pods())
            id_ = self.state.table("runpod", "account").get("identity", {}).get("id", "user_sandbox")
            me = {"id": id_, "clientBalance": round(left, 4), "currentSpendPerHr": round(rate, 4)}
            return json({"data": {"myself": me}})
        if "gpuTypes" in query:
            return json({"data": {"gpuTypes": [self._spot(gpu) for gpu in self._catalog()]}})
        return json({"errors": [{"message": "Cannot query this field."}], "data": None})

    def _spot(self, gpu: Gpu) -> dict[str, Any]:
        price = self._price(gpu, "spot")
        return {
            "id": gpu.id,
            "displayName": gpu.name,
            "memoryInGb": gpu.memory,
            "secureSpotPrice": round(price * 1.2, 2) if gpu.secure else None,
            "communitySpotPrice": price if gpu.community else None,
        }

    def _stamp(self) -> str:
        return stamp(self.state.now())


def problem(status: int, title: str, detail: str, **headers: str) -> web.Response:
    body = {"title": title, "status": status, "detail": detail}
    return json(body, status, content_type="application/problem+json", **headers)


def _pod_row(row: Row) -> Row:
    return rentals.kept(row, cloud="COMMUNITY", data_center="EU-RO-1", util=62)


def _volume_row(row: Row) -> Row:
    """Network storage: rented like a machine that only has a disk."""
    return rentals.kept({"gpu": "", "price_per_hour": 0} | row)


def _endpoint(row: Row) -> Row:
    if "price_per_second" not in row:
        raise KeyError("price_per_second")
    return dict(row)


def _shown(row: Row) -> dict[str, Any]:
    hidden = {"busy_seconds", "running", "price_per_second", "workers_max", "pools", "gpu_count"}
    gpu = {"pools": row.get("pools", ["ADA_24"]), "count": row.get("gpu_count", 1), "excludedTypes": []}
    workers = {"min": 0, "max": row.get("workers_max", 3), "idleTimeout": 5}
    base = {"type": "QUEUE", "gpu": gpu, "workers": workers, "createdAt": "2026-10-01T08:00:00Z"}
    return base | {name: value for name, value in row.items() if name not in hidden}


def _record(at: datetime, step: timedelta, key: str, id_: str, gpu: float, disk: float) -> dict[str, Any]:
    return {
        "startTime": stamp(at),
        "endTime": stamp(at + step),
        key: id_,
        "totalAmount": round(gpu + disk, 6),
        "gpuAmount": round(gpu, 6),
        "cpuAmount": 0,
        "diskAmount": round(disk, 6),
    }


# Table of the state -> how a loaded row is checked.
TABLES: tuple[tuple[str, Callable[[Row], Row]], ...] = (
    ("pods", _pod_row),
    ("endpoints", _endpoint),
    ("volumes", _volume_row),
    ("gpus", dict),
)
