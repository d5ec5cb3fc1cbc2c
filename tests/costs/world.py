"""A company of two months: bills, a pod, a manual entry and a model without a price."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from providers.models import Account, VendorUsage
from tests.costs.usage_rows import at
from tests.factories import FeedFactory, VendorCostFactory


def watermark(account: Account, until: datetime, *kinds: str) -> None:
    for kind in kinds:
        FeedFactory.create(
            account=account, kind=kind, every_s=60, due_at=until, complete_until=until, last_success_at=until
        )


def bill(account: Account, day: date) -> None:
    """100 output tokens of ours and 30 of a console at 10 USD a million."""
    for key, tokens in (("k1", 100), ("", 30)):
        VendorUsage.objects.create(
            account=account, starts_at=at(day), ends_at=at(day, 1), model="claude-sonnet-5-5", api_key=key,
            service_tier="standard", requests=tokens // 10, output=tokens,
        )  # fmt: skip
    VendorCostFactory.create(
        account=account, external_id="1", starts_at=at(day), ends_at=at(day, 23), category="tokens",
        amount=Decimal("0.0013"), original_amount=Decimal("0.13"), model="claude-sonnet-5-5", token_class="output",
    )  # fmt: skip


def last_month() -> str:
    return f"{datetime.now(UTC).date().replace(day=1) - timedelta(days=1):%Y-%m}"
