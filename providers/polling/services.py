"""One poll of one feed: ask within a deadline, store, and write down how it went. One failing vendor stops no other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from lib.encryption import SecretUnreadable
from lib.events import log_event, ms_since
from providers.connectors import connect
from providers.connectors.base import PERIODS, AccountConfig, Connector, ConnectorError
from providers.models import Account, Feed
from providers.polling import due, store

logger = logging.getLogger(__name__)

HISTORY = timedelta(days=365)  # what a first poll asks for
OVERLAP = timedelta(hours=3)
# However many vendors answer at once, as many of a process store at once: connections are few.
STORING = threading.BoundedSemaphore(4)


def config_of(account: Account) -> AccountConfig:
    """What a connector gets to know. Raises ConnectorError where the stored key cannot be read."""
    try:
        secret = account.secret.reveal()
    except SecretUnreadable as error:
        raise ConnectorError(str(error), permanent=True) from None
    return AccountConfig(account.base_url, secret, account.settings, local=account.local)


def try_account(account: Account) -> tuple[bool, str]:
    """Whether the vendor takes the key, and its sentence."""
    try:
        return True, within(lambda: connect(account.kind, config_of(account)).test(), 30)
    except ConnectorError as error:
        return False, error.message


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
        record_failure(feed, ConnectorError(_("Our own code failed (%s).") % type(error).__name__), timezone.now())
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


def poll_apart(feed: Feed) -> threading.Thread:
    """Poll a claimed feed in a thread of its own, which ends with the poll's deadline at the latest."""

    def run() -> None:
        try:
            poll(feed)
        finally:
            connection.close()

    thread = threading.Thread(target=run, name=f"poll-{feed}", daemon=True)
    thread.start()
    return thread


def fetch_and_store(feed: Feed, now: datetime) -> tuple[int, datetime | None]:
    account = feed.account
    connector = connect(account.kind, config_of(account))
    since = window_start(feed, connector, now)
    fetched = within(lambda: fetch(connector, feed.kind, since, now), due.DEADLINE_S)
    with STORING, transaction.atomic():
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


def within(call: Callable[[], Any], seconds: float) -> Any:
    """The call's result within a deadline by the wall clock. A call that hangs is left to its own time-outs; it holds
    nothing of ours. Raises ConnectorError."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((True, call()))
        except BaseException as error:
            outcome.append((False, error))

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    worker.join(seconds)
    if not outcome:
        raise ConnectorError(_("The vendor did not finish its answer within %d s.") % seconds)
    good, value = outcome.pop()
    if good:
        return value
    try:
        raise value
    finally:
        # An error holds the frames that it passed through. Held by one of them it would stay, with the whole answer
        # of the vendor, until garbage is looked for among everything that a worker has loaded: hours.
        del value


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
        log_event(logger, logging.WARNING, "account_switched_off", account=account.slug)
