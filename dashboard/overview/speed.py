"""How fast is the first token? Deployments in the last 24 hours, in one sentence. No queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from django.utils.translation import gettext as _

from dashboard.overview.reads import Facts
from lib.formats import duration
from traffic.usage.reports import HourLatency


@dataclass(frozen=True)
class Speed:
    """One deployment's latencies in ms."""

    name: str
    requests: int
    first_token: float | None  # p95 of the newest hour that has one
    usual: float | None  # median of the hours before

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

    def sentence(self) -> str:
        """The deployment whose first token takes much longer than usual; else the fastest and the slowest."""
        row, fastest = self.tripled or self.slowest, self.fastest
        if row is None or fastest is None:
            if any(row.requests for row in self.rows):
                return _("No streamed requests in 24 hours, so no time to first token.")
            return _("No requests in 24 hours, so no latency.")
        if self.tripled:
            text = _("%(name)s’s first token takes %(latency)s, usually %(usual)s.")
        elif row.name == fastest.name:
            text = _("In the newest hour, %(name)s’s first token came within %(latency)s (p95).")
        else:
            text = _(
                "In the newest hour, first tokens came within %(fast)s from %(fastest)s and within %(latency)s from"
                " %(name)s (p95)."
            )
        return text % {
            "name": row.name,
            "latency": duration(row.first_token),
            "usual": duration(row.usual),
            "fastest": fastest.name,
            "fast": duration(fastest.first_token),
        }


def speeds(facts: Facts) -> Speeds:
    counts = {group.key: group.requests for group in facts.usage}
    return Speeds(
        [_speed(row.name, counts.get(row.slug, 0), facts.latency.get(row.pk, ())) for row in facts.deployments]
    )


def _speed(name: str, count: int, hours: Sequence[HourLatency]) -> Speed:
    first = [hour.ttft.p95_ms for hour in hours if hour.ttft.p95_ms is not None]
    usual = median(first[:-1]) if len(first) > 3 else None
    return Speed(name, count, first_token=first[-1] if first else None, usual=usual)
