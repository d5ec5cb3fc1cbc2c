"""Is everything up? Deployments now, their last 30 days, and outages; without queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.verdicts.serving import serving_now
from costs.verdicts.verdict import State, Verdict
from dashboard.overview.reads import Facts
from lib.formats import ago, duration, figure, missing, percent, provenance, sentences
from providers.models import Deployment
from providers.uptime import page as uptime_page
from providers.uptime.page import DeploymentNow, Record, UptimeSummary
from traffic.usage.reports import HourLatency

FEWEST = 30  # streamed requests of an hour that are needed for a 95th percentile
SLOW_FIRST_TOKEN_MS = 500.0  # the go or no-go limit for our own deployments
STRIPS = 5  # deployments on this page, the worst first


@dataclass(frozen=True)
class Row:
    """One deployment: cells of the last 30 days, and its uptime (0 to 1) over them."""

    now: DeploymentNow
    cells: Sequence[Mapping[str, Any]]
    uptime: float | None

    @property
    def name(self) -> str:
        return self.now.deployment.name

    def uptime_text(self) -> str:
        if self.uptime is None:
            return no_figure()
        return figure(percent(self.uptime, 2), "uptime", self.uptime, "30 days", self.now.deployment.slug)


@dataclass(frozen=True, slots=True)
class Slow:
    """One of our own deployments whose first token took longer than the limit in the last full hour."""

    name: str
    first_token_ms: float
    hour: datetime


@dataclass(frozen=True)
class Serving:
    summary: UptimeSummary
    rows: Sequence[Row]
    record: Record  # of the last 30 days
    worst: float | None  # the lowest uptime of a deployment in them
    slow: Slow | None
    requests: int  # of the last 24 hours
    failed: int
    every_s: int | None  # seconds between two checks

    @cached_property
    def verdict(self) -> Verdict:
        return serving_now(self.summary)

    def worst_uptime(self) -> str:
        """The lowest uptime of the last 30 days."""
        return missing("dash") if self.worst is None else percent(self.worst, 2)

    def checks_mark(self) -> SafeString:
        """The source of the figures: checks, with the seconds between two."""
        if self.every_s is None:
            return missing("dash")
        return provenance("measured", text=_("checks every %(seconds)s s") % {"seconds": self.every_s})

    @property
    def failed_share(self) -> float | None:
        return self.failed / self.requests if self.requests else None

    def headline(self) -> str:
        """The deployments' part of the page's heading."""
        down = self.summary.down
        unclear = self.summary.unknown or not self.verdict.value
        if not self.summary.total:
            return _("nothing checked")
        texts = {
            State.MET: _("everything <b>up</b>"),
            State.NOT_MET: ngettext("<b>{name} down</b>", "<b>{down} deployments down</b>", len(down)),
            State.NOT_ENOUGH: _("uptime <b>unknown</b>") if unclear else _("nothing <b>down</b>"),
        }
        name = down[0].deployment.name if down else ""
        if len(name.split()) > 1:  # the page's heading has at most 15 words
            name = _("1 deployment")
        return format_html(texts[self.verdict.state], name=name, down=len(down))

    def answer(self) -> str:
        """Which deployments answer, which are down since when, and which one is slow."""
        if self.summary.down:
            went = [
                format_html(
                    _("<b>{name}</b> went down {since}."),
                    name=entry.deployment.name,
                    since=ago(entry.deployment.state_since),
                )
                for entry in self.summary.down[:2]
            ]
            up = figure(self.summary.up, "deployments-up", self.summary.up)
            return sentences(*went, format_html(_("{up} of {total} are up."), up=up, total=self.summary.total))
        if self.verdict.state == State.MET:
            return sentences(self.verdict.sentence, self._slowest_sentence())
        if self.summary.total and self.summary.last_check_at and self.summary.stopped:
            ran = format_html(_("The last ran {ago}."), ago=ago(self.summary.last_check_at))
            return sentences(self.verdict.sentence, ran)
        return self.verdict.sentence

    def _slowest_sentence(self) -> str:
        if self.slow:
            text = _("<b>{name}</b> is slow: first token <b>{latency}</b> at p95, limit 0.5 s.")
            return format_html(text, name=self.slow.name, latency=duration(self.slow.first_token_ms))
        if self.summary.slowest is None:
            return ""
        slowest = self.summary.slowest.deployment
        text = _("The slowest check took <b>{latency}</b>, of {name}.")
        return format_html(text, name=slowest.name, latency=duration(slowest.last_latency_ms))

    def outages_sentence(self) -> str:
        """The outages of the last 30 days; empty if nothing was checked."""
        record = self.record
        if record.longest is None:
            return "" if record.uptime is None else _("No outage in 30 days.")
        outages = len(record.outages)
        text = ngettext(
            "1 outage in 30 days, at {name}, took {lost}.",
            "{n} outages in 30 days took {lost}, the longest at {name}.",
            outages,
        )
        return format_html(text, n=outages, lost=duration(record.down), name=record.longest.name)


def no_figure() -> SafeString:
    return format_html('<span class="none">{}</span>', _("no figure"))


def serving(facts: Facts) -> Serving:
    states = uptime_page.worst_first(uptime_page.with_machine(row, facts.now) for row in facts.deployments)
    figures = {entry.slug: entry for entry in facts.uptimes}
    watched = [(entry, figures[entry.deployment.slug]) for entry in states if entry.deployment.slug in figures]
    watched.sort(key=lambda pair: (uptime_page.ORDER[pair[0].state], 1.0 if pair[1].uptime is None else pair[1].uptime))
    days = uptime_page.days_of(facts.uptime_start, facts.now)
    intervals = [row.check_every_s for row in facts.deployments if row.checked]
    return Serving(
        summary=uptime_page.answer(states),
        rows=[
            Row(entry, uptime_page.cells(row, days, facts.windows.get(entry.deployment.pk, ()), facts.now), row.uptime)
            for entry, row in watched[:STRIPS]
        ],
        record=uptime_page.record([row for _entry, row in watched], facts.uptime_start, facts.now),
        worst=min((row.uptime for _entry, row in watched if row.uptime is not None), default=None),
        slow=slow(facts.deployments, facts.latency),
        requests=sum(group.requests for group in facts.usage),
        failed=sum(group.errors for group in facts.usage),
        every_s=min(intervals, default=None),
    )


def slow(deployments: Sequence[Deployment], latency: Mapping[int, Sequence[HourLatency]]) -> Slow | None:
    """The slowest of our own deployments above the limit; vendors' deployments have no such limit."""
    slow_ones = []
    for deployment in deployments:
        lately = [hour for hour in latency.get(deployment.pk, ()) if hour.ttft.count >= FEWEST]
        if deployment.provider != "self" or not lately:
            continue
        p95 = lately[-1].ttft.p95_ms or 0.0
        if p95 >= SLOW_FIRST_TOKEN_MS:
            slow_ones.append(Slow(deployment.name, p95, lately[-1].hour))
    return max(slow_ones, key=lambda entry: entry.first_token_ms, default=None)
