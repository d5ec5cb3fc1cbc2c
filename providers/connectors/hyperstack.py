"""Hyperstack: flavors of GPU machines by region, with stock, at the price book's price of one GPU.

Traps: the key travels in a header `api_key`; the price book is a bare list and names a GPU where a flavor names a
machine; a flavor with `gpu` empty is a CPU machine; the size of an A100 stands in its name alone, as `80G`.
Source: docs.hyperstack.cloud/docs/api-reference (Get the pricebook, List Flavors).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from providers.connectors.base import Connector, Fetched, OfferRow
from providers.connectors.gpus import gpu_named
from providers.connectors.http import VendorHttp, header_key
from providers.connectors.parse import money

SIZE = re.compile(r"-(\d+)GB?\b")
SPOT = "-spot"  # at the end of a GPU's name


class Hyperstack(Connector):
    kind = "hyperstack"
    label = "Hyperstack"
    default_base_url = "https://infrahub-api.nexgencloud.com/v1"
    key_help = "An API key of a role that may read flavors and the price book."
    feeds = {"offers": 3600}

    def test(self) -> str:
        with self._http() as http, self.parsing():
            return _("The key works: the price book has %(count)s prices.") % {"count": len(_prices(http))}

    def fetch_offers(self) -> Fetched[OfferRow]:
        with self._http() as http, self.parsing():
            prices = _prices(http)
            groups = http.get("/core/flavors")["data"]
            return Fetched([row for group in groups for row in _offers(group, prices)])

    def _http(self) -> VendorHttp:
        headers = {"api_key": header_key(self.label, self.config.secret)}
        return VendorHttp(self.label, self.base_url, self.config, headers=headers)


def _prices(http: VendorHttp) -> dict[str, Decimal]:
    """USD per hour of one GPU, by its name there."""
    return {str(entry["name"]).lower(): money(entry["value"]) for entry in http.get("/pricebook")}


def _offers(group: Mapping[str, Any], prices: Mapping[str, Decimal]) -> Iterator[OfferRow]:
    """Machines of one GPU in one region; a GPU without a price is none that could be compared."""
    raw = str(group["gpu"])
    price = prices.get(raw.lower())
    if not raw or price is None:
        return
    size = SIZE.search(raw)
    name, memory = gpu_named(raw.removesuffix(SPOT), float(size[1]) if size else None)
    kind = "spot" if raw.endswith(SPOT) else "on_demand"
    for flavor in group["flavors"]:
        if (count := int(flavor["gpu_count"])) > 0:
            key = ("hyperstack", str(flavor["name"]), name, count, memory, kind, price, str(group["region_name"]))
            yield OfferRow(*key, available=flavor["stock_available"] is True)
