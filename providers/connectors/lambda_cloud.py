"""Lambda: instance types with their regions, and instances. It has no bill and no launch time to ask for.

Traps: prices are whole cents per hour of the whole instance; GPU memory stands only in the description; one request a
second in all. `jupyter_token` and `jupyter_url` of an instance are secrets and are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.connectors.base import Connector, Fetched, LeaseRow, OfferRow
from providers.connectors.gpus import gpu_named
from providers.connectors.http import bearer
from providers.connectors.parse import money
from providers.connectors.stopping import Stop

STATES = {"booting": "pending", "active": "running", "unhealthy": "running", "terminating": "ended"}
STATES |= {"terminated": "ended", "preempted": "ended"}
MEMORY = re.compile(r"\((\d+) GB")


class LambdaCloud(Connector):
    kind = "lambda"
    label = "Lambda"
    default_base_url = "https://cloud.lambda.ai/api/v1"
    key_help = "A Cloud API key."
    feeds = {"offers": 300, "leases": 60}
    spacing = 1.0
    stop = Stop(
        *("POST", "/instance-operations/terminate", {"instance_ids": ["{id}"]}),
        loses=gettext_lazy("The instance and its disk are deleted permanently. File systems stay."),
        console="https://cloud.lambda.ai/instances",
        destroys=True,
    )

    def test(self) -> str:
        with bearer(self) as http, self.parsing():
            instances = http.get("/instances")["data"]
            return _("The key works for a Lambda account with %(count)s instances.") % {"count": len(instances)}

    def fetch_offers(self) -> Fetched[OfferRow]:
        with bearer(self) as http, self.parsing():
            return Fetched([row for entry in http.get("/instance-types")["data"].values() for row in _offers(entry)])

    def fetch_leases(self) -> Fetched[LeaseRow]:
        with bearer(self) as http, self.parsing():
            return Fetched([_lease(instance) for instance in http.get("/instances")["data"]])


def _gpu(kind: dict[str, Any]) -> tuple[str, int | None, int]:
    """Our name, memory and number of an instance type's GPUs."""
    text = str(kind.get("gpu_description") or kind["description"])
    memory = MEMORY.search(text)
    name, memory_gb = gpu_named(text.split("(")[0] + (f" {memory[1]}GB" if memory else ""), memory and float(memory[1]))
    return name, memory_gb, int(kind["specs"]["gpus"])


def _offers(entry: dict[str, Any]) -> Iterator[OfferRow]:
    kind = entry["instance_type"]
    gpu, memory, count = _gpu(kind)
    if not count:
        return  # a machine without a GPU
    price: Decimal = money(kind["price_cents_per_hour"], per=100) / count
    regions = [str(region["name"]) for region in entry["regions_with_capacity_available"]]
    for region in regions or [""]:  # sold out: known, but nowhere to be had
        yield OfferRow("lambda", kind["name"], gpu, count, memory, "on_demand", price, region, bool(regions))


def _lease(instance: dict[str, Any]) -> LeaseRow:
    kind, raw_state = instance["instance_type"], str(instance["status"])
    gpu, memory, count = _gpu(kind)
    state, price = STATES.get(raw_state, "unknown"), money(kind["price_cents_per_hour"], per=100)
    region = str((instance.get("region") or {}).get("name", ""))
    title = instance.get("name") or ""
    return LeaseRow(str(instance["id"]), title, gpu, count, memory, "on_demand", price, state, raw_state, region)
