"""How heartbeats stand now and over some days, in the shapes of the deployments' uptime. Pure but for one read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from django.utils.translation import gettext as _

from lib.dates import DAY
from lib.time_spans import Span, overlap_s, without
from providers.models import Heartbeat, HeartbeatSpan, HeartbeatState
from providers.uptime.report import DeploymentUptime, OutageSpan, UptimeDay, share


@dataclass(frozen=True, slots=True)
class HeartbeatNow:
    """A heartbeat at one moment; `state` is a deployment's word, `mark` how it is shown."""

    heartbeat: Heartbeat
    state: str
    mark: str
    word: str


def beat_now(heartbeat: Heartbeat, now: datetime) -> HeartbeatNow:
    """One whose time has passed is late, whether or not the clock's task has seen that."""
    if heartbeat.paused:
        return HeartbeatNow(heartbeat, "unknown", "unknown", _("paused"))
    late = heartbeat.due_at is not None and heartbeat.due_at <= now
    if heartbeat.state == HeartbeatState.DOWN or late:
        return HeartbeatNow(heartbeat, "down", "bad", _("failed") if heartbeat.last_signal == "fail" else _("missed"))
    if heartbeat.running_since is not None:
        return HeartbeatNow(heartbeat, "up", "info", _("running"))
    if heartbeat.state == HeartbeatState.UP:
        return HeartbeatNow(heartbeat, "up", "ok", _("on time"))
    return HeartbeatNow(heartbeat, "unknown", "unknown", _("waiting"))


def spans_of(heartbeats: Sequence[Heartbeat], start: datetime) -> dict[int, list[HeartbeatSpan]]:
    """What touches the time since a moment, newest first."""
    by_heartbeat: defaultdict[int, list[HeartbeatSpan]] = defaultdict(list)
    rows = HeartbeatSpan.objects.filter(heartbeat__in=heartbeats).exclude(ended_at__lte=start)
    for row in rows.order_by("-started_at"):
        by_heartbeat[row.heartbeat_id].append(row)
    return by_heartbeat


def uptime_of(
    heartbeat: Heartbeat, spans: Sequence[HeartbeatSpan], days: Sequence[date], now: datetime
) -> DeploymentUptime:
    """A heartbeat over some days: the time since its first ping, without what was paused, less what was missed."""
    down = [OutageSpan(s.started_at, s.ended_at, s.cause) for s in spans if s.kind == HeartbeatSpan.Kind.DOWN]
    paused = [Span(s.started_at, s.ended_at or now) for s in spans if s.kind == HeartbeatSpan.Kind.PAUSED]
    began = heartbeat.watched_since or now
    watched = without([Span(began, now)], paused)
    missed = without([span.span(now) for span in down], paused)
    figures = [_day(day, watched, missed) for day in days]
    return DeploymentUptime(
        slug=heartbeat.slug,
        name=heartbeat.name,
        engine="",
        state=heartbeat.state,
        uptime=share(sum(day.observed_s for day in figures), sum(day.down_s for day in figures)),
        checks=0,
        failed=0,
        outages=down,
        days=figures,
    )


def _day(day: date, watched: Sequence[Span], missed: Sequence[Span]) -> UptimeDay:
    start = datetime.combine(day, time(), UTC)
    whole = Span(start, start + DAY)
    return UptimeDay(day, observed_s=overlap_s(watched, whole), down_s=overlap_s(missed, whole))
