"""What the pages of heartbeats say: whether our batch jobs ran, and how one of them stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, when
from lib.forms import length
from providers.heartbeats.report import HeartbeatNow, spans_of, uptime_of
from providers.models import Heartbeat, HeartbeatPing, HeartbeatSpan
from providers.uptime import page as uptime_page

DAYS = 90


@dataclass(frozen=True, slots=True)
class HeartbeatsPage:
    """Every heartbeat, the worst first."""

    beats: Sequence[HeartbeatNow]

    def answer(self) -> str:
        total = len(self.beats)
        if not total:
            return _("No batch job sends pings yet.")
        down = [beat for beat in self.beats if beat.state == "down"]
        good = sum(beat.state == "up" for beat in self.beats)
        if len(down) == 1:
            missing = down[0].heartbeat
            text = _("<b>{name}</b> has been missing since {since}.")
            return format_html(text, name=missing.name, since=when(missing.state_since))
        if down:
            text = _("<b>{n} of {total} batch jobs</b> are late or failed.")
            return format_html(text, n=len(down), total=total)
        if good == total:
            text = ngettext("The one batch job ran on time.", "<b>{n} of {n} batch jobs</b> ran on time.", total)
            return format_html(text, n=total)
        text = _("<b>{n} of {total}</b> batch jobs ran on time. No other is late.")
        return format_html(text, n=good, total=total)

    def headline(self) -> str:
        n = len(self.beats)
        if not n:
            return _("Add your first batch job")
        return ngettext("1 job", "%(n)s jobs, problems first", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class HeartbeatPage:
    """One heartbeat with what it missed and its latest pings; `beat` is None of one that is being added."""

    beat: HeartbeatNow | None
    spans: Sequence[HeartbeatSpan]
    pings: Sequence[HeartbeatPing]

    def title(self) -> str:
        return self.beat.heartbeat.name if self.beat else _("Add a batch job")

    def answer(self) -> str:
        if self.beat is None:
            return _("A batch job has its own address. It sends a ping there after each run.")
        row = self.beat.heartbeat
        if row.paused:
            text = _("<b>{name}</b> is paused since {since}. No pings are expected.")
        elif self.beat.state == "down" and row.last_signal == "fail":
            text = _("<b>{name}</b> reported a failure {ago}.")
        elif self.beat.state == "down":
            text = _("<b>{name}</b> is late: its ping was due by {due}.")
        elif not row.last_ping_at:
            text = _("<b>{name}</b> is waiting for its first ping.")
        elif row.running_since:
            text = _("<b>{name}</b> started {began} and must end by {due}.")
        else:
            text = _("<b>{name}</b> is on time. Last ping {ago}, next due by {due}.")
        values = {"since": ago(row.state_since), "ago": ago(row.last_ping_at), "began": ago(row.running_since)}
        return format_html(text, name=row.name, due=when(row.due_at), **values)

    def form_headline(self) -> str:
        return _("Schedule") if self.beat else _("Name and schedule")

    def watched_headline(self) -> str:
        return _("Paused") if self.beat and self.beat.heartbeat.paused else _("Watched")

    def missed_headline(self) -> str:
        return _("Missed pings in 90 days") if self.spans else _("No missed pings in 90 days")

    def pings_headline(self) -> str:
        n = len(self.pings)
        if not n:
            return _("No pings yet")
        return ngettext("Last ping", "Last %(n)s pings", n) % {"n": n}


def days_until(now: datetime) -> Any:
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return uptime_page.days_of(midnight - timedelta(days=DAYS - 1), now)


def rows_of(beats: list[HeartbeatNow], now: datetime) -> list[dict[str, Any]]:
    days = days_until(now)
    spans = spans_of([beat.heartbeat for beat in beats], now - timedelta(days=DAYS))
    rows = []
    for beat in beats:
        figures = uptime_of(beat.heartbeat, spans.get(beat.heartbeat.pk, ()), days, now)
        rows.append(
            {
                "beat": beat,
                "expected": expected(beat.heartbeat),
                "uptime": figures.uptime,
                "missed": missed(len(figures.outages)),
                "cells": uptime_page.cells(figures, days, (), now),
                "label": _("%(name)s, one cell a day") % {"name": beat.heartbeat.name},
            }
        )
    return rows


def expected(heartbeat: Heartbeat) -> str:
    """`every 1 d` or the cron line."""
    if heartbeat.schedule == Heartbeat.Schedule.CRON:
        return _("%(cron)s (%(zone)s)") % {"cron": heartbeat.cron, "zone": heartbeat.time_zone}
    return _("every %(length)s") % {"length": length(heartbeat.period_s)}


def missed(n: int) -> str:
    return ngettext("1 missed", "%(n)s missed", n) % {"n": n}
