"""Reads of accounts."""

from __future__ import annotations

from datetime import datetime

from django.shortcuts import get_object_or_404

from providers.accounts.freshness import AccountNow, account_now
from providers.models import Account, RemovedAccount


def accounts_now(now: datetime) -> list[AccountNow]:
    """Every account with its feeds as they stand at `now`. Two statements."""
    return [account_now(account, now) for account in Account.objects.with_feeds()]


def account_or_404(slug: str) -> Account:
    """With its feeds."""
    return get_object_or_404(Account.objects.with_feeds(), slug=slug)


def removed_accounts() -> list[RemovedAccount]:
    """Those that can still be brought back, the newest first; without their rows."""
    return list(RemovedAccount.objects.defer("content"))


def account_named(slug: str) -> Account | None:
    return Account.objects.filter(slug=slug).first()


def unusable_providers() -> set[str]:
    """Vendors all of whose accounts are switched off or were removed, so that no work can be moved to them."""
    accounts = list(Account.objects.values_list("kind", "enabled"))
    kinds = {kind for kind, _enabled in accounts} | set(RemovedAccount.objects.values_list("kind", flat=True))
    return kinds - {kind for kind, enabled in accounts if enabled}
