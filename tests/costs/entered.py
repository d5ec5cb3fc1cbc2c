"""An account and charges that were manual entries."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from costs.ledger import posting as ledger
from costs.models import Charge
from providers.models import Account
from tests.costs.usage_rows import at
from tests.factories import AccountFactory, ChargeFactory, FeedFactory

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)


def account(kind: str, complete: datetime | None = None, **given: Any) -> Account:
    made = AccountFactory.create(**{"slug": f"our-{kind}", "name": f"Our {kind}", "kind": kind, **given})
    FeedFactory.create(account=made, every_s=60, due_at=NOW, complete_until=complete)
    ledger.post()
    return made


def entered(provider: str, category: str, amount: str, day: date = MAY, **given: Any) -> Charge:
    values = {"key": f"entered:{Charge.objects.count()}", "starts_at": at(day), "ends_at": at(day), **given}
    return ChargeFactory.create(
        provider=provider, category=category, amount=Decimal(amount), original_amount=Decimal(amount), day=day,
        provenance="entered", **values,
    )  # fmt: skip
