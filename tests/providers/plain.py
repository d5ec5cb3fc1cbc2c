"""Vendors' things as plain objects, without a database: leases, balances, accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from providers.accounts.freshness import AccountNow, FeedNow
from providers.leases.queries import LeaseNow, Runway
from providers.models import (
    Account,
    Balance,
    Feed,
    Lease,
)

NOW = timezone.now()
TWO_HOURS_AGO = NOW - timedelta(hours=2, minutes=1)
NOON = datetime(2025, 6, 18, 12, tzinfo=UTC)


def lease(**more: Any) -> Lease:
    fields: dict[str, Any] = {
        "name": "pod-1",
        "account": Account(name="RunPod", kind="runpod", slug="runpod"),
        "gpu": "L4",
        "gpu_count": 2,
        "price_per_hour": Decimal("0.5"),
        "state": "running",
        "started_at": NOON,
        "seen_at": TWO_HOURS_AGO,
        "utilisation": 0.9,
        "kind": "on_demand",
    }
    return Lease(**(fields | more))


def rented(row: Lease | None = None, **more: Any) -> LeaseNow:
    figures: dict[str, Any] = {
        "lease": row or lease(),
        "hours": Decimal("12.5"),
        "cost": Decimal("6.25"),
        "month_cost": Decimal(5),
        "month_end": Decimal(70),
        "stopped_since": None,
    }
    return LeaseNow(**(figures | more))


STOPPED = rented(lease(state="stopped", name="pod-2"))
UNPRICED = rented(lease(state="stopped", name="pod-3", price_per_hour=Decimal(0)))
ENDED = rented(lease(ended_at=NOON + timedelta(days=1)), month_end=None)


def runway(amount: str, per_hour: str, left: timedelta | None) -> Runway:
    balance = Balance(account=Account(name="Vast"), amount=Decimal(amount), at=NOW)
    return Runway(balance, Decimal(per_hour), False, NOON + left if left else None, False, left)


def feed(*, old: bool = False, state: str = "ok", read: bool = True, refused: bool = False) -> FeedNow:
    row = Feed(
        kind="offers", last_success_at=TWO_HOURS_AGO if read else None, due_at=NOW + timedelta(minutes=5, seconds=9)
    )
    row.disabled_reason = "403" if refused else ""
    return FeedNow(row, state, old)


def account_now(state: str, *feeds: FeedNow, **more: Any) -> AccountNow:
    row = Account(**({"name": "Vast", "kind": "vast", "slug": "vast", "enabled": True} | more))
    return AccountNow(row, feeds, state)
