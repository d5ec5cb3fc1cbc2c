"""Whether what vendors told of their offers is of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from providers.accounts.freshness import AccountNow, account_now
from providers.models import Account


def sources(now: datetime) -> dict[str, AccountNow]:
    """By provider, the account whose offers were read last. Two statements."""
    return newest_of(account_now(account, now) for account in Account.objects.with_feeds())


def newest_of(accounts: Iterable[AccountNow]) -> dict[str, AccountNow]:
    """Of accounts that are known already, those that tell offers; of two of a provider one that is not old."""
    known: dict[str, AccountNow] = {}
    for one in accounts:
        feed = one.offers
        if feed is not None and (one.account.kind not in known or not feed.old):
            known[one.account.kind] = one
    return known


def fresh_of(known: Mapping[str, AccountNow]) -> frozenset[str]:
    """Providers whose offers were read on time."""
    return frozenset(slug for slug, one in known.items() if one.offers and not one.offers.old)
