"""What rules watch: money, requests, deployments and feeds, and what the kinds of alerts find in them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from alerts.context.evaluation import EvaluationContext
from alerts.kinds import KINDS
from alerts.kinds.finding import Finding
from costs.models import Charge
from providers.models import (
    Account,
    Deployment,
    Feed,
    Outage,
)
from tests.factories import AccountFactory, ChargeFactory, DeploymentFactory, FeedFactory, OutageFactory
from traffic.models import Application, LatencyDay, Rating, UsageDay, UsageHour

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)

TODAY = NOW.date()


def findings(kind: str, now: datetime = NOW, live: frozenset[str] = frozenset(), **thresholds: Any) -> list[Finding]:
    found = KINDS[kind]
    return list(found.evaluate(EvaluationContext(now), found.read(thresholds), live))


def only(kind: str, **options: Any) -> Finding:
    [found] = findings(kind, **options)
    return found


def spend(amount: str, day: date = TODAY) -> None:
    start = datetime.combine(day, datetime.min.time(), UTC)
    ChargeFactory.create(
        key=f"entered {day} {amount} {Charge.objects.count()}", provider="anthropic", day=day, starts_at=start,
        ends_at=start + timedelta(days=1), category="upkeep", provenance="entered", amount=Decimal(amount),
        original_amount=Decimal(amount),
    )  # fmt: skip


def use(day: date, requests: int, **more: Any) -> None:
    counts = dict.fromkeys(
        ("errors", "unpriced", "unknown_usage", "leased", "batched", "uncached_input", "cache_read", "cache_write_5m",
         "cache_write_1h", "output", "reasoning", "latency_us", "timed", "generated", "generating_us"), 0
    )  # fmt: skip
    row = {
        "application_id": 0, "deployment_id": 0, "provider": "anthropic", "model": "claude-sonnet-5-5", "task": "rag",
        **counts, "cost": Decimal(0), "requests": requests, **more,
    }  # fmt: skip
    UsageDay.objects.create(day=day, **row)
    UsageHour.objects.create(hour=datetime.combine(day, datetime.min.time(), UTC), **row)


def deployment(slug: str = "mistral-7b", provider: str = "self", **more: Any) -> Deployment:
    return DeploymentFactory.create(slug=slug, provider=provider, url="http://127.0.0.1:9/", **more)


def break_down(one: Deployment, minutes: int = 3) -> Outage:
    at = NOW - timedelta(minutes=minutes)
    return OutageFactory.create(deployment=one, started_at=at, confirmed_at=at, cause="connection refused")


def account(**more: Any) -> Account:
    made = AccountFactory.create(**{"slug": "claude", "name": "Claude org", "kind": "anthropic"} | more)
    Account.objects.update(created_at=NOW - timedelta(days=30))
    made.refresh_from_db()
    return made


def feed(one: Account, **more: Any) -> Feed:
    values = {"kind": "costs", "every_s": 300, "due_at": NOW, "last_success_at": NOW - timedelta(minutes=4), **more}
    return FeedFactory.create(account=one, **values)


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def empty(application_id: int = 0, requests: int = 0) -> dict[str, Any]:
    names = [field.attname for field in UsageHour._meta.concrete_fields]
    texts = {"provider": "anthropic", "model": "m", "task": "rag"}
    keys = {"application_id": application_id, "deployment_id": 0, "requests": requests}
    return {name: 0 for name in names if name != "hour"} | texts | keys


def hour(at: datetime, requests: int, **more: Any) -> None:
    """Usage of one hour alone."""
    UsageHour.objects.create(hour=at, **(empty(requests=requests) | more))


def timed(model: type[Any], at: Any, deployment_id: int, bucket: int, n: int, metric: int = 2) -> None:
    column = "day" if model is LatencyDay else "hour"
    model.objects.create(
        **{column: at}, application_id=0, deployment_id=deployment_id, provider="self", model="m", task="rag",
        metric=metric, bucket=bucket, n=n,
    )  # fmt: skip


def bucket_of(ms: float) -> int:
    from math import ceil, log

    return ceil(log(ms) / log(1.02))


def rated(n: int, good: int, day: date) -> None:
    Rating.objects.bulk_create(
        Rating(day=day, request_id=uuid.uuid4(), by="noor", score=1 if k < good else -1, model="mistral-7b")
        for k in range(n)
    )


def sends(application: Application, weeks: int, requests: int, hours: range) -> None:
    """On working days of the weeks before, in these hours; and today until 09:00."""
    midnights = [NOW.replace(hour=0) - n * DAY for n in range(weeks * 7 + 1)]
    moments = [day + h * HOUR for day in midnights for h in hours if day.weekday() < 5]
    rows = [UsageHour(hour=at, **empty(application.pk, requests)) for at in moments if at < NOW.replace(hour=9)]
    UsageHour.objects.bulk_create(rows)
