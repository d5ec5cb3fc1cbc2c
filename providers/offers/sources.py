"""By provider, the account whose offers were read last, and whether that was on time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from providers.accounts.freshness import AccountNow
from providers.accounts.queries import accounts_now


def sources(now: datetime) -> dict[str, AccountNow]:
    """By provider, the account whose offers were read last. Two statements."""
    return newest_of(accounts_now(now))


def newest_of(accounts: Iterable[AccountNow]) -> dict[str, AccountNow]:
    """Of accounts that are known already, those that tell offers; of two of a provider one that is not old."""
    by_provider: dict[str, AccountNow] = {}
    for account in accounts:
        feed = account.offers
        if feed is not None and (account.account.kind not in by_provider or not feed.old):
            by_provider[account.account.kind] = account
    return by_provider


def fresh_of(by_provider: Mapping[str, AccountNow]) -> frozenset[str]:
    """Providers whose offers were read on time."""
    return frozenset(slug for slug, account in by_provider.items() if account.offers and not account.offers.old)
