"""What beat and the workers run for the providers; each task is one call of a service."""

from __future__ import annotations

import logging
from datetime import UTC, timedelta

from celery import shared_task
from django.utils import timezone

from lib.events import log_event
from providers.audit import chain as audit_chain
from providers.audit import head
from providers.engine_metrics import series as engine_series
from providers.heartbeats import services as heartbeats
from providers.models import Feed
from providers.polling import due
from providers.polling.services import poll_while_due
from providers.pricing import unit_feed
from providers.uptime import due_checks, retention

logger = logging.getLogger(__name__)


@shared_task(ignore_result=True)
def check_due() -> int:
    """Check the deployments that are due."""
    return due_checks.check_due(now=timezone.now())


@shared_task(ignore_result=True)
def poll_due() -> int:
    """Claim as many feeds that are due as may be polled at once, and fan them out; the polls go on with the rest. One
    that waits longer than its claim is dropped, not piled up."""
    feeds = due.claim(timezone.now(), limit=due.AT_ONCE)
    for feed in feeds:
        assert feed.claimed_until is not None, "claim() sets it"
        poll_feed.apply_async((feed.pk, feed.claimed_until.isoformat()), expires=due.CLAIM_S)
    return len(feeds)


@shared_task(ignore_result=True)
def poll_feed(pk: int, claimed_until: str) -> bool:
    """Poll one feed, if the claim that it was queued with still holds, and then what else is due."""
    feed = Feed.objects.select_related("account").filter(pk=pk, claimed_until=claimed_until).first()
    if feed is None:
        # The queue was slower than the claim lasts: another worker polls it by now.
        log_event(logger, logging.WARNING, "poll_dropped", feed_id=pk)
        return False
    return poll_while_due(feed)


@shared_task(ignore_result=True)
def seal_audit_log() -> int:
    """Entries whose process ended before it could give them their place, and a note of how far the chain has come."""
    sealed = audit_chain.seal_since(timezone.now() - timedelta(days=1))
    head.note_growth()
    return sealed


@shared_task(ignore_result=True)
def keep_checks() -> int:
    """Partitions of checks: a week ahead, and 30 days back."""
    return retention.rotate_check_partitions(timezone.now().date())


@shared_task(ignore_result=True)
def prune_engine_series() -> int:
    """Minutes of engines a day back, hours a month, days a year."""
    return engine_series.prune(timezone.now())


@shared_task(ignore_result=True)
def judge_heartbeats() -> int:
    """Jobs that should have pinged and did not."""
    return heartbeats.judge(now=timezone.now())


@shared_task(ignore_result=True)
def forget_deleted() -> int:
    """Heartbeats and status pages that were deleted and not brought back in time."""
    return retention.purge_deleted(timezone.now())


@shared_task(ignore_result=True)
def forget_offers() -> int:
    """Offers that are gone, and what is too old of their history."""
    return retention.purge_offers(timezone.now())


@shared_task(ignore_result=True)
def feed_book() -> int:
    """Live prices of the days that are over, into the price book."""
    now = timezone.now()
    return unit_feed.feed_book(now, now.astimezone(UTC).date())
