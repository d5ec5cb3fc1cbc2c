"""Writes of accounts: settings, intervals of polls, switching on and off."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from lib.encryption import encrypt
from lib.forms import free_slug
from providers.models import Account, Feed
from providers.polling.due import ensure_feeds
from providers.polling.identity import Identified, leases_unknown
from providers.polling.refusals import take_origin


def save_account(*, account: Account, intervals: Mapping[str, int], now: datetime) -> None:
    """Store an account with its feeds; whatever was refused before is asked again at once."""
    with transaction.atomic():
        account.save()
        take_origin(account)
        ensure_feeds(account, now)
        # A new key may see what the old one did not.
        refused = account.feeds.exclude(disabled_reason="")
        refused.update(disabled_reason="", failures=0, failing_since=None, due_at=now)
        for kind, every_s in intervals.items():
            account.feeds.filter(kind=kind).exclude(every_s=every_s).update(every_s=every_s, due_at=now)


def note_identity(*, account: Account, vendor: Identified) -> None:
    """Take over, not saved yet, whose the account's key is at the vendor. Where it is another's than before, the
    account waits for a person's decision instead. Where it is unknown, the account is not verified."""
    identity = vendor.identity
    account.unverified = {"why": vendor.unknown} if vendor.unknown else {}
    if not identity:
        return
    if account.identity and not {*identity} & {*account.identity}:
        account.new_identity = list(identity)
    else:
        account.identity, account.new_identity = list(identity), []


def split_account(*, account: Account, now: datetime) -> Account:
    """Read a key that changed hands as an account of its own; the old one keeps its rows, without a key.

    Rows of two organisations in one account could not be told apart when the vendor revises them.
    """
    with transaction.atomic():
        old = Account.objects.select_for_update().get(pk=account.pk)
        new = Account(
            kind=old.kind, name=old.name, base_url=old.base_url, local=old.local, secret=old.secret,
            settings=old.settings, identity=old.new_identity, slug=free_slug(old.name, old.kind, Account),
        )  # fmt: skip
        save_account(account=new, intervals={}, now=now)
        old.enabled, old.disabled_reason, old.new_identity, old.secret = False, "", [], encrypt("")
        old.save()
        leases_unknown(old)
    return new


def poll_soon(*, account: Account, now: datetime) -> int:
    """Make every feed due that nobody polls right now, one that was refused as well; beat sees to the rest within
    seconds. Returns how many."""
    refused = Feed.objects.filter(account=account).exclude(disabled_reason="")
    refused.update(disabled_reason="", failures=0, failing_since=None)
    return Feed.objects.filter(account=account).due_now(now)


def enable_account(*, account: Account, now: datetime) -> None:
    """Poll the account again, with its count of failures at zero."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(enabled=True, disabled_reason="")
        Feed.objects.filter(account=account).update(failures=0, failing_since=None)
        poll_soon(account=account, now=now)


def disable_account(*, account: Account) -> None:
    """Stop polling the account until a person enables it again; its rows stay, its leases' state is unknown."""
    with transaction.atomic():
        Account.objects.filter(pk=account.pk).update(enabled=False, disabled_reason="")
        leases_unknown(account)
