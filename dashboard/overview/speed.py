"""How fast is it? The last 24 hours of each deployment, hour by hour, on one scale. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.utils.translation import gettext as _

from dashboard.overview.reads import HOURS, Facts
from dashboard.overview.up import SLOW_FIRST_TOKEN_MS, place
from lib.formats import duration
from providers.models import Deployment
from traffic.usage.reports import HourLatency

SHOWN = 6
Value = tuple[datetime, float | None]
SERIES = (("p50", "p50_ms", 1), ("p95", "p95_ms", 2), ("p99", "p99_ms", 4))
QUARTER = timedelta(minutes=15)
GAP = timedelta(hours=3)  # without requests, over which no line is drawn


@dataclass(frozen=True)
class Speed:
    """One deployment's chart; without requests it has a sentence instead."""

    deployment: Deployment
    requests: int
    first_token: float | None  # p95 of the newest hour that has one
    usual: float | None  # median of the hours before
    whole: float | None  # p95 of the whole answer, newest hour
    series: Sequence[dict[str, Any]]

    @property
    def name(self) -> str:
        return self.deployment.name

    @property
    def where(self) -> str:
        return place(self.deployment)

    @property
    def words(self) -> str:
        """The chart for those who do not see it."""
        measures = [(_("first token"), self.first_token), (_("whole answer"), self.whole)]
        latencies = ", ".join(f"{name} {duration(ms)}" for name, ms in measures if ms is not None)
        text = _("Latency of %(name)s, last 24 hours by hour. Now at the 95th percentile: %(said)s.")
        return text % {"name": self.name, "said": latencies or _("unknown")}

    @property
    def tripled(self) -> bool:
        """The first token takes three times what is usual, and long enough to be felt."""
        return bool(self.first_token and self.usual and self.first_token > max(3 * self.usual, 300.0))


@dataclass(frozen=True)
class Speeds:
    rows: Sequence[Speed]
    x_from: datetime
    x_to: datetime
    y_from: float
    y_to: float
    limits: Sequence[dict[str, Any]]

    @property
    def slowest(self) -> Speed | None:
        """By the first token of the newest hour."""
        measured = [row for row in self.rows if row.first_token is not None]
        return max(measured, key=lambda row: row.first_token or 0.0, default=None)

    @property
    def fastest(self) -> Speed | None:
        measured = [row for row in self.rows if row.first_token is not None]
        return min(measured, key=lambda row: row.first_token or 0.0, default=None)

    @property
    def tripled(self) -> Speed | None:
        return next((row for row in self.rows if row.tripled), None)

    @property
    def any(self) -> bool:
        return any(row.requests for row in self.rows)


def speeds(facts: Facts) -> Speeds:
    requests = {group.key: group.requests for group in facts.usage}
    rows = [
        _speed(row, requests.get(row.slug, 0), facts.latency.get(row.pk, ()))
        for row in sorted(facts.deployments, key=lambda row: -requests.get(row.slug, 0))
    ]
    values = [value for row in rows for line in row.series for _hour, value in line["points"] if value]
    return Speeds(
        rows=rows[:SHOWN],
        x_from=facts.now - timedelta(hours=HOURS),
        x_to=facts.now,
        y_from=floor(min(values, default=100.0)),
        y_to=max([10_000.0, *values]),
        limits=[{"y": SLOW_FIRST_TOKEN_MS, "name": _("limit of the first token, 0.5 s")}],
    )


def _speed(deployment: Deployment, requests: int, hours: Sequence[HourLatency]) -> Speed:
    first = [hour.ttft.p95_ms for hour in hours if hour.ttft.p95_ms is not None]
    whole = [hour.latency.p95_ms for hour in hours if hour.latency.p95_ms is not None]
    lines = [
        line(name, name, style, [(middle(hour), getattr(hour.latency, column)) for hour in hours])
        for name, column, style in SERIES
    ]
    tokens = [(middle(hour), hour.ttft.p95_ms) for hour in hours]
    lines.append(line(_("first token, p95"), _("first"), 3, tokens))
    return Speed(
        deployment=deployment,
        requests=requests,
        first_token=first[-1] if first else None,
        usual=median(first[:-1]) if len(first) > 3 else None,
        whole=whole[-1] if whole else None,
        series=[row for row in lines if row["points"]],
    )


def floor(value: float) -> float:
    """The next 1, 2 or 5 times a power of ten below, so that the scale begins with a round number."""
    steps = (factor * 10.0**power for power in range(4, -2, -1) for factor in (5, 2, 1))
    return next((step for step in steps if step < value), 0.1)


def line(name: str, label: str, style: int, values: Sequence[Value]) -> dict[str, Any]:
    """One series for the chart tag."""
    return {"name": name, "label": label, "style": style, "points": joined([pair for pair in values if pair[1]])}


def joined(values: Sequence[Value]) -> list[Value]:
    """The values in order; hours far apart are not joined, and one that stands alone is a dash."""
    points: list[Value] = []
    for number, (at, ms) in enumerate(values):
        before = number > 0 and at - values[number - 1][0] <= GAP
        after = number + 1 < len(values) and values[number + 1][0] - at <= GAP
        if number and not before:
            points.append((at - GAP / 2, None))
        points += [(at, ms)] if before or after else [(at - QUARTER, ms), (at + QUARTER, ms)]
    return points


def middle(hour: HourLatency) -> datetime:
    return hour.hour + timedelta(minutes=30)
