"""Something to tell of every kind of rule, as a company would have it: rows that cross the rule's line at NOW."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from alerts.context.evaluation import EvaluationContext
from alerts.context.restarts import Restart
from alerts.models import Address, Channel, Rule
from costs.ledger.expiring_days import ExpiringDays
from costs.models import Anomaly, Driver, ExportTarget, Phase, Stage
from costs.reconciliation.reconcile import Cause
from costs.reconciliation.tolerances import ReconciliationGap
from lib.disk import Disk
from providers.connectors.base import ConnectorError
from providers.models import (
    Account,
    Balance,
    Deployment,
    Feed,
    Heartbeat,
    Lease,
    Model,
    Offer,
    OfferWatch,
    Outage,
    TokenPrice,
)
from providers.polling.services import record_failure
from tests.alerts.conditions import (
    NOW,
    TODAY,
    account,
    break_down,
    bucket_of,
    deployment,
    empty,
    feed,
    hour,
    rated,
    sends,
    timed,
    use,
)
from tests.factories import LeaseFactory, PhaseFactory, TokenPriceFactory
from traffic.authentication.keys import create_key
from traffic.models import (
    Application,
    Installation,
    Key,
    LatencyDay,
    LatencyHour,
    Rating,
    Route,
    RouteUse,
    UsageDay,
    UsageHour,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GB = 1024**3
SHARES = {"support-bot": Decimal("0.52"), "code-helper": Decimal("0.28"), "docs-qa": Decimal("0.20")}
Patch = pytest.MonkeyPatch


def applications() -> dict[str, Application]:
    return {slug: Application.objects.get_or_create(slug=slug, defaults={"name": slug})[0] for slug in SHARES}


def spent(a_day: str, days: int = 60, **more: Any) -> None:
    """So many USD a day until today, by three applications."""
    rows = []
    for slug, one in applications().items():
        cost = Decimal(a_day) * SHARES[slug]
        row = empty(one.pk, int(cost * 100)) | {"model": "claude-sonnet-5-5", "cost": cost} | more
        rows += [(TODAY - n * DAY, row) for n in range(days)]
    UsageDay.objects.bulk_create(UsageDay(day=day, **row) for day, row in rows)
    midnight = datetime.min.time()
    UsageHour.objects.bulk_create(UsageHour(hour=datetime.combine(day, midnight, UTC), **row) for day, row in rows)


def planned(**more: Any) -> Phase:
    values: dict[str, Any] = {"volume_from": 100_000, "volume_to": 500_000, "starts_on": date(2026, 10, 1)}
    dated = {"slug": "scale-up", "name": "Scale-up", "budget_low": 300, "budget_high": 400, "ends_on": date(2027, 1, 1)}
    return PhaseFactory.create(**values | dated | more)


def rented(**more: Any) -> Lease:
    values: dict[str, Any] = {"external_id": "pod1", "name": "gpu-1", "gpu": "RTX 4090", "state": "running"}
    seen = {"price_per_hour": Decimal("0.34"), "started_at": NOW - 2 * DAY, "seen_at": NOW - HOUR}
    where = more.pop("account", None) or account(slug="runpod", name="RunPod", kind="runpod")
    return LeaseFactory.create(**values | seen | {"account": where} | more)


def budget(patch: Patch) -> None:
    planned()
    spent("15.70")


def budget_forecast(patch: Patch) -> None:
    planned()
    spent("15.10")


def burn_rate(patch: Patch) -> None:
    planned(budget_high=720)
    spent("2")
    for ago, cost in ((1, 24), (5, 72)):
        hour(NOW - ago * HOUR, 10, cost=Decimal(cost))


def stage(patch: Patch) -> None:
    spent("9.40", days=14)
    for slug, name, ends in (("poc", "Proof of concept", TODAY + DAY), ("evaluation", "Evaluation", TODAY)):
        budget = 120 if slug == "poc" else 200
        Stage.objects.create(slug=slug, name=name, starts_on=TODAY - 20 * DAY, ends_on=ends, budget=budget)


def phase(patch: Patch) -> None:
    planned(volume_to=150_000)
    planned(slug="fleet", name="Fleet", volume_from=150_000, volume_to=None, starts_on=date(2027, 1, 1), ends_on=None)
    spent("60")


def break_even(patch: Patch) -> None:
    TokenPriceFactory.create(model="claude-sonnet-5-5", starts_at=NOW - 400 * DAY, uncached_input=2, output=10)
    for n in range(1, 90):
        requests = 60_000 if n <= 40 else 100
        cost = requests * Decimal("0.003")
        use(TODAY - n * DAY, requests, uncached_input=500 * requests, output=200 * requests, cost=cost)


def outage(patch: Patch) -> None:
    lost = break_down(deployment("mistral-7b", lease=rented()))
    lost.requests_failed, lost.requests_rerouted, lost.counted_at = 18, 122, NOW
    lost.save()
    for n in range(3):
        lost = break_down(deployment(f"llama-{n}", "lambda"), minutes=3 + n)
        lost.requests_failed, lost.requests_rerouted, lost.counted_at = 4 * n, 30, NOW
        lost.save()


def latency(patch: Patch) -> None:
    one = deployment()
    for n in range(1, 8):
        timed(LatencyDay, TODAY - n * DAY, one.pk, bucket_of(500), 100)
    timed(LatencyHour, NOW - HOUR, one.pk, bucket_of(4200), 30)


def error_rate(patch: Patch) -> None:
    one = deployment()
    for n, app in enumerate(applications().values(), start=1):
        hour(NOW - HOUR, 80, deployment_id=one.pk, application_id=app.pk, errors=8 * n, provider="self", model="m")
    hour(NOW - HOUR, 40, errors=9, model="claude-sonnet-5-5")


def quality(patch: Patch) -> None:
    rated(100, 90, TODAY - 30 * DAY)
    rated(50, 25, TODAY - DAY)


def anomaly(patch: Patch) -> None:
    seen = {"since": NOW - 20 * HOUR, "found_at": NOW - 2 * HOUR, "seen_at": NOW}
    Anomaly.objects.create(
        application_id=1, application="code-helper", models_shown=["claude-sonnet-5-5"], driver=Driver.CACHE,
        before=0.88, after=0.12, costs=Decimal("41.20"), effects={"cache": "41.20", "volume": "3.10", "rest": "-0.40"},
        **seen,
    )  # fmt: skip
    Anomaly.objects.create(
        application_id=0, model="mistral-7b", applications_shown=["docs-qa", "support-bot"], driver=Driver.LATENCY,
        before=840_000, after=4_200_000, **seen,
    )  # fmt: skip


def heartbeat(patch: Patch) -> None:
    late = {"state": "down", "state_since": NOW - 2 * HOUR, "last_ping_at": NOW - 27 * HOUR}
    Heartbeat.objects.create(slug="nightly-eval", name="Nightly evaluation", **late)
    Heartbeat.objects.create(slug="reindex", name="Reindex", last_signal="fail", **late)


def unpriced(patch: Patch) -> None:
    for n, app in enumerate(applications().values(), start=1):
        model = {"provider": "aurora", "model": "aurora-2-preview", "application_id": app.pk}
        use(TODAY - n * DAY, 1200 * n, unpriced=1200 * n, uncached_input=340_000, **model)


def price(patch: Patch) -> None:
    spent("9.40", uncached_input=1_000_000, output=200_000)
    for starts_at, output in ((NOW - 100 * DAY, 15), (NOW - DAY, 18)):
        TokenPriceFactory.create(
            model="claude-sonnet-5-5", starts_at=starts_at, uncached_input=Decimal(3),
            output=Decimal(output), source="the vendor's list", seen_at=starts_at,
        )  # fmt: skip


def retiring(patch: Patch) -> None:
    Model.objects.create(provider="anthropic", name="claude-sonnet-4-5", retires_on=date(2026, 11, 30))
    Model.objects.create(provider="anthropic", name="claude-haiku-4-5", retires_on=TODAY + DAY)
    spent("4.40", model="claude-sonnet-4-5-20250929")
    use(TODAY, 1, model="claude-haiku-4-5")


def account_twice(patch: Patch) -> None:
    refused = {"rows": 96, "account": "claude", "name": "Claude org", "examples": [["2026-11-23/-/opus", "EUR", "USD"]]}
    feed(account(identity=["organization org_1"], new_identity=["organization org_2"]))
    feed(account(slug="second", name="Claude two"), refused=refused)


def balance(patch: Patch) -> None:
    where = account(slug="vast", name="Vast.ai", kind="vast")
    Balance.objects.create(account=where, amount=Decimal("12.40"), at=NOW)
    for n, gpu in enumerate(("RTX 4090", "H100", "L4"), start=1):
        rented(account=where, external_id=str(n), name=f"gpu-{n}", gpu=gpu, price_per_hour=Decimal("0.15") * n)


def spend_cap(patch: Patch) -> None:
    limit = ConnectorError("Claude's spend limit is reached.", retry_after=6 * 86_400, capped=True)
    record_failure(feed(account(), failures=2), limit, NOW)


def lease(patch: Patch) -> None:
    rented(state="stopped", seen_at=NOW - 10 * HOUR)
    where = account(slug="lambda", name="Lambda", kind="lambda")
    idle = rented(account=where, external_id="i-77", name="gpu-2", gpu="A100", price_per_hour=Decimal("1.29"))
    deployment(lease=idle)


def offer(patch: Patch) -> None:
    where = account(slug="runpod", name="RunPod", kind="runpod")
    feed(where, kind="offers")
    OfferWatch.objects.create(gpu="RTX 4090", price=Decimal("0.40"), kind="spot", region="EU")
    Offer.objects.create(
        provider="runpod", external_id="o1", kind="spot", gpu="RTX 4090", memory_gb=Decimal(24), region="EU-RO-1",
        price_per_gpu_hour=Decimal("0.3412"), reliability=0.995, seen_at=NOW,
    )  # fmt: skip


def bill_gap(patch: Patch) -> None:
    causes = (Cause("other_keys", Decimal("118.10")), Cause("price", Decimal("2.30")))
    apart = ReconciliationGap(
        "anthropic", date(2026, 10, 1), Decimal("120.40"), Decimal("1412.30"), Decimal(20), causes
    )
    patch.setattr(EvaluationContext, "bills", [apart])


def figure(patch: Patch) -> None:
    spent("15.70")
    of = {"figure": "spend", "window": "month", "scope": {"application": "support-bot"}, "side": "over", "line": "150"}
    Rule.objects.create(slug="ours", kind="figure", name="Support under $150", thresholds=of, groups=["ops"])


def system(patch: Patch) -> None:
    answer = "550 5.1.1 <olga@example.com>: no such mailbox"
    Address.objects.create(address="olga@example.com", refusals=3, disabled_at=NOW, refused_at=NOW, answer=answer)
    Channel.objects.create(
        slug="pager", name="Pager", kind="webhook", shown="https://pager.example.com/…", failures=12,
        failing_since=NOW - 3 * HOUR, answer="503 Service Unavailable", answered_at=NOW,
    )  # fmt: skip


def system_disk(patch: Patch) -> None:
    patch.setattr(EvaluationContext, "disk", Disk(100 * GB, 92 * GB, 8 * GB, 3 * GB))


def system_restarts(patch: Patch) -> None:
    ended = Restart("web", NOW - HOUR / 2, "was ended by SIGKILL", "[INFO] Started worker-1")
    patch.setattr(EvaluationContext, "restarts", {"web": [ended, replace(ended, at=NOW - HOUR / 10)]})


def system_retention(patch: Patch) -> None:
    first = date(2025, 10, 24)
    kept = ExpiringDays(400, first, 1, [first], [(first, "anthropic"), (first + DAY, "anthropic")], True)
    patch.setattr(EvaluationContext, "kept_days", lambda figures, ahead: kept)


def system_key(patch: Patch) -> None:
    for name, slug, left in (("prod", "docs-qa", 6 * DAY + 5 * HOUR), ("laptop", "code-helper", -2 * HOUR)):
        create_key(name=name, scopes=["ingest"], application=applications()[slug], expires_at=NOW + left)


def system_certificate(patch: Patch) -> None:
    deployment(tls_expires_at=NOW + 3 * DAY)
    deployment("llama-70b", tls_expires_at=NOW - 2 * HOUR)


def system_rate_limit(patch: Patch) -> None:
    deployment(vendor_limits={"tokens": {"limit": 40_000, "remaining": 1_200}}, vendor_limits_at=NOW - HOUR / 60)


def system_canary(patch: Patch) -> None:
    own, new = deployment("llama-70b"), deployment("qwen-32b", name="Qwen 32B")
    route = Route.objects.create(order=90, slug="chats", name="Chats", deployment=own, canary=new, canary_percent=5)
    RouteUse.objects.create(route=route, calls=212, failures=31, returned_at=NOW - HOUR / 6, reason="errors")


def system_caps(patch: Patch) -> None:
    Installation.objects.update_or_create(
        id=1,
        defaults={"salt": b"s", "cap_gap_since": NOW - HOUR / 4, "cap_gap_at": NOW - HOUR / 20, "cap_gap_calls": 312},
    )


def late_ingest(patch: Patch) -> None:
    sends(applications()["docs-qa"], weeks=3, requests=30, hours=range(6, 20))


def late_export(patch: Patch) -> None:
    values: dict[str, Any] = {"kind": "folder", "folder": "finance", "since": date(2026, 10, 1), "files": 6}
    full = "/exports/finance cannot be written to: No space left on device."
    ExportTarget.objects.create(name="Lake", error=full, tried_at=NOW, succeeded_at=NOW - DAY, **values)
    ExportTarget.objects.create(name="Archive", **values)
    ExportTarget.objects.update(created_at=NOW - 30 * DAY)


def late(patch: Patch) -> None:
    feed(account(), failures=3, last_error="503 from the vendor", last_success_at=NOW - 14 * HOUR)
    feed(account(slug="vast", name="Vast.ai", kind="vast"), last_success_at=NOW - 2 * HOUR)
    refused = account(slug="lambda", name="Lambda", kind="lambda", disabled_reason="The vendor refuses our key (401).")
    feed(refused, failures=9, last_error="401 Unauthorized")
    refused.enabled = False
    refused.save()


SAMPLES: dict[str, Callable[[Patch], None]] = {
    "budget": budget,
    "budget-forecast": budget_forecast,
    "burn-rate": burn_rate,
    "stage": stage,
    "phase": phase,
    "break-even": break_even,
    "outage": outage,
    "latency": latency,
    "error-rate": error_rate,
    "quality": quality,
    "anomaly": anomaly,
    "heartbeat": heartbeat,
    "unpriced": unpriced,
    "price": price,
    "retiring": retiring,
    "account": account_twice,
    "balance": balance,
    "spend-cap": spend_cap,
    "lease": lease,
    "offer": offer,
    "bill-gap": bill_gap,
    "figure": figure,
    "system": system,
    "system-disk": system_disk,
    "system-restarts": system_restarts,
    "system-retention": system_retention,
    "system-key": system_key,
    "system-certificate": system_certificate,
    "system-rate-limit": system_rate_limit,
    "system-canary": system_canary,
    "system-caps": system_caps,
    "late-ingest": late_ingest,
    "late-export": late_export,
    "late": late,
}


# What ends each of them: columns that say that all is well.
WELL: dict[type[Any], dict[str, Any]] = {
    Heartbeat: {"state": "up", "last_signal": "start"},
    Balance: {"amount": Decimal(500)},
    Feed: {"failures": 0, "last_success_at": NOW, "capped_until": None, "last_error": "", "refused": {}},
    Account: {"enabled": True, "disabled_reason": "", "new_identity": []},
    Installation: {"cap_gap_at": None},
    RouteUse: {"returned_at": None},
    ExportTarget: {"error": "", "succeeded_at": NOW},
    Anomaly: {"ended_at": NOW},
    Deployment: {"vendor_limits_at": None, "tls_expires_at": NOW + 90 * DAY},
    Outage: {"ended_at": NOW},
    Offer: {"price_per_gpu_hour": Decimal("0.44")},
    Lease: {"state": "terminated"},
    Phase: {"budget_high": 2000, "volume_from": 0, "volume_to": None},
    Stage: {"budget": 2000, "ends_on": TODAY + DAY},
    Key: {"revoked_at": NOW},
    LatencyHour: {"bucket": 300},
    Address: {"disabled_at": None, "refusals": 0},
    Channel: {"failures": 0, "failing_since": None},
    TokenPrice: {"starts_at": NOW - 100 * DAY},
}


def mended() -> None:
    TokenPrice.objects.filter(starts_at__lt=NOW - 50 * DAY).delete()
    for model, values in WELL.items():
        model._default_manager.update(**values)
    for gone in (UsageDay, UsageHour, Rating):
        gone._default_manager.all().delete()
    spent("1", days=30)
