"""Fixtures of this folder."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from costs.ledger import posting as ledger
from lib.periods import next_month
from providers.models import Account, CheckHour, Deployment
from tests.costs.month import MONTH, START
from tests.costs.prices import price
from tests.costs.readiness_rows import rated
from tests.costs.usage_rows import at, ends_of_window, usage
from tests.costs.world import bill, watermark
from tests.factories import (
    AccountFactory,
    ApplicationFactory,
    ChargeFactory,
    DeploymentFactory,
    FeedFactory,
    LeaseFactory,
    LeaseSpanFactory,
    TokenPriceFactory,
    VendorCostFactory,
)
from tests.traffic.people import logged_in, person
from traffic.models import LatencyDay, UsageHour


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("ann", "costs.view_charge"))


@pytest.fixture
def world(db: None) -> Account:
    """Two months: a billed API, a pod that serves `shop`, a manual entry, and a model without a price."""
    month = datetime.now(UTC).date().replace(day=1)
    before = (month - timedelta(days=1)).replace(day=1)
    claude = AccountFactory.create(slug="claude", name="Claude")
    watermark(claude, at(month), "costs", "usage")
    runpod = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    watermark(runpod, at(before), "costs")
    pod = LeaseFactory.create(
        account=runpod, external_id="p1", price_per_hour=Decimal("0.34"), started_at=at(before),
        seen_at=at(month),
    )  # fmt: skip
    LeaseSpanFactory.create(lease=pod, starts_at=at(before), ends_at=at(before, 10), price_per_hour=Decimal("0.34"))
    own = DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)
    shop = ApplicationFactory.create(slug="shop", name="Web shop")
    served = {"application_id": shop.pk, "deployment_id": own.pk, "provider": "self", "model": "mistral"}
    usage(UsageHour, hour=at(before, 1), output=7, **served)
    usage(day=before, output=7, leased=10, **served)
    for day in (before, month):
        usage(day=day, application_id=shop.pk, model="claude-sonnet-5-5", output=100, cost=Decimal("0.001"))
    usage(day=before, application_id=shop.pk, provider="aurora", model="preview", output=9, unpriced=10, task="other")
    bill(claude, before)
    TokenPriceFactory.create(
        model="claude-sonnet-5-5", starts_at=at(date(2020, 1, 1)), uncached_input=2, output=10,
        seen_at=at(month),
    )  # fmt: skip
    ChargeFactory.create(
        key="entered:1", provider="runpod", day=before, starts_at=at(before), ends_at=at(before), category="upkeep",
        provenance="entered", amount=6, original_amount=6,
    )  # fmt: skip
    ledger.post()
    return claude


@pytest.fixture
def ready(db: Any) -> Deployment:
    """Our own deployment that is good, fast, up and cheaper."""
    now = timezone.now()
    today = now.astimezone(UTC).date()
    price("claude-sonnet-4-5")
    own = DeploymentFactory.create(slug="own", name="Mistral", url="http://x")
    first, last = ends_of_window()
    usage(UsageHour, hour=first, requests=200_000, model="claude-sonnet-4-5",
          uncached_input=100_000_000, output=40_000_000)  # fmt: skip
    usage(UsageHour, hour=last, requests=200_000, model="mistral", provider="self",
          deployment_id=own.pk, leased=200_000, uncached_input=100_000_000, output=40_000_000)  # fmt: skip
    for days in range(1, 11):  # days that do not differ, so that the saving's interval has no width
        usage(day=today - timedelta(days=days), model="claude-sonnet-4-5", requests=20_000, cost=Decimal(90))
    LatencyDay.objects.create(
        day=today, application_id=0, deployment_id=own.pk, provider="self", model="mistral", task="rag", metric=2,
        bucket=280, n=500,
    )  # fmt: skip
    rated(own, 60, 57)
    hour = now.replace(minute=0, second=0, microsecond=0)
    CheckHour.objects.bulk_create(
        CheckHour(deployment=own, hour=hour - timedelta(hours=n), checks=120, observed_s=3600) for n in range(1, 49)
    )
    return own


@pytest.fixture
def month(db: None) -> date:
    """A bill in thirds, a pod that is half idle, a VM of nobody and one of an application, an unpriced request."""
    ada = User.objects.create_user("ada", first_name="Ada", last_name="Moor")
    apps = [ApplicationFactory.create(slug=slug, name=slug.title(), owner=ada) for slug in ("shop", "docs")]
    apps.append(ApplicationFactory.create(slug="chat", name="=Chat"))
    claude = AccountFactory.create(slug="claude", name="Claude")
    for application in apps:
        usage(day=MONTH, application_id=application.pk, cost=Decimal("1.23"), unpriced=application.slug == "chat")
    VendorCostFactory.create(
        account=claude, external_id="1", starts_at=START, ends_at=START + timedelta(days=1), category="tokens",
        model="claude", amount=10, original_amount=10,
    )  # fmt: skip
    # The bill is whole to the end of the month; reaching into the running one, it would replace what is measured there.
    FeedFactory.create(
        account=claude, every_s=60, due_at=START,
        complete_until=datetime.combine(next_month(MONTH), time(), UTC),
    )  # fmt: skip
    runpod = AccountFactory.create(slug="runpod", name="RunPod", kind="runpod")
    pod = LeaseFactory.create(account=runpod, external_id="p1", started_at=START, seen_at=START)
    LeaseSpanFactory.create(
        lease=pod, starts_at=START, ends_at=START + timedelta(hours=2), price_per_hour=Decimal("0.333")
    )
    own = DeploymentFactory.create(slug="own", name="Own", url="http://x", lease=pod)
    usage(UsageHour, hour=START, output=9, application_id=apps[0].pk, deployment_id=own.pk, provider="self", model="m")
    for number, (amount, whose) in enumerate((("0.005", None), ("3.3349", apps[1]))):
        ChargeFactory.create(
            key=f"entered:{number}", provider="self", day=MONTH, starts_at=START, ends_at=START, category="vm",
            provenance="entered", amount=amount, original_amount=amount, application=whose,
        )  # fmt: skip
    ledger.post()
    return MONTH
