"""Writes: an account goes with its rows and the ledger's lines that are made of them, and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import TruncMonth
from django.shortcuts import get_object_or_404

from costs.ledger.posting import post
from costs.models import Charge, Provenance
from providers.accounts.removal import remove_account, restore_account
from providers.models import Account, Deployment, Lease, RemovedAccount, VendorCost, VendorUsage

MADE = (Provenance.BILLED, Provenance.ESTIMATED)


@dataclass(frozen=True, slots=True)
class Brought:
    """What an account brought: rows, USD by month as (month, billed, estimated), and what only names it and stays."""

    leases: int
    bill_lines: int
    usage_rows: int
    months: list[tuple[Any, Decimal | None, Decimal | None]]
    closed_lines: int  # of months that an invoice closed
    deployments: list[str]


def made_lines(account: Account) -> Any:
    """Lines of the ledger that are made of the account's rows."""
    return Charge.objects.filter(account=account, provenance__in=MADE, closing=None)


def brought(account: Account) -> Brought:
    sums = made_lines(account).annotate(month=TruncMonth("day")).values_list("month", "provenance")
    months: dict[Any, dict[str, Decimal]] = {}
    for month, provenance, amount in sums.annotate(amount=Sum("amount")).order_by("-month"):
        months.setdefault(month, {})[provenance] = amount
    return Brought(
        leases=Lease.objects.filter(account=account).count(),
        bill_lines=VendorCost.objects.filter(account=account).count(),
        usage_rows=VendorUsage.objects.filter(account=account).count(),
        months=[(month, by.get(MADE[0]), by.get(MADE[1])) for month, by in months.items()],
        closed_lines=Charge.objects.filter(account=account).exclude(closing=None).count(),
        deployments=list(
            Deployment.objects.filter(lease__account=account).order_by("name").values_list("name", flat=True)
        ),
    )


def removed_or_404(pk: int) -> RemovedAccount:
    return get_object_or_404(RemovedAccount, pk=pk)


def remove(*, account: Account, now: datetime) -> RemovedAccount:
    """The ledger's made lines go with the rows that they are made of; entered ones and closed months stay."""
    with transaction.atomic():
        made_lines(account).update(account=None, lease=None)
        removed = remove_account(account=account, now=now)
        post()
    return removed


def restore(*, removed: RemovedAccount) -> Account | None:
    """None where another account has its name, or has brought the same, by now."""
    with transaction.atomic():
        account = restore_account(removed)
        if account is not None:
            post()
    return account
