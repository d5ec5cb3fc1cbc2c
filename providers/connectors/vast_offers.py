"""Vast.ai's offers: the one broad search that we ask for, and what an answer to it says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from providers.connectors.base import OfferRow
from providers.connectors.gpus import gpu_named
from providers.connectors.parse import money

SEARCH: dict[str, Any] = {
    "verified": {"eq": True},
    "rentable": {"eq": True},
    "rented": {"eq": False},
    "external": {"eq": False},
}
SEARCH |= {"type": "on-demand", "order": [["dph_total", "asc"]], "allocated_storage": 20}


def offers_of(offer: dict[str, Any]) -> Iterator[OfferRow]:
    """One on demand and one as a bid; machines are listed by the slice."""
    count = int(offer["num_gpus"])
    gpu, memory = gpu_named(offer["gpu_name"], float(offer["gpu_ram"]) / 1024)
    reliability = offer.get("reliability2", offer.get("reliability"))
    # Offers are listed anew with new ids; the machine and the size of the slice stay.
    key, place = f"{offer['machine_id']}x{count}", offer.get("geolocation") or ""
    disk, free = offer.get("storage_cost"), bool(offer.get("rentable", True)) and not offer.get("rented")
    raw = {"offer": offer["id"], "verification": offer.get("verification"), "inet_down": str(offer.get("inet_down"))}
    for kind, price in (("on_demand", offer["dph_total"]), ("spot", offer.get("min_bid"))):
        if price is not None and count:
            yield OfferRow(
                *("vast", key, gpu, count, memory, kind, money(price) / count, place, free),
                reliability=reliability and float(reliability),
                disk_per_gb_month=None if disk is None else money(disk),
                raw=raw,
            )
