"""How fast is it? The latency of each deployment in the last 24 hours, by hour and on one scale. No queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.utils.translation import gettext as _

from dashboard.overview.reads import HOURS, Facts
from dashboard.overview.up import SLOW_FIRST_TOKEN_MS, place
from lib.formats import duration, requests, sentences
from providers.models import Deployment
from traffic.usage.reports import HourLatency

SHOWN = 6
Value = tuple[datetime, float | None]
SERIES = (("p50", "p50_ms", 1), ("p95", "p95_ms", 2), ("p99", "p99_ms", 4))
QUARTER = timedelta(minutes=15)
GAP = timedelta(hours=3)  # hours of data further apart than this are not joined by a line


@dataclass(frozen=True)
class Speed:
    """One deployment's chart and latencies in ms; without requests it has a sentence instead."""

    deployment: Deployment
    requests: int
    first_token: float | None  # p95 of the newest hour that has one
    usual: float | None  # median of the hours before
    whole: float | None  # p95 of the whole answer, newest hour
    chart: dict[str, Any]  # in the shape that the `lines` tag takes

    @property
    def name(self) -> str:
        return self.deployment.name

    @property
    def where(self) -> str:
        return place(self.deployment)

    @property
    def words(self) -> str:
        """The chart as text for screen readers."""
        measures = [(_("first token"), self.first_token), (_("whole answer"), self.whole)]
        latencies = ", ".join(f"{name} {duration(ms)}" for name, ms in measures if ms is not None)
        text = _("Latency of %(name)s, last 24 hours by hour. Now at the 95th percentile: %(said)s.")
        return text % {"name": self.name, "said": latencies or _("unknown")}

    def latency_sentence(self) -> str:
        """A sentence with its latency now, the usual one, and its requests."""
        if self.first_token is not None and self.usual is not None:
            text = _("First token now %(latency)s, usual %(usual)s.")
        elif self.first_token is not None:
            text = _("First token now %(latency)s.")
        else:
            text = _("Whole answer now %(latency)s.") if self.whole is not None else ""
        latency = self.whole if self.first_token is None else self.first_token
        figures = {"latency": duration(latency), "usual": duration(self.usual)}
        return sentences(text % figures, f"{requests(self.requests)}.")

    @property
    def tripled(self) -> bool:
        """Whether the first token takes over three times the usual time, and over 300 ms, which people notice."""
        return bool(self.first_token and self.usual and self.first_token > max(3 * self.usual, 300.0))


@dataclass(frozen=True)
class Speeds:
    rows: Sequence[Speed]

    @property
    def slowest(self) -> Speed | None:
        """The slowest deployment by the first token of its newest hour."""
        measured = [row for row in self.rows if row.first_token is not None]
        return max(measured, key=lambda row: row.first_token or 0.0, default=None)

    @property
    def fastest(self) -> Speed | None:
        measured = [row for row in self.rows if row.first_token is not None]
        return min(measured, key=lambda row: row.first_token or 0.0, default=None)

    @property
    def tripled(self) -> Speed | None:
        return next((row for row in self.rows if row.tripled), None)

    def headline(self) -> str:
        """The deployment whose first token takes much longer than usual; else the fastest and the slowest."""
        row, fastest = self.tripled or self.slowest, self.fastest
        if row is None or fastest is None:
            if self.any:
                return _("Nothing was streamed in 24 hours, so no first token was timed")
            return _("No requests in 24 hours, so no latency")
        if self.tripled:
            text = _("%(name)s’s first token takes %(latency)s, usually %(usual)s")
        elif row.name == fastest.name:
            text = _("%(name)s’s first token comes within %(latency)s")
        else:
            text = _("First tokens come within %(fast)s from %(fastest)s and within %(latency)s from %(name)s")
        return text % {
            "name": row.name,
            "latency": duration(row.first_token),
            "usual": duration(row.usual),
            "fastest": fastest.name,
            "fast": duration(fastest.first_token),
        }

    @property
    def any(self) -> bool:
        return any(row.requests for row in self.rows)


def speeds(facts: Facts) -> Speeds:
    counts = {group.key: group.requests for group in facts.usage}
    rows = [
        _speed(row, counts.get(row.slug, 0), facts.latency.get(row.pk, ()))
        for row in sorted(facts.deployments, key=lambda row: -counts.get(row.slug, 0))
    ]
    values = [value for row in rows for line in row.chart["series"] for _hour, value in line["points"] if value]
    scale = {
        "unit": "ms",
        "log": True,
        "x_from": facts.now - timedelta(hours=HOURS),
        "x_to": facts.now,
        "y_from": floor(min(values, default=100.0)),
        "y_to": max([10_000.0, *values]),
        "limits": [{"y": SLOW_FIRST_TOKEN_MS, "name": _("limit of the first token, 0.5 s")}],
    }
    return Speeds([replace(row, chart=row.chart | scale) for row in rows[:SHOWN]])


def _speed(deployment: Deployment, count: int, hours: Sequence[HourLatency]) -> Speed:
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
        requests=count,
        first_token=first[-1] if first else None,
        usual=median(first[:-1]) if len(first) > 3 else None,
        whole=whole[-1] if whole else None,
        chart={"series": [row for row in lines if row["points"]]},
    )


def floor(value: float) -> float:
    """The next lower 1, 2 or 5 times a power of ten, so that the scale begins with a round number."""
    steps = (factor * 10.0**power for power in range(4, -2, -1) for factor in (5, 2, 1))
    return next((step for step in steps if step < value), 0.1)


def line(name: str, label: str, style: int, values: Sequence[Value]) -> dict[str, Any]:
    """One series for the chart tag."""
    return {"name": name, "label": label, "style": style, "points": joined([pair for pair in values if pair[1]])}


def joined(values: Sequence[Value]) -> list[Value]:
    """The points of a line: hours further apart than `GAP` are not joined, and a single one becomes a short dash."""
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
