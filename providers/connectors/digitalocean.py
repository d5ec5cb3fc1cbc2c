"""DigitalOcean: sizes of GPU Droplets by region, and the GPU Droplets that we have. Its bill names no single machine.

Traps: `price_hourly` is of the whole Droplet and `vram` of all its GPUs together; without `type=gpus` the list of
Droplets leaves those with a GPU out; a Droplet that is off costs as much as one that runs, until it is destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _

from providers.connectors.base import Connector, Fetched, LeaseRow, OfferRow
from providers.connectors.gpus import gpu_named
from providers.connectors.http import VendorHttp, bearer, walk
from providers.connectors.parse import moment, money

STATES = {"new": "pending", "active": "running", "off": "stopped", "archive": "ended"}
PER_PAGE = 200  # the most that one page holds


class DigitalOcean(Connector):
    kind = "digitalocean"
    label = "DigitalOcean"
    default_base_url = "https://api.digitalocean.com/v2"
    key_help = "A personal access token with the scopes account:read, sizes:read and droplet:read."
    feeds = {"offers": 3600, "leases": 60}

    def test(self) -> str:
        with bearer(self) as http, self.parsing():
            owner = http.get("/account")["account"]
            name = (owner.get("team") or {}).get("name") or owner["email"]
            return _("The key belongs to %(name)s.") % {"name": str(name)[:100]}

    def identity(self) -> list[str]:
        with bearer(self) as http, self.parsing():
            owner = http.get("/account")["account"]
            return [f"team {(owner.get('team') or owner)['uuid']}"[:200]]

    def fetch_offers(self) -> Fetched[OfferRow]:
        with bearer(self) as http, self.parsing():
            sizes = walk(self.label, partial(_page, http, "/sizes", "sizes", {}))
            return Fetched(
                [row for size in sizes if (size.get("gpu_info") or {}).get("count") for row in _offers(size)]
            )

    def fetch_leases(self) -> Fetched[LeaseRow]:
        with bearer(self) as http, self.parsing():
            droplets = walk(self.label, partial(_page, http, "/droplets", "droplets", {"type": "gpus"}))
            return Fetched([_lease(droplet) for droplet in droplets])


def _page(
    http: VendorHttp, path: str, name: str, filters: dict[str, Any], cursor: str | None
) -> tuple[list[Any], str | None]:
    """One page; the cursor is the number in the address of the next one, which itself is never followed."""
    body = http.get(path, {**filters, "per_page": PER_PAGE, "page": cursor or "1"})
    after = ((body.get("links") or {}).get("pages") or {}).get("next")
    return list(body[name]), parse_qs(urlsplit(after).query)["page"][0] if after else None


def _gpu(size: dict[str, Any]) -> tuple[str, int | None, int]:
    """Our name, memory of one and number of a size's GPUs."""
    info = size["gpu_info"]
    count = int(info["count"])
    memory = float(info["vram"]["amount"]) / count if info.get("vram") else None
    name, memory_gb = gpu_named(str(info["model"]), memory)
    return name.upper() if name.islower() else name, memory_gb, count


def _offers(size: dict[str, Any]) -> Iterator[OfferRow]:
    gpu, memory, count = _gpu(size)
    price = money(size["price_hourly"]) / count
    regions = [str(region) for region in size["regions"]] if size["available"] else []
    for region in regions or [""]:  # sold out: known, but nowhere to be had
        key = ("digitalocean", str(size["slug"]), gpu, count, memory, "on_demand", price, region)
        yield OfferRow(*key, available=bool(regions))


def _lease(droplet: dict[str, Any]) -> LeaseRow:
    gpu, memory, count = _gpu(droplet["size"])
    raw_state, price = str(droplet["status"]), money(droplet["size"]["price_hourly"])
    return LeaseRow(
        *(str(droplet["id"]), str(droplet["name"]), gpu, count, memory, "on_demand", price),
        *(STATES.get(raw_state, "unknown"), raw_state),
        region=str((droplet.get("region") or {}).get("slug", "")),
        started_at=moment(droplet["created_at"]),
    )
