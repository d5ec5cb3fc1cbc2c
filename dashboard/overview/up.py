"""Is everything up? Deployments now, their last 30 and 90 days, what broke. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from dashboard.overview.reads import Facts, midnight
from providers.models import PROVIDER_NAMES, Deployment
from providers.uptime import page as uptime_page
from providers.uptime.page import DeploymentNow, Record, UptimeSummary
from providers.uptime.report import DeploymentUptime
from traffic.usage.reports import HourLatency

SHORT_DAYS = 30
FEWEST = 30  # streamed requests of an hour, before its 95th percentile is worth a word
SLOW_FIRST_TOKEN_MS = 500.0  # the limit of go or no-go, for our own deployments
STRIPS = 12  # deployments on this page, the worst first


@dataclass(frozen=True)
class Row:
    """One deployment: its cells over the long period, its uptime over both."""

    now: DeploymentNow
    cells: Sequence[Mapping[str, Any]]
    uptime: float | None
    uptime_short: float | None
    lost: timedelta

    @property
    def name(self) -> str:
        return self.now.deployment.name

    @property
    def where(self) -> str:
        """`RunPod RTX 4090 · vLLM`: who serves it on what."""
        return place(self.now.deployment)

    @property
    def short_cells(self) -> Sequence[Mapping[str, Any]]:
        return self.cells[-SHORT_DAYS:]


@dataclass(frozen=True, slots=True)
class Slow:
    """One of our own deployments whose first token came later than the limit in the last full hour."""

    name: str
    first_token_ms: float
    hour: datetime


@dataclass(frozen=True)
class Serving:
    answer: UptimeSummary
    rows: Sequence[Row]
    record: Record  # over the long period
    record_short: Record
    axis: Sequence[str]
    slow: Slow | None
    requests: int  # of the last 24 hours
    failed: int
    every_s: int | None  # how often checks are made

    @property
    def verdict(self) -> str:
        if not self.answer.total:
            return "none"
        if self.answer.down:
            return "down"
        if self.answer.stopped or not self.answer.last_check_at:
            return "unknown"
        if self.answer.up < self.answer.total:
            return "partly"
        return "slow" if self.slow else "up"

    @property
    def mark(self) -> str:
        marks = {"down": "bad", "partly": "warn", "slow": "warn", "up": "ok"}
        return marks.get(self.verdict, "unknown")

    @property
    def worst(self) -> Row | None:
        """The lowest uptime of the last 30 days."""
        measured = [row for row in self.rows if row.uptime_short is not None]
        return min(measured, key=lambda row: row.uptime_short or 0.0, default=None)

    @property
    def failed_share(self) -> float | None:
        return self.failed / self.requests if self.requests else None


def serving(facts: Facts) -> Serving:
    states = uptime_page.worst_first(uptime_page.now_of(row, facts.now) for row in facts.deployments)
    figures = {entry.slug: entry for entry in facts.uptimes}
    watched = [(entry, figures[entry.deployment.slug]) for entry in states if entry.deployment.slug in figures]
    days = uptime_page.days_of(facts.uptime_start, facts.now)
    short = days[-SHORT_DAYS]
    intervals = [row.check_every_s for row in facts.deployments if row.checked]
    return Serving(
        answer=uptime_page.answer(states),
        rows=[_row(facts, entry, uptime, days, short) for entry, uptime in watched[:STRIPS]],
        record=uptime_page.record([uptime for _entry, uptime in watched], facts.uptime_start, facts.now),
        record_short=uptime_page.record([uptime for _entry, uptime in watched], midnight(short), facts.now),
        axis=uptime_page.axis(days),
        slow=slow(facts.deployments, facts.latency),
        requests=sum(group.requests for group in facts.usage),
        failed=sum(group.errors for group in facts.usage),
        every_s=min(intervals, default=None),
    )


def _row(facts: Facts, entry: DeploymentNow, figures: DeploymentUptime, days: Sequence[date], short: date) -> Row:
    windows = facts.windows.get(entry.deployment.pk, ())
    return Row(
        now=entry,
        cells=uptime_page.cells(figures, days, windows, facts.now),
        uptime=figures.uptime,
        uptime_short=figures.uptime_since(short),
        lost=timedelta(seconds=figures.down_s),
    )


def place(deployment: Deployment) -> str:
    lease = deployment.lease
    provider, machine = (lease.account.provider, f" {lease.gpu}") if lease else (deployment.provider, "")
    return f"{PROVIDER_NAMES.get(provider, provider)}{machine} · {deployment.engine_label}"


def slow(deployments: Sequence[Deployment], latency: Mapping[int, Sequence[HourLatency]]) -> Slow | None:
    """The slowest of our own that is past the limit; a vendor's own first token is not ours to judge."""
    slow_ones = []
    for deployment in deployments:
        lately = [hour for hour in latency.get(deployment.pk, ()) if hour.ttft.count >= FEWEST]
        if deployment.provider != "self" or not lately:
            continue
        p95 = lately[-1].ttft.p95_ms or 0.0
        if p95 >= SLOW_FIRST_TOKEN_MS:
            slow_ones.append(Slow(deployment.name, p95, lately[-1].hour))
    return max(slow_ones, key=lambda entry: entry.first_token_ms, default=None)
