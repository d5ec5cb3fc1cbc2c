"""Checks are kept 30 days one by one, their hours for good; what a person deleted can be brought back for a day.

An offer that is gone leaves its price in the history by day, which goes back two years.
"""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta

import psycopg
from django.db import connection

from lib.events import log_event
from lib.partitions import drop_partition, existing_days, make_partitions
from providers.models import Heartbeat, Offer, OfferDay, OfferWatch, RemovedAccount, StatusPage

logger = logging.getLogger(__name__)

TABLE = "providers_check"
KEPT_DAYS = 30
AHEAD = 7
UNDO_FOR = timedelta(days=1)
GONE_OFFERS_FOR, OFFER_DAYS_FOR = timedelta(days=30), timedelta(days=730)


def rotate_check_partitions(today: date) -> int:
    """Make the week ahead and drop days past their time; returns how many partitions went."""
    connection.ensure_connection()
    conn: psycopg.Connection = connection.connection
    make_partitions(conn, TABLE, [today + timedelta(days=n) for n in range(AHEAD + 1)])
    old = [day for day in existing_days(conn, TABLE) if day < today - timedelta(days=KEPT_DAYS)]
    for day in old:
        drop_partition(conn, TABLE, day)
    if old:
        log_event(logger, logging.INFO, "check_days_dropped", days=len(old), newest=max(old))
    return len(old)


def purge_deleted(now: datetime) -> int:
    """Remove for good what was deleted longer ago than it can be brought back; returns how many things."""
    old = now - UNDO_FOR
    pages, _by_model = StatusPage.objects.filter(deleted_at__lt=old).delete()
    beats, _by_model = Heartbeat.objects.filter(deleted_at__lt=old).delete()
    watches, _by_model = OfferWatch.objects.filter(deleted_at__lt=old).delete()
    accounts, _by_model = RemovedAccount.objects.filter(removed_at__lt=old).delete()
    purged = pages + beats + watches + accounts
    if purged:
        log_event(logger, logging.INFO, "deleted_rows_purged", rows=purged)
    return purged


def purge_offers(now: datetime) -> int:
    """Offers that nobody has seen for a month, and the oldest days of their history; returns how many rows.

    On a market each machine is an offer of its own with an id of its own, so that thousands come and go.
    """
    gone = Offer.objects.filter(available=False, seen_at__lt=now - GONE_OFFERS_FOR)._raw_delete(Offer.objects.db)
    old = OfferDay.objects.filter(day__lt=(now - OFFER_DAYS_FOR).date())
    offers, days = int(gone), int(old._raw_delete(old.db))
    if offers or days:
        log_event(logger, logging.INFO, "offers_purged", offers=offers, days=days)
    return offers + days
