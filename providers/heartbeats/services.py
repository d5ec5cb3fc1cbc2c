"""Batch jobs that ping us: what each ping means, when the next one is due, and what silence means."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from django.db import transaction
from django.utils.translation import gettext as _

from lib.events import log_event
from lib.soft_delete import undelete
from providers.models import Heartbeat, HeartbeatPing, HeartbeatSpan, HeartbeatState, Signal

logger = logging.getLogger(__name__)

PINGS_KEPT = 100
MESSAGE_KEPT = 1000


class BadCron(ValueError):
    """A cron schedule that cannot be read or never comes; the text says why."""


# When the next ping is due. Pure.


def next_run(cron: str, zone: str, after: datetime) -> datetime:
    """The first moment of a cron schedule after another moment, UTC. Raises BadCron."""
    fields = cron.split()
    if len(fields) != 5:
        raise BadCron(_("Enter five fields: minute, hour, day of month, month, day of week."))
    minute, hour, day, month, weekday = fields
    here = ZoneInfo(zone)
    try:
        # Sunday is 0 or 7 to cron, and 0 to Celery.
        schedule = crontab(minute, hour, re.sub(r"\b7$", "0", weekday), day, month)
        last, delta, _now = schedule.remaining_delta(after.astimezone(here), tz=here)
    except (ParseException, ValueError, KeyError, RuntimeError) as error:
        raise BadCron(_("This schedule is invalid or never runs: %(why)s.") % {"why": error}) from error
    next_at: datetime = last + delta
    return next_at.astimezone(UTC)


def due_after(heartbeat: Heartbeat, moment: datetime) -> datetime:
    """When a job that ran or was set up at a moment is late, grace included."""
    grace = timedelta(seconds=heartbeat.grace_s)
    if heartbeat.schedule == Heartbeat.Schedule.CRON:
        return next_run(heartbeat.cron, heartbeat.time_zone, moment) + grace
    return moment + timedelta(seconds=heartbeat.period_s) + grace


# Pings.


def ping(
    *, ping_id: uuid.UUID, signal: Signal, now: datetime, method: str = "GET", agent: str = "", message: str = ""
) -> bool:
    """Take one ping in; False where no heartbeat has this address."""
    with transaction.atomic():
        heartbeat = Heartbeat.objects.not_deleted().select_for_update().filter(ping_id=ping_id).first()
        if heartbeat is None:
            return False
        run_s = _run_s(heartbeat, signal, now)
        HeartbeatPing.objects.create(
            heartbeat=heartbeat,
            at=now,
            signal=signal,
            method=method,
            agent=agent[:200],
            message=message[:MESSAGE_KEPT],
            run_s=run_s,
        )
        _forget_old_pings(heartbeat)
        _apply(heartbeat, signal, run_s, now)
        heartbeat.save()
    return True


def _run_s(heartbeat: Heartbeat, signal: Signal, now: datetime) -> float | None:
    began = heartbeat.running_since
    return (now - began).total_seconds() if began is not None and signal != Signal.START else None


def _forget_old_pings(heartbeat: Heartbeat) -> None:
    old = list(heartbeat.pings.values_list("pk", flat=True)[PINGS_KEPT : PINGS_KEPT + 1])
    if old:
        heartbeat.pings.filter(pk__lte=old[0]).delete()


def _apply(heartbeat: Heartbeat, signal: Signal, run_s: float | None, now: datetime) -> None:
    """What a ping changes. A paused heartbeat logs it and stays paused."""
    heartbeat.last_signal = signal
    heartbeat.watched_since = heartbeat.watched_since or now
    if signal == Signal.START:
        heartbeat.running_since = now
        # It must end within its grace; an end that is due before stays due.
        ends = now + timedelta(seconds=heartbeat.grace_s)
        heartbeat.due_at = min(heartbeat.due_at or ends, ends)
        return
    heartbeat.last_ping_at, heartbeat.running_since, heartbeat.last_run_s = now, None, run_s
    heartbeat.due_at = due_after(heartbeat, now)
    if heartbeat.paused:
        return
    if signal == Signal.FAIL:
        _go_down(heartbeat, now, _("The job reported a failure."))
    else:
        _come_up(heartbeat, now)


def _go_down(heartbeat: Heartbeat, at: datetime, cause: str) -> None:
    if heartbeat.state == HeartbeatState.DOWN:
        return
    heartbeat.state, heartbeat.state_since = HeartbeatState.DOWN, at
    HeartbeatSpan.objects.create(heartbeat=heartbeat, kind=HeartbeatSpan.Kind.DOWN, started_at=at, cause=cause)
    log_event(
        logger,
        logging.WARNING,
        "heartbeat_down",
        heartbeat=heartbeat.slug,
        since=at,
        signal=heartbeat.last_signal or None,
    )


def _come_up(heartbeat: Heartbeat, at: datetime) -> None:
    if heartbeat.state == HeartbeatState.UP:
        return
    was = heartbeat.state
    heartbeat.state, heartbeat.state_since = HeartbeatState.UP, at
    _end(heartbeat, HeartbeatSpan.Kind.DOWN, at)
    log_event(logger, logging.INFO, "heartbeat_up", heartbeat=heartbeat.slug, before=was)


def _end(heartbeat: Heartbeat, kind: HeartbeatSpan.Kind, at: datetime) -> None:
    heartbeat.spans.filter(kind=kind, ended_at=None).update(ended_at=at)


# Silence.


def judge(*, now: datetime) -> int:
    """Take down what is overdue at `now`; returns how many that were."""
    with transaction.atomic():
        overdue = list(Heartbeat.objects.overdue(now).select_for_update(skip_locked=True))
        for heartbeat in overdue:
            assert heartbeat.due_at is not None, "overdue() asks for it"
            _go_down(heartbeat, heartbeat.due_at, silence(heartbeat))
            heartbeat.save(update_fields=["state", "state_since"])
    return len(overdue)


def silence(heartbeat: Heartbeat) -> str:
    """Why an overdue heartbeat is down."""
    if heartbeat.running_since is not None:
        return _("It started but sent no finish ping within its grace period.")
    if heartbeat.last_ping_at is None:
        return _("No ping since the job was added.")
    return _("No ping arrived in time.")


# Settings.


def save_heartbeat(*, heartbeat: Heartbeat, now: datetime) -> None:
    """Store a heartbeat as a form says; a schedule that is wider now forgives a silence, one after a failure not."""
    with transaction.atomic():
        if heartbeat.pk and heartbeat.last_ping_at is not None and heartbeat.running_since is None:
            heartbeat.due_at = due_after(heartbeat, heartbeat.last_ping_at)
            if heartbeat.last_signal == Signal.SUCCESS and not heartbeat.paused and heartbeat.due_at > now:
                _come_up(heartbeat, now)
        heartbeat.save()


def pause(*, heartbeat: Heartbeat, now: datetime) -> None:
    """Watch it no more until somebody resumes it; the time between is neither good nor bad."""
    with transaction.atomic():
        row = Heartbeat.objects.select_for_update().get(pk=heartbeat.pk)
        if row.paused:
            return
        _end(row, HeartbeatSpan.Kind.DOWN, now)
        HeartbeatSpan.objects.create(heartbeat=row, kind=HeartbeatSpan.Kind.PAUSED, started_at=now)
        row.paused, row.state, row.state_since = True, HeartbeatState.NEW, now
        row.save(update_fields=["paused", "state", "state_since"])


def resume(*, heartbeat: Heartbeat, now: datetime) -> None:
    """Watch it again from now on: a job that never comes back is found."""
    with transaction.atomic():
        row = Heartbeat.objects.select_for_update().get(pk=heartbeat.pk)
        if not row.paused:
            return
        _end(row, HeartbeatSpan.Kind.PAUSED, now)
        row.paused, row.running_since, row.due_at = False, None, due_after(row, now)
        row.save(update_fields=["paused", "running_since", "due_at"])


def undelete_heartbeat(*, heartbeat: Heartbeat, now: datetime) -> bool:
    """Undo a deletion; False where another heartbeat has its short name by now."""
    if heartbeat.due_at is not None:
        heartbeat.due_at = due_after(heartbeat, now)  # pings of the meantime reached nobody
    return undelete(row=heartbeat)
