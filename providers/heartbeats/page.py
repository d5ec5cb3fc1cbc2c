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
from providers.heartbeats.forms import length
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
            return _("No batch job tells us yet when it ran.")
        down = [beat for beat in self.beats if beat.state == "down"]
        good = sum(beat.state == "up" for beat in self.beats)
        if len(down) == 1:
            missing = down[0].heartbeat
            text = _("<b>{name}</b> has been missing since {since}.")
            return format_html(text, name=missing.name, since=when(missing.state_since))
        if down:
            text = _("<b>{n} of {total} batch jobs</b> missed their time or failed.")
            return format_html(text, n=len(down), total=total)
        if good == total:
            text = ngettext("The one batch job ran on time.", "All <b>{n} batch jobs</b> ran on time.", total)
            return format_html(text, n=total)
        text = _("<b>{n} of {total}</b> batch jobs ran on time; nothing is known to be missing.")
        return format_html(text, n=good, total=total)

    def headline(self) -> str:
        n = len(self.beats)
        if not n:
            return _("Begin with one job")
        return ngettext("One job that pings", "%(n)s jobs that ping, the worst first", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class HeartbeatPage:
    """One heartbeat with what it missed and its latest pings; `beat` is None of one that is being added."""

    beat: HeartbeatNow | None
    spans: Sequence[HeartbeatSpan]
    pings: Sequence[HeartbeatPing]

    def title(self) -> str:
        return self.beat.heartbeat.name if self.beat else _("Add a batch job")

    def question(self) -> str:
        if self.beat:
            return _("Did this job run, and when is it expected?")
        return _("Which job, and how often?")

    def answer(self) -> str:
        if self.beat is None:
            return _("A new batch job gets an address of its own; whoever asks it says that the job ran.")
        row = self.beat.heartbeat
        if row.paused:
            text = _("<b>{name}</b> was paused {since}: nobody waits for its pings.")
        elif self.beat.state == "down" and row.last_signal == "fail":
            text = _("<b>{name}</b> said {ago} that it failed.")
        elif self.beat.state == "down":
            text = _("<b>{name}</b> did not ping in time: it was due by {due}.")
        elif not row.last_ping_at:
            text = _("<b>{name}</b> has not pinged yet; from its first ping on it is expected.")
        elif row.running_since:
            text = _("<b>{name}</b> started {began} and must end by {due}.")
        else:
            text = _("<b>{name}</b> last pinged {ago}; it is late after {due}.")
        values = {"since": ago(row.state_since), "ago": ago(row.last_ping_at), "began": ago(row.running_since)}
        return format_html(text, name=row.name, due=when(row.due_at), **values)

    def form_headline(self) -> str:
        return _("When it is expected") if self.beat else _("What it is called and when it is expected")

    def watched_headline(self) -> str:
        return _("Paused") if self.beat and self.beat.heartbeat.paused else _("Watched")

    def missed_headline(self) -> str:
        return _("What was missed in 90 days") if self.spans else _("Nothing was missed in 90 days")

    def pings_headline(self) -> str:
        n = len(self.pings)
        if not n:
            return _("No ping yet")
        return ngettext("The last ping", "The last %(n)s pings", n) % {"n": n}


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
    return ngettext("missed once", "missed %(n)s times", n) % {"n": n}
