"""What was observed before the demo began: hours of checks, outages that are over, the pod of the proof of concept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from demo import company
from demo.bills import NIGHTLY, busy_nights
from demo.company import HAIKU_4_5, MISTRAL_7B, SONNET_4_5, SONNET_5_5
from demo.jobs import past_window
from demo.story import Story, moment
from providers.models import (
    Account,
    Check,
    CheckHour,
    Deployment,
    Lease,
    LeaseSpan,
    LeaseState,
    Maintenance,
    Outage,
)
from providers.uptime.store import need_partition

CHECKS_AN_HOUR = 120
HOUR = timedelta(hours=1)
CHECKS_KEPT = timedelta(days=29)
# How long a check's liveness step takes, in milliseconds.
CHECK_MS = {MISTRAL_7B.deployment: 42.0}
CLAUDE_CHECK_MS = 118.0


def watched(story: Story) -> dict[str, date]:
    """Deployments and since when each is checked."""
    return {
        SONNET_4_5.deployment: story.first_day,
        HAIKU_4_5.deployment: story.first_day,
        SONNET_5_5.deployment: story.starts[3],
        MISTRAL_7B.deployment: story.hybrid_from,
    }


def add_checks(story: Story, now: datetime) -> None:
    """Hours of checks up to the present hour, and the outages in them; what is there already stays."""
    ids = dict(Deployment.objects.values_list("slug", "pk"))
    for slug, since in watched(story).items():
        outages = list(_outages(story, slug, now))
        planned = past_window(story) if slug == MISTRAL_7B.deployment else None
        hours = (_hour(ids[slug], slug, hour, outages, planned) for hour in _hours(since, now))
        CheckHour.objects.bulk_create(hours, batch_size=2_000, ignore_conflicts=True)
        for start, end, cause in outages:
            Outage.objects.get_or_create(
                deployment_id=ids[slug],
                started_at=start,
                defaults={"confirmed_at": start + timedelta(seconds=60), "ended_at": end, "cause": cause},
            )
            if start > now - CHECKS_KEPT:
                _single_checks(ids[slug], slug, start, end, cause)
    start, end = past_window(story)
    if end <= now:
        Maintenance.objects.get_or_create(
            deployment_id=ids[MISTRAL_7B.deployment], starts_at=start, defaults={"ends_at": end, "reason": "new engine"}
        )


def _hours(since: date, now: datetime) -> Iterator[datetime]:
    hour = moment(since, 0)
    while hour + HOUR <= now:
        yield hour
        hour += HOUR


def _outages(story: Story, slug: str, now: datetime) -> Iterator[tuple[datetime, datetime, str]]:
    """The hard failures of a deployment that were over by now."""
    for day, troubles in story.all_troubles.items():
        for trouble in troubles:
            if trouble.hard and trouble.deployment == slug and moment(day, trouble.end) <= now:
                yield moment(day, trouble.start), moment(day, trouble.end), trouble.cause


def _single_checks(pk: int, slug: str, start: datetime, end: datetime, cause: str) -> None:
    """The checks around an outage's two ends, one by one, as they are still kept."""
    every, around = timedelta(seconds=30), timedelta(minutes=5)
    moments = {start + n * every for n in range(-10, 11)} | {end + n * every for n in range(-10, 11)}
    for day in {at.date() for at in moments}:
        need_partition(moment(day, 0))
    took = CHECK_MS.get(slug, CLAUDE_CHECK_MS)
    rows = [
        Check(
            day=at.date(),
            deployment_id=pk,
            at=at,
            ok=not start <= at < end,
            step="liveness" if start <= at < end else "models",
            latency_ms=round(took * random.Random(f"{slug}{at}").uniform(0.85, 1.25), 1),
            cause=cause if start <= at < end else "",
        )
        for at in sorted(moments)
        if start - around <= at <= end + around
    ]
    Check.objects.bulk_create(rows, ignore_conflicts=True)


def _hour(
    pk: int,
    slug: str,
    hour: datetime,
    outages: list[tuple[datetime, datetime, str]],
    planned: tuple[datetime, datetime] | None,
) -> CheckHour:
    """One hour of checks; the one that was planned for maintenance counts apart."""
    if planned and planned[0] <= hour < planned[1]:
        return CheckHour(
            deployment_id=pk, hour=hour, maintenance_s=HOUR.total_seconds(), maintenance_down_s=HOUR.total_seconds() / 2
        )
    down = sum(max(timedelta(), min(end, hour + HOUR) - max(start, hour)).total_seconds() for start, end, _ in outages)
    failed = round(down / HOUR.total_seconds() * CHECKS_AN_HOUR)
    mean_ms = CHECK_MS.get(slug, CLAUDE_CHECK_MS) * random.Random(f"{slug}{hour}").uniform(0.85, 1.25)
    return CheckHour(
        deployment_id=pk,
        hour=hour,
        checks=CHECKS_AN_HOUR,
        failed=failed,
        observed_s=HOUR.total_seconds(),
        latency_sum_ms=mean_ms * (CHECKS_AN_HOUR - failed),
    )


def add_nights(story: Story) -> None:
    """What the serverless endpoint was busy for in the nights before, once a poll has found it: polls see it asleep."""
    lease = Lease.objects.filter(external_id=NIGHTLY["id"], worker_per_hour__gt=0).first()
    if lease is None:
        return
    nights = busy_nights(story)
    Lease.objects.filter(pk=lease.pk).update(started_at=min(start for start, _seconds in nights))
    for start, seconds in nights:
        LeaseSpan.objects.get_or_create(
            lease=lease,
            starts_at=start,
            defaults={
                "ends_at": start + timedelta(seconds=seconds),
                "state": LeaseState.RUNNING,
                "price_per_hour": lease.worker_per_hour,
            },
        )


def add_trial_lease(story: Story, now: datetime) -> None:
    """The pod of the proof of concept, which the vendor no longer lists: one lease with a span for each day."""
    spans = [(start, end) for pod, start, end in story.pods(now) if pod == company.TRIAL_POD_ID and end is not None]
    if not spans:
        return
    lease, _ = Lease.objects.get_or_create(
        account=Account.objects.get(slug="runpod"),
        external_id=company.TRIAL_POD_ID,
        defaults={
            "name": company.TRIAL_POD_NAME,
            "gpu": "RTX 4090",
            "memory_gb": 24,
            "price_per_hour": company.GPU_HOURLY,
            "state": LeaseState.ENDED,
            "raw_state": "TERMINATED",
            "started_at": spans[0][0],
            "ended_at": spans[-1][1],
            "seen_at": spans[-1][1],
        },
    )
    for start, end in spans:
        LeaseSpan.objects.get_or_create(
            lease=lease,
            starts_at=start,
            defaults={"ends_at": end, "state": LeaseState.RUNNING, "price_per_hour": company.GPU_HOURLY},
        )
