"""Rows of the models that most tests need: what a test does not name is plain and valid.

`ApplicationFactory.create(slug="shop")` stores a row; names follow from slugs, and slugs are numbered.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import factory
from django.utils import timezone

from costs.models import Charge, Phase
from providers.models import Account, Deployment, Feed, Lease, LeaseSpan, Maintenance, Outage, TokenPrice, VendorCost
from traffic.models import Application, Pair, Trial

YEAR = datetime(2026, 1, 1, tzinfo=UTC)


class ApplicationFactory(factory.django.DjangoModelFactory[Application]):
    class Meta:
        model = Application

    slug = factory.Sequence(lambda number: f"application-{number}")
    name = factory.SelfAttribute("slug")


class AccountFactory(factory.django.DjangoModelFactory[Account]):
    """An account at Anthropic, without a key."""

    class Meta:
        model = Account

    slug = factory.Sequence(lambda number: f"account-{number}")
    name = factory.SelfAttribute("slug")
    kind = "anthropic"


class FeedFactory(factory.django.DjangoModelFactory[Feed]):
    class Meta:
        model = Feed

    account = factory.SubFactory(AccountFactory)
    kind = "costs"
    every_s = 300
    due_at = factory.LazyFunction(timezone.now)


class LeaseFactory(factory.django.DjangoModelFactory[Lease]):
    """A rented GPU of RunPod for a dollar an hour."""

    class Meta:
        model = Lease

    account = factory.SubFactory(AccountFactory, kind="runpod")
    external_id = factory.Sequence(lambda number: f"lease-{number}")
    gpu = "RTX 4090"
    price_per_hour = Decimal(1)
    started_at = factory.LazyFunction(timezone.now)
    seen_at = factory.LazyFunction(timezone.now)


class LeaseSpanFactory(factory.django.DjangoModelFactory[LeaseSpan]):
    class Meta:
        model = LeaseSpan

    lease = factory.SubFactory(LeaseFactory)
    starts_at = factory.SelfAttribute("lease.started_at")
    state = "running"
    price_per_hour = factory.SelfAttribute("lease.price_per_hour")


class DeploymentFactory(factory.django.DjangoModelFactory[Deployment]):
    """An engine of our own, at an address where nobody answers."""

    class Meta:
        model = Deployment

    slug = factory.Sequence(lambda number: f"deployment-{number}")
    name = factory.SelfAttribute("slug")
    provider = "self"
    engine = "vllm"
    url = "http://127.0.0.1:9/"
    model = factory.SelfAttribute("slug")


class PairFactory(factory.django.DjangoModelFactory[Pair]):
    """Two answers of two deployments; their requests are in no log."""

    class Meta:
        model = Pair

    candidate = factory.SubFactory(DeploymentFactory)
    baseline = factory.SubFactory(DeploymentFactory, provider="anthropic")
    candidate_request = factory.LazyFunction(uuid.uuid4)
    baseline_request = factory.LazyFunction(uuid.uuid4)
    task = "rag"


class TrialFactory(factory.django.DjangoModelFactory[Trial]):
    """A trial that waits for a worker."""

    class Meta:
        model = Trial

    name = "Proof of concept"
    candidate = factory.SubFactory(DeploymentFactory)
    concurrency = [1, 2]
    seconds_per_step = 5
    answer_tokens = 200
    cap_usd = Decimal(1)
    prompt_source = "builtin"


class OutageFactory(factory.django.DjangoModelFactory[Outage]):
    class Meta:
        model = Outage

    deployment = factory.SubFactory(DeploymentFactory)
    started_at = factory.LazyFunction(timezone.now)


class MaintenanceFactory(factory.django.DjangoModelFactory[Maintenance]):
    """Planned work of the next hour."""

    class Meta:
        model = Maintenance

    starts_at = factory.LazyFunction(timezone.now)
    ends_at = factory.LazyAttribute(lambda row: row.starts_at + timedelta(hours=1))


class TokenPriceFactory(factory.django.DjangoModelFactory[TokenPrice]):
    """A price in USD per million tokens, in force since the beginning of the year."""

    class Meta:
        model = TokenPrice

    provider = "anthropic"
    model = "claude-test"
    starts_at = YEAR
    seen_at = factory.SelfAttribute("starts_at")
    source = "test"


class VendorCostFactory(factory.django.DjangoModelFactory[VendorCost]):
    class Meta:
        model = VendorCost

    account = factory.SubFactory(AccountFactory)


class PhaseFactory(factory.django.DjangoModelFactory[Phase]):
    class Meta:
        model = Phase

    slug = factory.Sequence(lambda number: f"phase-{number}")
    name = factory.SelfAttribute("slug")
    volume_from = 0


class ChargeFactory(factory.django.DjangoModelFactory[Charge]):
    class Meta:
        model = Charge
