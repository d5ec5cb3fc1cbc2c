"""Vast.ai's charges, one a contract and day in parts that may not add up to it; its invoices, which are payments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from providers.connectors.base import CostRow, PaymentRow
from providers.connectors.parse import moment, money

CATEGORY = {"gpu": "gpu", "disk": "disk", "bwd": "network", "bwu": "network"}
WITHOUT_ITEMS = {"instance": "gpu", "serverless": "gpu", "volume": "disk"}


def bill_lines(charge: dict[str, Any], day: datetime, end: datetime) -> Iterator[CostRow]:
    source = str(charge["source"])
    resource = source.removeprefix("instance-")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in charge.get("items") or []:
        sums[CATEGORY.get(item["type"], "adjustment")] += money(item["amount"], signed=True)
    rest = money(charge["amount"], signed=True) - sum(sums.values())
    if abs(rest) >= Decimal("0.000001"):  # the total counts: what its items leave out is a line as well
        sums["adjustment" if sums else WITHOUT_ITEMS.get(charge["type"], "adjustment")] += rest
    for category, amount in sums.items():
        key, words = f"{day:%Y-%m-%d}/{source}/{category}", str(charge.get("description") or "")[:200]
        yield CostRow.usd(key, day, end, category, amount, resource=resource, description=words)


def payment(invoice: dict[str, Any]) -> PaymentRow:
    """A credit is money that we paid in, and negative there. The words beside it name cards and people: left unread."""
    metadata, kind = invoice["metadata"], str(invoice["type"])
    amount = money(invoice["amount"], signed=True)
    words = f"{kind} {metadata.get('service') or ''}".strip()[:100]
    return PaymentRow(
        str(metadata["invoice_id"]), moment(invoice["start"]), -amount if kind == "credit" else amount, words
    )
