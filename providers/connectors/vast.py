"""Vast.ai: a market of single machines, with spot bids; instances, charges by day, invoices and the prepaid credit.

Traps: a wrong key is a 404; query parameters that are objects travel as JSON text; memory is MB, prices are for the
whole offer; charges come per contract over the window asked for, so they are asked day by day; a search quota is a 429
that lasts until midnight. `extra_env` and `jupyter_token` of an instance are secrets and are not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.connectors.base import (
    Balance,
    Connector,
    ConnectorError,
    CostRow,
    Fetched,
    LeaseRow,
    OfferRow,
    PaymentRow,
)
from providers.connectors.gpus import gpu_named
from providers.connectors.http import Answer, VendorHttp, bearer, vendor_message, walk
from providers.connectors.parse import day_of, days, moment, money
from providers.connectors.stopping import Stop
from providers.connectors.vast_bills import bill_lines, payment
from providers.connectors.vast_offers import SEARCH, offers_of

STATES = {"running": "running", "frozen": "running", "stopped": "stopped", "exited": "stopped", "offline": "stopped"}
STATES |= dict.fromkeys(("created", "loading", "rebooting"), "pending")


class Vast(Connector):
    kind = "vast"
    label = "Vast.ai"
    default_base_url = "https://console.vast.ai"
    key_help = "An API key with read access to instances, billing and the user."
    feeds = {"offers": 600, "leases": 60, "costs": 3600, "balance": 600, "payments": 21_600}
    reread = {"costs": timedelta(days=2)}
    spacing = 1.0
    unique_bills = True
    stop = Stop(
        *("PUT", "/api/v0/instances/{id}/", {"state": "stopped"}),
        loses=gettext_lazy(
            "The disk stays and is still billed. The GPU may be taken when you start the instance again."
        ),
        console="https://cloud.vast.ai/instances/",
    )

    def test(self) -> str:
        with bearer(self, _explain) as http, self.parsing():
            user = http.get("/api/v0/users/current/")
            return _("The key belongs to the Vast.ai account %(id)s.") % {"id": str(user["id"])[:40]}

    def identity(self) -> list[str]:
        with bearer(self, _explain) as http, self.parsing():
            return [f"user {http.get('/api/v0/users/current/')['id']}"[:200]]

    def fetch_offers(self) -> Fetched[OfferRow]:
        limit = int(self.config.settings.get("offers", 1000))
        with bearer(self, _explain) as http, self.parsing():
            offers = http.post("/api/v0/bundles/", {**SEARCH, "limit": limit})["offers"]
            rows: dict[tuple[str, str], OfferRow] = {}
            for row in (row for offer in offers for row in offers_of(offer)):
                # A machine lists the same slice more than once; the cheapest counts.
                cheapest = rows.setdefault((row.external_id, row.kind), row)
                if row.price_per_gpu_hour < cheapest.price_per_gpu_hour:
                    rows[row.external_id, row.kind] = row
            return Fetched(list(rows.values()))

    def fetch_leases(self) -> Fetched[LeaseRow]:
        with bearer(self, _explain) as http, self.parsing():
            instances = self._walk(http, "/api/v1/instances/", "instances", {"limit": 25})
            return Fetched([_lease(instance) for instance in instances])

    def fetch_costs(self, since: datetime, until: datetime) -> Fetched[CostRow]:
        rows: list[CostRow] = []
        with bearer(self, _explain) as http, self.parsing():
            for day, end in days(since, until):
                span = {"gte": int(day.timestamp()), "lte": int(end.timestamp()) - 1}
                params = {"select_filters": json.dumps({"day": span}), "format": "table", "limit": 500}
                charges = self._walk(http, "/api/v0/charges/", "results", params)
                rows.extend(line for charge in charges for line in bill_lines(charge, day, end))
        # A day's charges are settled in the first hours of the next one.
        return Fetched(rows, complete_until=day_of(datetime.now(UTC) - timedelta(hours=2)))

    def fetch_balance(self) -> Balance:
        with bearer(self, _explain) as http, self.parsing():
            user = http.get("/api/v0/users/current/")
            amount = user["balance"] if user.get("credit") is None else user["credit"]
            return Balance(money(amount, signed=True), None, datetime.now(UTC))

    def fetch_payments(self, since: datetime, until: datetime) -> Fetched[PaymentRow]:
        when = {"when": {"gte": int(since.timestamp()), "lte": int(until.timestamp())}}
        with bearer(self, _explain, spacing=3.0) as http, self.parsing():  # this list wants more time between two calls
            params = {"select_filters": json.dumps(when), "limit": 100}
            return Fetched([payment(row) for row in self._walk(http, "/api/v1/invoices/", "results", params)])

    def writing(self) -> VendorHttp:
        return bearer(self, _explain)

    def _walk(self, http: VendorHttp, path: str, name: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        def page(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
            answer = http.get(path, params | ({"after_token": token} if token else {}))
            return answer[name], answer.get("next_token")

        return walk(self.label, page)


def _explain(answer: Answer) -> ConnectorError | None:
    code, words = str(answer.fields.get("error", "")), vendor_message(answer)
    if answer.status in (401, 403) or (answer.status == 404 and (code == "auth_error" or "Invalid user key" in words)):
        status = {"status": answer.status, "response": words}
        partial = answer.status == 403 and code != "auth_error"  # a key may be limited to some of the API
        return ConnectorError(_("Vast.ai rejected the key (%(status)s). %(response)s") % status, True, partial=partial)
    if code == "search_quota_exceeded":
        reset = float(answer.headers.get("x-ratelimit-reset") or 0) - datetime.now(UTC).timestamp()
        return ConnectorError(_("The daily search quota at Vast.ai is used up."), retry_after=max(reset, 3600.0))
    if answer.status == 200 and answer.fields.get("success") is False:
        return ConnectorError(_("Vast.ai refused the request. %(response)s") % {"response": words})
    return None


def _lease(instance: dict[str, Any]) -> LeaseRow:
    raw_state = instance.get("actual_status")
    state = "pending" if raw_state is None else STATES.get(raw_state, "unknown")
    running = state in ("running", "pending")
    gpu, memory = gpu_named(instance["gpu_name"], float(instance.get("gpu_ram") or 0) / 1024 or None)
    util, started = instance.get("gpu_util"), instance.get("start_date")
    price = money(instance["dph_total"] if running else instance.get("storage_total_cost") or 0)
    kind, title = "spot" if instance.get("is_bid") else "on_demand", instance.get("label") or ""
    disk = instance.get("storage_total_cost")
    return LeaseRow(
        *(str(instance["id"]), title, gpu, int(instance["num_gpus"]), memory, kind, price, state, raw_state or ""),
        region=instance.get("geolocation") or "",
        started_at=None if started is None else moment(started),
        utilisation=None if util is None else float(util) / 100,
        disk_per_hour=None if disk is None else money(disk),
    )
