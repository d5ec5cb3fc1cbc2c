"""RunPod: REST v2 for GPU types, pods and bills; GraphQL, which is going away, for balance and spot prices alone.

Traps: catalogue prices are per GPU, a pod's `cost` is for the whole pod and 0 when it has exited although its disk is
still billed; `env` of a pod holds the user's secrets and is not read; GraphQL answers 200 with `errors`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.connectors.base import Balance, Connector, CostRow, Fetched, LeaseRow, OfferRow
from providers.connectors.gpus import gpu_named
from providers.connectors.http import VendorHttp, bearer
from providers.connectors.parse import hour_of, moment, money, rfc3339
from providers.connectors.runpod_bills import BILLS, bill_lines
from providers.connectors.runpod_graphql import BALANCE_QUERY, SPOT_QUERY, graphql
from providers.connectors.stopping import Stop

STATES = {"RUNNING": "running", "EXITED": "stopped", "ERROR": "stopped", "TERMINATED": "ended"}
STATES |= {"PROVISIONING": "pending", "STARTING": "pending"}
KINDS = {"secure": "on_demand", "community": "on_demand", "serverless": "serverless"}

Rates = dict[str, tuple[str, int | None, Decimal]]


class RunPod(Connector):
    kind = "runpod"
    label = "RunPod"
    default_base_url = "https://api.runpod.io"
    key_help = "An API key with read access to pods, serverless and billing."
    feeds = {"offers": 600, "leases": 60, "costs": 3600, "balance": 600}
    reread = {"costs": timedelta(days=2)}
    unique_bills = True
    stop = Stop(
        *("POST", "/v2/pods/{id}/stop"),
        loses=gettext_lazy("The container disk is deleted. The volume stays and is billed until the pod is deleted."),
        console="https://console.runpod.io/pods",
    )

    def test(self) -> str:
        with bearer(self) as http, self.parsing():
            pods = http.get("/v2/pods")["pods"]
            return _("The key works for a RunPod account with %(count)s pods.") % {"count": len(pods)}

    def identity(self) -> list[str]:
        with bearer(self) as http, self.parsing():
            return [f"user {graphql(http, BALANCE_QUERY)['myself']['id']}"[:200]]

    def fetch_offers(self) -> Fetched[OfferRow]:
        with bearer(self) as http, self.parsing():
            gpus = http.get("/v2/catalog/gpus", {"include": "AVAILABILITY", "product": "POD", "count": 1})["gpus"]
            spot = graphql(http, SPOT_QUERY)["gpuTypes"] if self.config.settings.get("spot", True) else []
            return Fetched([row for gpu in gpus for row in _offers(gpu)] + [row for gpu in spot for row in _spot(gpu)])

    def fetch_leases(self) -> Fetched[LeaseRow]:
        with bearer(self) as http, self.parsing():
            leases = [_pod(pod) for pod in http.get("/v2/pods")["pods"] if pod.get("gpu")]
            endpoints = http.get("/v2/serverless")["endpoints"]
            rates = _serverless_rates(http) if endpoints else {}
            for endpoint in endpoints:
                workers = http.get(f"/v2/serverless/{endpoint['id']}/workers")["summary"]
                leases.append(_endpoint(endpoint, workers, rates))
            return Fetched(leases)

    def fetch_costs(self, since: datetime, until: datetime) -> Fetched[CostRow]:
        period = {"startTime": rfc3339(hour_of(since)), "endTime": rfc3339(until), "bucketSize": "hour"}
        rows: list[CostRow] = []
        with bearer(self) as http, self.parsing():
            for what, key in BILLS.items():
                for record in http.get(f"/v2/billing/{what}", period)["records"]:
                    rows.extend(bill_lines(record, what, str(record[key])))
        # The hour under way is billed as it goes, so only what lies before it is whole.
        return Fetched(rows, complete_until=hour_of(datetime.now(UTC)))

    def fetch_balance(self) -> Balance:
        with bearer(self) as http, self.parsing():
            me = graphql(http, BALANCE_QUERY)["myself"]
            spend = me.get("currentSpendPerHr")
            return Balance(money(me["clientBalance"], signed=True), spend and money(spend), datetime.now(UTC))


def _serverless_rates(http: VendorHttp) -> Rates:
    """Pool -> our name, memory and USD per GPU hour of its cheapest GPU type."""
    rates: Rates = {}
    for gpu in http.get("/v2/catalog/gpus", {"include": "AVAILABILITY", "product": "SERVERLESS"})["gpus"]:
        if gpu.get("pool") and gpu["price"].get("serverless"):
            rate = (*gpu_named(gpu["id"], float(gpu["memory"])), money(gpu["price"]["serverless"]))
            rates[gpu["pool"]] = min(rates.get(gpu["pool"], rate), rate, key=lambda entry: entry[2])
    return rates


def _offers(gpu: dict[str, Any]) -> Iterator[OfferRow]:
    for place, kind in KINDS.items():
        # Where the type is not to be had the price is 0 or missing.
        if gpu["price"].get(place) and gpu.get(place, True):
            yield _offer(gpu, place, kind, gpu["price"][place], gpu.get("availability") not in (None, "NONE"))


def _spot(gpu: dict[str, Any]) -> Iterator[OfferRow]:
    for place in ("secure", "community"):
        if price := gpu.get(f"{place}SpotPrice"):
            yield _offer(gpu | {"memory": gpu["memoryInGb"]}, place, "spot", price, True)


def _offer(gpu: dict[str, Any], place: str, kind: str, price: object, available: bool) -> OfferRow:
    name, memory = gpu_named(gpu["id"], float(gpu["memory"]))
    centers = [center["id"] for center in gpu.get("dataCenters") or [] if center.get("availability") != "NONE"]
    raw = {"availability": gpu.get("availability"), "data_centers": centers}
    region = "" if place == "serverless" else place
    key = f"{gpu['id']}/{place}"
    return OfferRow("runpod", key, name, 1, memory, kind, money(price), region, available, raw=raw)


def _pod(pod: dict[str, Any]) -> LeaseRow:
    started = pod.get("startedAt") or pod.get("createdAt")
    loads = [float(gpu["util"]) for gpu in (pod.get("runtime") or {}).get("gpus") or [] if "util" in gpu]
    name, memory = gpu_named(pod["gpu"]["id"])
    raw_state, price, count = str(pod["status"]), money(pod["cost"]), int(pod["gpu"]["count"])
    state, title = STATES.get(raw_state, "unknown"), pod.get("name") or ""
    return LeaseRow(
        *(str(pod["id"]), title, name, count, memory, "on_demand", price, state, raw_state),
        region=pod.get("dataCenterId") or "",
        started_at=moment(started) if started else None,
        utilisation=sum(loads) / len(loads) / 100 if loads else None,
    )


def _endpoint(endpoint: dict[str, Any], workers: dict[str, Any], rates: Rates) -> LeaseRow:
    """A serverless endpoint costs what its running workers cost by the second: nothing while it sleeps."""
    gpu = endpoint.get("gpu") or {}
    name, memory, rate = next((rates[pool] for pool in gpu.get("pools") or [] if pool in rates), ("", None, Decimal(0)))
    running, count = int(workers.get("running", 0)), int(gpu.get("count") or 1)
    raw_state, title = f"{running} of {workers.get('total', 0)} workers running", endpoint.get("name") or ""
    return LeaseRow(
        *(endpoint["id"], title, name, count, memory, "serverless", rate * count * running, "running", raw_state),
        worker_per_hour=rate * count or None,
    )
