"""One poll of one feed: ask within a deadline, store, and write down how it went. One failing vendor stops no other."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.encryption import SecretUnreadable
from lib.events import log_event, ms_since
from lib.netguard import Deadline
from providers.connectors import connect
from providers.connectors.base import PERIODS, AccountConfig, Connector, ConnectorError
from providers.models import Account, Feed
from providers.polling import due, store
from providers.polling.identity import Identified, check_identity, identified, leases_unknown

logger = logging.getLogger(__name__)

HISTORY = timedelta(days=365)  # what a first poll asks for
OVERLAP = timedelta(hours=3)
TEST_S = 30.0  # how long a person waits at most for a vendor to take a key
PLACES = threading.BoundedSemaphore(due.AT_ONCE)


def config_of(account: Account, seconds: float = due.DEADLINE_S) -> AccountConfig:
    """What a connector gets to know; it has `seconds` from now for everything that it asks. Raises ConnectorError where
    the stored key cannot be read."""
    try:
        secret = account.secret.reveal()
    except SecretUnreadable as error:
        raise ConnectorError(str(error), permanent=True) from None
    deadline = Deadline(seconds)
    return AccountConfig(account.base_url, secret, account.settings, local=account.local, deadline=deadline)


def try_key(account: Account) -> tuple[bool, str, Identified]:
    """Whether the vendor takes the key, its sentence, and whose the key is at the vendor."""
    try:
        connector = connect(account.kind, config_of(account, TEST_S))
        return True, connector.test(), identified(account, connector)
    except ConnectorError as error:
        return False, error.message, Identified()


def whose_key(account: Account) -> Identified:
    """Whose the key is, without a test of what it may do. A vendor that does not answer leaves it unknown."""
    try:
        return identified(account, connect(account.kind, config_of(account, TEST_S)))
    except ConnectorError as error:
        return Identified(unknown=error.message)


def poll(feed: Feed) -> bool:
    """Poll a claimed feed; whether it went well. Never raises for what a vendor does."""
    started = perf_counter()
    slug = feed.account.slug
    try:
        rows, complete_until = fetch_and_store(feed, timezone.now())
    except ConnectorError as error:
        # The account's page has the reason in words. They are the vendor's own in part, so they stay out of the log.
        log_event(
            logger, logging.WARNING, "poll_failed", account=slug, feed=feed.kind, failures=feed.failures + 1,
            permanent=error.permanent, partial=error.partial, capped=error.capped, retry_after_s=error.retry_after,
            ms=ms_since(started),
        )  # fmt: skip
        record_failure(feed, error, timezone.now())
        return False
    except Exception as error:
        # A defect of ours must not look like a poll that still runs.
        log_event(
            logger, logging.ERROR, "poll_crashed", exc_info=error, account=slug, feed=feed.kind, ms=ms_since(started)
        )
        record_failure(feed, ConnectorError(_("Internal error (%s).") % type(error).__name__), timezone.now())
        return False
    record_success(feed, rows, complete_until, timezone.now())
    log_event(
        logger,
        logging.INFO,
        "poll_succeeded",
        account=slug,
        feed=feed.kind,
        rows=rows,
        complete_until=complete_until,
        ms=ms_since(started),
    )
    return True


def poll_while_due(feed: Feed) -> bool:
    """Poll a claimed feed in this thread, then whatever else is due; whether there was a place for it.

    Polls take at most AT_ONCE threads of a process: vendors that hang leave the others to checks and alerts. A feed
    without a place is given back, and the first poll that ends takes it.
    """
    if not PLACES.acquire(blocking=False):
        due.give_back(feed)
        return False
    try:
        feeds = [feed]
        while feeds:
            poll(feeds[0])
            feeds = due.claim(timezone.now(), limit=1)
    finally:
        PLACES.release()
    return True


def fetch_and_store(feed: Feed, now: datetime) -> tuple[int, datetime | None]:
    account = feed.account
    connector = connect(account.kind, config_of(account))
    if feed.kind != "offers":  # a price list is nobody's
        check_identity(account, connector)
    since = window_start(feed, connector, now)
    fetched = fetch(connector, feed.kind, since, now)
    with transaction.atomic():
        match feed.kind:
            case "offers":
                rows = store.store_offers(account, fetched.rows, now)
            case "leases":
                rows = store.store_leases(account, fetched.rows, now)
            case "usage":
                rows = store.store_usage(account, fetched.rows, since, now)
            case "costs":
                rows = store.store_costs(account, fetched.rows, since, now)
            case "payments":
                rows = store.store_payments(account, fetched.rows)
            case "names":
                rows = store.store_names(account, fetched.rows, now)
            case "balance":
                return store.store_balance(account, fetched), None
            case _:
                raise ConnectorError(_("There is no feed %s.") % feed.kind, permanent=True)
    return rows, fetched.complete_until


def fetch(connector: Connector, kind: str, since: datetime, until: datetime) -> Any:
    if kind in PERIODS:
        return getattr(connector, f"fetch_{kind}")(since, until)
    return getattr(connector, f"fetch_{kind}")()


def window_start(feed: Feed, connector: Connector, now: datetime) -> datetime:
    """From where to read again: what the vendor still revises, and what was not whole the last time; whole days."""
    if feed.last_success_at is None:
        start = now - HISTORY
    else:
        whole_until = min(feed.complete_until or feed.last_success_at, feed.last_success_at) - OVERLAP
        start = min(whole_until, now - connector.reread.get(feed.kind, timedelta(0)))
    return start.replace(hour=0, minute=0, second=0, microsecond=0)


def record_success(feed: Feed, rows: int, complete_until: datetime | None, now: datetime) -> None:
    """Only by whoever holds the claim: a poll that came too late changes nothing."""
    Feed.objects.filter(pk=feed.pk, claimed_until=feed.claimed_until).update(
        claimed_until=None,
        due_at=now + timedelta(seconds=feed.every_s),
        last_success_at=now,
        last_error="",
        capped_until=None,
        disabled_reason="",
        failures=0,
        failing_since=None,
        rows=rows,
        complete_until=complete_until or F("complete_until"),
    )


def record_failure(feed: Feed, error: ConnectorError, now: datetime) -> None:
    failures = feed.failures + 1
    changed = Feed.objects.filter(pk=feed.pk, claimed_until=feed.claimed_until).update(
        claimed_until=None,
        due_at=now + due.backoff(failures, feed.every_s, error.retry_after),
        last_error=error.message,
        last_error_at=now,
        capped_until=now + timedelta(seconds=error.retry_after or feed.every_s) if error.capped else None,
        failures=failures,
        failing_since=feed.failing_since or now,
    )
    if not (changed and error.permanent and failures >= due.STRIKES):
        return
    if error.partial:
        give_up(feed, error.message)
    else:
        switch_off(feed.account, error.message)


def give_up(feed: Feed, reason: str) -> None:
    """Stop asking for what this key may not see; whatever else it may see is read on."""
    Feed.objects.filter(pk=feed.pk).update(disabled_reason=reason)
    log_event(logger, logging.WARNING, "feed_given_up", account=feed.account.slug, feed=feed.kind)


def switch_off(account: Account, reason: str) -> None:
    """Stop asking a vendor that refuses for good, until a person has changed something."""
    changed = Account.objects.filter(pk=account.pk, enabled=True).update(enabled=False, disabled_reason=reason)
    if changed:
        leases_unknown(account)
        log_event(logger, logging.WARNING, "account_switched_off", account=account.slug)
