"""Google Cloud: GPU prices by region, instances with GPUs, and the real cost from the BigQuery billing export.

Settings of an account: `projects` (default: the service account's own) and `billing_table`, the export's full name;
without it nothing is billed here and leases are estimated. Traps: TERMINATED means stopped; credits are negative and
never joined; the export may be in another currency, brings its rate, and is revised for days.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from providers.connectors.base import Connector, CostRow, Fetched, LeaseRow, OfferRow, Option, UsageRow
from providers.connectors.google_auth import COMPUTE, authorised, service_account
from providers.connectors.google_bigquery import bill_lines, billing_export
from providers.connectors.google_skus import SKUS_PATH, PriceList
from providers.connectors.google_tokens import usage_rows
from providers.connectors.gpus import gpu_named
from providers.connectors.http import VendorHttp, walk
from providers.connectors.parse import day_of, moment
from providers.connectors.stopping import Stop

STATES = {"RUNNING": "running", "DEPROVISIONING": "ended"}
STATES |= dict.fromkeys(("PROVISIONING", "STAGING", "PENDING", "REPAIRING"), "pending")
STATES |= dict.fromkeys(("PENDING_STOP", "STOPPING", "STOPPED", "SUSPENDING", "SUSPENDED", "TERMINATED"), "stopped")


class Google(Connector):
    kind = "google"
    label = "Google Cloud"
    default_base_url = "https://{api}.googleapis.com"
    key_help = "The JSON of a service account with compute.viewer, bigquery.jobUser and bigquery.dataViewer."
    feeds = {"offers": 86_400, "leases": 120, "costs": 14_400, "usage": 14_400}
    reread = {"costs": timedelta(days=4), "usage": timedelta(days=4)}
    stop = Stop(
        *("POST", "/compute/v1/{handle}/stop"),
        loses=gettext_lazy("Disks and addresses stay and are still billed. Data on local SSDs is lost."),
        console="https://console.cloud.google.com/compute/instances",
        command="gcloud compute instances stop {instances} --zone={zones} --project={projects}",
    )
    options = {
        "projects": Option("Projects", "With commas between them. Empty: the service account's own.", list),
        "billing_table": Option(
            "Billing export", "The BigQuery table, project.dataset.table. Empty: costs are estimated."
        ),
    }

    def test(self) -> str:
        with self._http("compute") as http, self.parsing():
            names = [str(http.get(f"/compute/v1/projects/{name}")["name"])[:100] for name in self._projects()]
        return _("The key can see the projects %(names)s.") % {"names": ", ".join(names)}

    def identity(self) -> list[str]:
        """The billing export and the projects that it reads; no call is needed."""
        table = str(self.config.settings.get("billing_table") or "")
        return ([f"billing export {table}"[:200]] if table else []) + [f"project {p}"[:200] for p in self._projects()]

    def fetch_offers(self) -> Fetched[OfferRow]:
        return Fetched(self._prices().offers())

    def fetch_leases(self) -> Fetched[LeaseRow]:
        with self._http("compute") as http, self.parsing():
            instances = [entry for project in self._projects() for entry in self._instances(http, project)]
            prices = PriceList.remembered(self.base_url, self._prices) if instances else PriceList([])
            return Fetched([_lease(instance, prices) for instance in instances])

    def fetch_costs(self, since: datetime, until: datetime) -> Fetched[CostRow]:
        rows, complete_until = self._bill(since, until)
        with self.parsing():
            return Fetched([line for row in rows for line in bill_lines(row)], complete_until)

    def fetch_usage(self, since: datetime, until: datetime) -> Fetched[UsageRow]:
        """Tokens of Gemini and Vertex, which only the export tells."""
        rows, complete_until = self._bill(since, until)
        with self.parsing():
            return Fetched(usage_rows(rows), complete_until)

    def _bill(self, since: datetime, until: datetime) -> tuple[list[dict[str, Any]], datetime | None]:
        """Rows of the export and before when they are whole; without one nothing is known."""
        table = str(self.config.settings.get("billing_table") or "")
        if not table:
            return [], None
        with self._http("bigquery") as http, self.parsing():
            rows = list(billing_export(http, self._projects()[0], table, day_of(since), until))
            exported = max((moment(Decimal(row["exported"])) for row in rows), default=None)
            # Google promises no latency; a day older than the last export by a whole day has settled.
            return rows, exported and day_of(exported - timedelta(days=1))

    def writing(self) -> VendorHttp:
        return authorised(self, self.base_url.replace("{api}", "compute"), [COMPUTE])

    def _projects(self) -> list[str]:
        return list(self.config.settings.get("projects") or [service_account(self)["project_id"]])

    def _http(self, api: str) -> VendorHttp:
        return authorised(self, self.base_url.replace("{api}", api))

    def _prices(self) -> PriceList:
        with self._http("cloudbilling") as http, self.parsing():

            def page(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
                answer = http.get(SKUS_PATH, {"pageSize": 5000, "currencyCode": "USD", "pageToken": token or ""})
                return answer["skus"], answer.get("nextPageToken")

            return PriceList(walk(self.label, page))

    def _instances(self, http: VendorHttp, project: str) -> Iterator[dict[str, Any]]:
        def page(token: str | None) -> tuple[list[dict[str, Any]], str | None]:
            params = {"maxResults": 500, "returnPartialSuccess": "true", "pageToken": token or ""}
            answer = http.get(f"/compute/v1/projects/{project}/aggregated/instances", params)
            zones = (answer.get("items") or {}).values()
            return [entry for zone in zones for entry in zone.get("instances", [])], answer.get("nextPageToken")

        return (entry for entry in walk(self.label, page) if entry.get("guestAccelerators"))


def _lease(instance: dict[str, Any], prices: PriceList) -> LeaseRow:
    zone, machine = (str(instance[name]).rsplit("/", 1)[-1] for name in ("zone", "machineType"))
    card = instance["guestAccelerators"][0]
    gpu, memory = gpu_named(str(card["acceleratorType"]).rsplit("/", 1)[-1])
    count, raw_state = int(card["acceleratorCount"]), str(instance["status"])
    kind = "spot" if (instance.get("scheduling") or {}).get("provisioningModel") == "SPOT" else "on_demand"
    state, started = STATES.get(raw_state, "unknown"), instance.get("lastStartTimestamp")
    # A stopped machine pays for its disks alone, and those stand in the bill.
    price = prices.instance(machine, gpu, count, zone.rsplit("-", 1)[0], kind) if state == "running" else Decimal(0)
    return LeaseRow(
        *(str(instance["id"]), instance["name"], gpu, count, memory, kind, price, state, raw_state, zone),
        started_at=moment(started or instance["creationTimestamp"]),
        handle=f"projects/{instance['zone'].split('/projects/')[-1]}/instances/{instance['name']}",
    )
