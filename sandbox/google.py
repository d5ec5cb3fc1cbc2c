"""Simulated Google Cloud: token endpoint, price list, instances by zone, and a billing export behind BigQuery."""

from __future__ import annotations

import re
import secrets
import zlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import rentals
from sandbox.catalog import GOOGLE, GOOGLE_REGIONS, GoogleSku
from sandbox.state import Row, State, moment, stamp
from sandbox.vendor import Refused, Vendor, bearer, json

PROJECT = "breakeven-demo"
TABLE = f"{PROJECT}.billing.gcp_billing_export_resource_v1_0A1B2C_3D4E5F_6A7B8C"
EMAIL = f"billing@{PROJECT}.iam.gserviceaccount.com"
PAGE_ROWS = 50  # small, so that a short list has several pages
EXPORT_LAG = timedelta(hours=5)
ALIAS = re.compile(r"\bAS (\w+)(?=,|\s+FROM `)")
KINDS = {"OnDemand": "", "Preemptible": " attached to Spot Preemptible VMs", "Commit1Yr": "", "Commit3Yr": ""}


@cache
def _public(private: str) -> bytes:
    """To load a private key, which proves its primes, takes 40 ms."""
    key = serialization.load_pem_private_key(private.encode(), None).public_key()
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


class SandboxGoogle(Vendor):
    name = "google"
    prefix = "google"

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._tokens: dict[str, float] = {}
        self._writing: set[str] = set()  # tokens that may change machines

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/service-account.json", self.service_account),
            web.post("/token", self.token),
            web.get("/v1/services/{service}/skus", self.skus),
            web.get("/compute/v1/projects/{project}", self.project),
            web.get("/compute/v1/projects/{project}/aggregated/instances", self.instances),
            web.post("/compute/v1/projects/{project}/zones/{zone}/instances/{name}/stop", self.stop),
            web.post("/bigquery/v2/projects/{project}/queries", self.query),
        ]

    def load(self, data: dict[str, Any]) -> int:
        defaults = {"zone": "europe-west4-a", "machine_type": "n1-standard-4", "vm_per_hour": "0.19", "spot": False}
        rows = {str(row["id"]): rentals.kept(row, **defaults) for row in data["instances"]}
        if data.get("replace"):
            self.state.clear("google", "instances")
        self.state.put("google", "instances", rows)
        return len(rows)

    def check(self, request: web.Request) -> None:
        if request.path.endswith(("/token", "/service-account.json")):
            return
        expires = self._tokens.get(bearer(request), 0.0)
        if expires < self.state.now().timestamp():
            raise Refused(self.bad_key())

    def bad_key(self) -> web.Response:
        return refusal(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")

    def too_many(self, wait: float) -> web.Response:
        return refusal(429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Queries'.")

    def broken(self) -> web.Response:
        return refusal(500, "INTERNAL", "Internal error encountered.")

    async def service_account(self, request: web.Request) -> web.Response:
        """Not of the vendor: the key file that the demo's account holds."""
        return json(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "sandbox",
                "private_key": self._private_key(),
                "client_email": EMAIL,
                "client_id": "100000000000000000000",
                "token_uri": f"http://{request.host}/google/token",
            }
        )

    def _private_key(self) -> str:
        known = self.state.table("google", "account").get("key")
        if known is None:
            made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            pem = made.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            known = {"pem": pem.decode()}
            self.state.put("google", "account", {"key": known})
        return str(known["pem"])

    async def token(self, request: web.Request) -> web.Response:
        """OAuth for service accounts: the assertion must be signed by the key that we gave out."""
        from google.auth import jwt

        form = await request.post()
        try:
            pem = _public(self._private_key())
            claims = jwt.decode(str(form["assertion"]).encode(), certs=pem, verify=True)  # type: ignore[no-untyped-call]
            if claims["iss"] != EMAIL:
                raise ValueError("unknown account")
        except (KeyError, ValueError):
            body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
            return json(body, 400)
        token = "ya29." + secrets.token_urlsafe(24)
        if "https://www.googleapis.com/auth/compute" in str(claims.get("scope", "")).split():
            self._writing.add(token)
        self._tokens[token] = self.state.now().timestamp() + 3600
        return json({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    async def skus(self, request: web.Request) -> web.Response:
        found = [_sku(number, sku, region, usage) for number, (sku, region, usage) in enumerate(_listed())]
        start = _offset(request)
        more = start + PAGE_ROWS < len(found)
        return json({"skus": found[start : start + PAGE_ROWS], "nextPageToken": str(start + PAGE_ROWS) if more else ""})

    async def project(self, request: web.Request) -> web.Response:
        if request.match_info["project"] != PROJECT:
            raise Refused(refusal(404, "NOT_FOUND", "The resource was not found."))
        return json({"kind": "compute#project", "id": "1", "name": PROJECT})

    async def instances(self, request: web.Request) -> web.Response:
        zones: dict[str, list[Row]] = defaultdict(list)
        if request.match_info["project"] == PROJECT:
            for row in self._rows():
                if rentals.alive(row):
                    zones[row["zone"]].append(_instance(row))
        items: dict[str, Any] = {f"zones/{zone}": {"instances": rows} for zone, rows in zones.items()}
        items["zones/asia-east1-a"] = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": "No results."}}
        return json({"kind": "compute#instanceAggregatedList", "items": items})

    async def stop(self, request: web.Request) -> web.Response:
        if bearer(request) not in self._writing:
            raise Refused(refusal(403, "PERMISSION_DENIED", "Request had insufficient authentication scopes."))
        asked = (request.match_info["zone"], request.match_info["name"])
        row = next((r for r in self._rows() if rentals.alive(r) and (r["zone"], r["name"]) == asked), None)
        if row is None or request.match_info["project"] != PROJECT:
            raise Refused(refusal(404, "NOT_FOUND", "The resource was not found."))
        self.state.put("google", "instances", {row["id"]: rentals.stopped(row, self.state.now())})
        return json({"kind": "compute#operation", "operationType": "stop", "status": "RUNNING"})

    def _rows(self) -> list[Row]:
        return list(self.state.table("google", "instances").values())

    async def query(self, request: web.Request) -> web.Response:
        """Answers the columns that the query names, in its order, each value as text."""
        asked = await request.json()
        names = ALIAS.findall(asked["query"])
        if f"`{TABLE}`" not in asked["query"]:
            raise Refused(refusal(404, "NOT_FOUND", "Not found: Table"))
        period = {row["name"]: moment(row["parameterValue"]["value"]) for row in asked["queryParameters"]}
        lines = list(self._lines(period["since"], period["until"]))
        if lines and (unknown := [name for name in names if name not in lines[0]]):
            raise Refused(refusal(400, "INVALID_ARGUMENT", f"Unrecognized name: {unknown[0]}"))
        rows = [{"f": [{"v": None if line[name] is None else str(line[name])} for name in names]} for line in lines]
        schema = {"fields": [{"name": name, "type": "STRING", "mode": "NULLABLE"} for name in names]}
        job = {"projectId": PROJECT, "jobId": "job_sandbox", "location": "EU"}
        return json(
            {"jobReference": job, "jobComplete": True, "schema": schema, "rows": rows, "totalRows": str(len(rows))}
        )

    def _lines(self, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
        """The export: by day, machine and SKU; on demand use of a committed price comes as a credit."""
        start = since.replace(hour=0, minute=0, second=0, microsecond=0)
        exported = self.state.now() - EXPORT_LAG
        for bill in rentals.bills(self._rows(), start, min(until, exported), rentals.DAY, exported):
            row = bill.row
            hours = bill.gpu / float(row["price_per_hour"]) if bill.gpu else 0.0
            parts = [
                (f"Nvidia {row['gpu']} GPU running in EMEA", bill.gpu),
                ("N1 Predefined Instance Core running in EMEA", hours * float(row["vm_per_hour"])),
                ("SSD backed PD Capacity in EMEA", bill.disk),
            ]
            for words, cost in parts:
                if cost:
                    yield self._line(bill, words, cost, exported)

    def _line(self, bill: rentals.Bill, words: str, cost: float, exported: datetime) -> dict[str, Any]:
        row = bill.row
        share = Decimal(str(row.get("credit_share", 0)))
        amount = Decimal(str(round(cost, 6)))
        return {
            "day": f"{bill.starts_at.timestamp():.9E}",
            "sku": f"{zlib.crc32(words.encode()):08X}",
            "words": words,
            "service": "Compute Engine",
            "project": PROJECT,
            "resource": f"//compute.googleapis.com/projects/1/zones/{row['zone']}/instances/{row['id']}",
            "month": f"{bill.starts_at:%Y%m}",
            "cost_type": "regular",
            "currency": "USD",
            "rate": "1",
            "service_id": "6F81-5844-456A",
            "unit": "seconds",
            "cost": amount,
            "amount": "86400",
            "credits": -amount * share,
            "exported": f"{exported.timestamp():.9E}",
        }


def refusal(status: int, code: str, message: str) -> web.Response:
    return json({"error": {"code": status, "message": message, "status": code, "errors": [], "details": []}}, status)


def _listed() -> Iterator[tuple[GoogleSku, str, str]]:
    for sku in GOOGLE:
        for usage, price in sku.prices.items():
            for region in GOOGLE_REGIONS:
                if price:
                    yield sku, region, usage


def _sku(number: int, sku: GoogleSku, region: str, usage: str) -> dict[str, Any]:
    units, _, fraction = f"{sku.prices[usage] * GOOGLE_REGIONS[region]:.9f}".partition(".")
    words = f"{sku.words}{KINDS[usage]} running in {region}"
    if usage.startswith("Commit"):
        words = f"Commitment v1: {sku.words} in {region} for {usage[6]} Year"
    return {
        "name": f"services/6F81-5844-456A/skus/{number:04X}",
        "skuId": f"{number:04X}-{usage.upper()[:4]}",
        "description": words,
        "category": {
            "serviceDisplayName": "Compute Engine",
            "resourceFamily": "Compute",
            "resourceGroup": sku.group,
            "usageType": usage,
        },
        "serviceRegions": [region],
        "pricingInfo": [
            {
                "effectiveTime": "2026-11-01T00:00:00Z",
                "currencyConversionRate": 1,
                "pricingExpression": {
                    "usageUnit": sku.unit,
                    "displayQuantity": 1,
                    "tieredRates": [
                        {
                            "startUsageAmount": 0,
                            "unitPrice": {"currencyCode": "USD", "units": units, "nanos": int(fraction)},
                        }
                    ],
                },
            }
        ],
        "serviceProviderName": "Google",
        "geoTaxonomy": {"type": "REGIONAL", "regions": [region]},
    }


def _offset(request: web.Request) -> int:
    try:
        return int(request.query.get("pageToken") or 0)
    except ValueError:
        raise Refused(refusal(400, "INVALID_ARGUMENT", "Invalid page token.")) from None


def _instance(row: Row) -> dict[str, Any]:
    base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{row['zone']}"
    running = rentals.status(row) == rentals.RUNNING
    return {
        "id": row["id"],
        "name": row["name"],
        "status": "RUNNING" if running else "TERMINATED",
        "zone": base,
        "machineType": f"{base}/machineTypes/{row['machine_type']}",
        "guestAccelerators": [
            {"acceleratorType": f"{base}/acceleratorTypes/{row['gpu']}", "acceleratorCount": row["gpu_count"]}
        ],
        "scheduling": {"preemptible": row["spot"], "provisioningModel": "SPOT" if row["spot"] else "STANDARD"},
        "creationTimestamp": stamp(rentals.started(row)),
        "lastStartTimestamp": stamp(moment(row["spans"][-1]["from"])),
        "lastStopTimestamp": None,
        "metadata": {"items": [{"key": "startup-script", "value": "export HF_TOKEN=hf_not_for_you"}]},
        "labels": {},
    }
