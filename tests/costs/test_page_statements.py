"""Every page of costs asks the database a bounded number of things, the same for much as for little."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from costs.ledger import posting as ledger
from costs.models import BillImport, Budget, Category, Charge, ExportTarget, Provenance, Stage, subject_fields
from providers.models import Deployment, Lease
from tests.costs.usage_rows import at, usage
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    ChargeFactory,
    DeploymentFactory,
    LeaseFactory,
    LeaseSpanFactory,
    PhaseFactory,
)
from tests.query_ceilings import CEILINGS, ceiling
from tests.traffic.people import logged_in
from traffic.models import UsageHour

# In the middle of a month: on its first days the pages have less to read.
NOW = datetime.now(UTC).replace(day=15, hour=12)
LAST_MONTH = NOW.date().replace(day=1) - timedelta(days=20)
pytestmark = pytest.mark.usefixtures("stopped_clock")


@pytest.fixture
def client(db: None) -> Client:
    """Someone who may see everything, of a company with a pod, a plan, budgets of every scope and some traffic."""
    day = datetime.now(UTC).date() - timedelta(days=3)
    account = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    pod = LeaseFactory.create(account=account, external_id="p1", started_at=at(day), seen_at=at(day))
    LeaseSpanFactory.create(lease=pod, starts_at=at(day), ends_at=at(day, 9), price_per_hour=1)
    DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)
    PhaseFactory.create(
        slug="hybrid", name="Hybrid", budget_low=100, budget_high=400, volume_to=1000,
        starts_on=day.replace(day=1) - timedelta(days=40),
    )  # fmt: skip
    fill(0)
    for scope, subject in (("everything", ""), ("provider", "anthropic"), ("application", "a0"), ("task", "rag")):
        Budget.objects.create(
            slug=scope, name=scope, **subject_fields(scope, subject), low=1, high=9, starts_on=day.replace(day=1)
        )
    return logged_in(User.objects.create_superuser("root"))


def fill(part: int) -> None:
    """Some days of one more application, of two models, and manual entries of them."""
    application = ApplicationFactory.create(slug=f"a{part}", name=f"A{part}")
    own = Deployment.objects.get(slug="own")
    today = datetime.now(UTC).date()
    for model in range(4):
        usage(day=LAST_MONTH, application_id=application.pk, model=f"m{part}-{model}", output=9, cost=Decimal("0.5"))
    Stage.objects.create(
        slug=f"s{part}", name=f"S{part}", starts_on=today + timedelta(days=part),
        ends_on=today + timedelta(days=part + 1), budget=1,
    )  # fmt: skip
    for back in range(1, 4):
        day = today - timedelta(days=back)
        paid = {"application_id": application.pk, "model": f"m{part}", "provider": "anthropic", "cost": Decimal(1)}
        usage(day=day, **paid)
        usage(UsageHour, hour=at(day, 1), **paid)
        served = {"application_id": application.pk, "deployment_id": own.pk, "provider": "self", "model": "mistral"}
        usage(day=day, output=7, leased=10, **served)
        usage(UsageHour, hour=at(day, 1), output=7, **served)
        ChargeFactory.create(
            key=f"entered:{part}:{back}", provider="anthropic", day=day, starts_at=at(day), ends_at=at(day),
            category=Category.UPKEEP, provenance=Provenance.ENTERED, amount=1, original_amount=1,
        )  # fmt: skip
    ExportTarget.objects.create(name=f"Lake {part}", kind="folder", since=today.replace(day=1), error="no")
    BillImport.objects.create(file_name=f"{part}.csv", sha256=f"{part}", content=b"", rows=0, amount=0)
    ledger.post()


def pages() -> dict[str, str]:
    """By key of the table, the address of each page of costs in it. A key with a space is of other data."""
    filled = {
        "last_month": f"{LAST_MONTH:%Y-%m}",
        "bill": BillImport.objects.earliest("pk").pk,
        "export": ExportTarget.objects.earliest("pk").pk,
        "charge": Charge.objects.filter(provenance=Provenance.ENTERED).earliest("pk").pk,
        "lease": Lease.objects.earliest("pk").pk,
    }
    addresses = {key: key.format_map(filled) for key in CEILINGS if key.startswith("/") and " " not in key}
    return {key: url for key, url in addresses.items() if resolve(urlsplit(url).path).app_name == "costs"}


def counts(client: Client) -> dict[str, int]:
    found = {}
    for key, url in pages().items():
        assert client.get(url).status_code == 200, url  # what is read once for a process is not counted
        with CaptureQueriesContext(connection) as asked:
            client.get(url)
        found[key] = len(asked)
    return found


def test_every_page_takes_as_many_statements_for_much_as_for_little(client: Client) -> None:
    little = counts(client)
    for part in range(1, 5):
        fill(part)
    much = counts(client)
    assert {key: n for key, n in much.items() if n > ceiling(key)} == {}
    assert {key: (little[key], n) for key, n in much.items() if n > little[key]} == {}
    assert [n for key, n in much.items() if "/ledger/" in key] == [n for key, n in little.items() if "/ledger/" in key]
