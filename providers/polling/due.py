"""The due-queue: feeds are claimed by one worker, polled once, and due again by their interval or a back-off."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from providers.connectors import CONNECTORS, connector_class
from providers.models import Account, Feed

AT_ONCE = 8  # polls of one process; the worker has 14 threads
DEADLINE_S = 120  # of one poll, by the clock on the wall
CLAIM_S = DEADLINE_S + 30
LONGEST_BACKOFF_S = 3600
STRIKES = 3  # permanent errors in a row after which an account is switched off: vendors have bad minutes too


def ensure_feeds(account: Account, now: datetime) -> None:
    """Give an account the feeds of its connector; intervals that a person changed stay."""
    feeds = connector_class(account.kind).feeds
    Feed.objects.bulk_create(
        (Feed(account=account, kind=kind, every_s=every_s, due_at=now) for kind, every_s in feeds.items()),
        ignore_conflicts=True,
    )
    account.feeds.exclude(kind__in=feeds).delete()


def claim(now: datetime, limit: int = 100, account: Account | None = None) -> list[Feed]:
    """Feeds that are due, now ours until the claim runs out; rows that another worker looks at are passed over.

    A feed that the vendor refuses for good is left out. With an account: all its feeds, due or not, refused or not, but
    for those that somebody polls right now.
    """
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    wanted = Feed.objects.filter(free, account__enabled=True, account__kind__in=CONNECTORS)
    wanted = wanted.filter(account=account) if account else wanted.filter(due_at__lte=now, disabled_reason="")
    with transaction.atomic():
        feeds = list(wanted.order_by("due_at").select_for_update(skip_locked=True, of=("self",))[:limit])
        until = now + timedelta(seconds=CLAIM_S)
        Feed.objects.filter(pk__in=[feed.pk for feed in feeds]).update(claimed_until=until, last_started_at=now)
    for feed in feeds:
        feed.claimed_until, feed.last_started_at = until, now
    return feeds


def give_back(feed: Feed) -> None:
    """End a claim without a poll: the feed is due as it was."""
    Feed.objects.filter(pk=feed.pk, claimed_until=feed.claimed_until).update(claimed_until=None)


def backoff(failures: int, every_s: int, retry_after: float | None) -> timedelta:
    """How long to wait after a failure: doubling from a minute, 20 % of chance, never less than the vendor asked for.

    At most the feed's own interval, or an hour: asking as often as in good days burdens nobody, and whoever answers
    well again is read within two intervals however long it did not.
    """
    wait = min(min(every_s, 60) * 2 ** min(failures - 1, 12), every_s, LONGEST_BACKOFF_S)
    wait *= random.uniform(0.9, 1.1)
    return timedelta(seconds=max(wait, retry_after or 0))
