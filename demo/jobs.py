"""The company's batch jobs, what it tells others of its uptime, and what it wrote about its outages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from demo import company
from demo.story import Story, first_weekday, moment
from providers.heartbeats.services import due_after
from providers.models import Deployment, Heartbeat, HeartbeatPing, HeartbeatSpan, Maintenance, Outage, StatusPage

INDEX, EVALUATION = "docs-index", "nightly-evaluation"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MISTRAL = company.MISTRAL_7B.deployment

# Of the two outages of our own machine, the older first: public note, our note, post-mortem.
WRITTEN = (
    (
        "A machine was restarted by its vendor; answers came from our other models meanwhile.",
        "Vendor told; nothing to do for us until the host is back.",
        "The vendor rebooted the pod's host without a notice. Requests fell back within 90 seconds; those already "
        "under way were lost.\n\nThe container had no restart policy: it starts by itself now.",
    ),
    (
        "One of our models ran out of memory and was restarted.",
        "",
        "Three long prompts at once filled the GPU's memory. The engine's limit of tokens under way is lower now.",
    ),
)


def add_jobs(story: Story, now: datetime) -> None:
    """Two batch jobs with their history, a status page, and words on past outages; what is there stays."""
    since = moment(story.hybrid_from, 9 * 3_600_000)
    last_night = now.replace(hour=3, minute=12, second=0, microsecond=0)
    last_night -= DAY if last_night > now else timedelta()
    index = add_job(INDEX, "Documentation index", since, now - 3 * MINUTE, 5 * MINUTE, 41.0, period_s=300, grace_s=600)
    evaluation = add_job(
        EVALUATION, "Nightly evaluation", since, last_night, DAY, 704.0, schedule="cron", cron="0 3 * * *", grace_s=3600
    )
    silences = (
        (index, now - 33 * DAY, 2 * HOUR, "No ping came in time."),
        (evaluation, last_night - 12 * DAY + 48 * MINUTE, 5 * HOUR, "No ping came in time."),
        (evaluation, last_night - 26 * DAY, DAY - 12 * MINUTE, "The job said that it failed."),
    )
    for heartbeat, start, lasted, cause in silences:
        # What lies before the job's first ping was not watched, and what was told at an earlier start stays.
        if heartbeat is not None and start > since:
            HeartbeatSpan.objects.create(
                heartbeat=heartbeat, kind="down", started_at=start, ended_at=start + lasted, cause=cause
            )
    write_outages()
    plan_maintenance(now)
    open_page()


def add_job(
    slug: str, name: str, since: datetime, last: datetime, every: timedelta, run_s: float, **facts: object
) -> Heartbeat | None:
    """A job with its last ten pings, or None where it is there already."""
    known = {"name": name, "state": "up", "state_since": since, "watched_since": since, "last_signal": "success"}
    job, made = Heartbeat.objects.get_or_create(
        slug=slug, defaults=known | {"last_ping_at": last, "last_run_s": run_s} | facts
    )
    if not made:
        return None
    job.due_at = due_after(job, last)
    job.save(update_fields=["due_at"])
    for n in range(9, -1, -1):
        at, agent = last - n * every, "curl/8.14.1"
        ping = {"heartbeat": job, "method": "GET", "agent": agent}
        HeartbeatPing.objects.create(at=at - timedelta(seconds=run_s + n), signal="start", **ping)
        HeartbeatPing.objects.create(at=at, signal="success", run_s=run_s + n, **ping)
    return job


def write_outages() -> None:
    """What people wrote of the failures of our own machine."""
    outages = Outage.objects.filter(deployment__slug=MISTRAL, post_mortem="", public_note="").order_by("started_at")
    for outage, (public, note, learnt) in zip(outages, WRITTEN, strict=False):
        outage.public_note, outage.note, outage.post_mortem = public, note, learnt
        outage.save(update_fields=["public_note", "note", "post_mortem"])


def plan_maintenance(now: datetime) -> None:
    """A window in some days, so that a newcomer sees what one looks like."""
    mistral = Deployment.objects.get(slug=MISTRAL)
    starts_at = now.replace(hour=4, minute=0, second=0, microsecond=0) + 3 * DAY
    reason = "CUDA driver update"
    if not mistral.maintenance.filter(reason=reason, starts_at__gt=now - 7 * DAY).exists():
        Maintenance.objects.create(deployment=mistral, starts_at=starts_at, ends_at=starts_at + HOUR, reason=reason)


def past_window(story: Story) -> tuple[datetime, datetime]:
    """The window of this month, on its first Sunday: half an hour of it the machine did not answer."""
    start = moment(first_weekday(story.starts[5], 6), 4 * 3_600_000)
    return start, start + HOUR


def open_page() -> None:
    """One status page that everybody may see."""
    page, made = StatusPage.objects.get_or_create(
        slug="models",
        defaults={"title": "Model services", "access": "public", "intro": "What our assistants are built on."},
    )
    if made:
        shown = (company.SONNET_5_5.deployment, company.HAIKU_4_5.deployment, MISTRAL)
        page.deployments.set(Deployment.objects.filter(slug__in=shown))
        page.heartbeats.set(Heartbeat.objects.filter(slug=INDEX))


def ping_jobs(ask: Callable[[str], object], now: datetime) -> None:
    """Let the jobs ping that are due, over HTTP as a cron's curl does; the index as often as this is called."""
    for job in due_jobs(now):
        ask(f"/ping/{job.ping_id}")


def due_jobs(now: datetime) -> Iterator[Heartbeat]:
    for job in Heartbeat.objects.not_deleted().filter(slug__in=(INDEX, EVALUATION), paused=False):
        if job.slug == INDEX or job.due_at is None or job.due_at - timedelta(seconds=job.grace_s) <= now:
            yield job
