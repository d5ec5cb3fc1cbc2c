"""What a built-in rule would have done in the last 30 days with the numbers of its form.

Where the rollups hold the rule's figure, its past runs through the same states as the evaluation. All other figures are
not stored: of these the alerts of the last 30 days are counted, without those shorter than a longer delay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from alerts.evaluation.services import policy_of
from alerts.lifecycle.states import Observation, Policy
from alerts.metrics.history import MetricHistory
from alerts.metrics.metric import Reading, Series, share
from alerts.metrics.scopes import Names, Scope
from alerts.metrics.windows import Window
from alerts.models import Rule
from alerts.rules import queries
from alerts.rules.preview import Firing, fired
from alerts.wording import span
from lib.money import ZERO

DAYS = 30
LATEST = 10  # of the list on the page


@dataclass(frozen=True, slots=True)
class FromLimit:
    """A figure crosses its limit by reaching it, and recovers below `clear`. An unknown figure does neither."""

    limit: Decimal
    clear: Decimal

    def observe(self, reading: Reading) -> Observation:
        value = ZERO if reading.value is None else reading.value
        return Observation(value >= self.limit, value < self.clear)


@dataclass(frozen=True, slots=True)
class Tryout:
    """Oldest first, each firing with what it was about. `replayed`: found with the numbers of the form."""

    firings: list[tuple[str, Firing]]
    now: datetime
    replayed: bool

    def headline(self) -> str:
        n = len(self.firings)
        return ngettext("1 alert in the last 30 days", "%(n)s alerts in the last 30 days", n) % {"n": n}

    @property
    def sentence(self) -> str:
        """How often it would have fired, or did fire."""
        if not self.firings and self.replayed:
            return _("With these numbers it would not have fired in the last 30 days.")
        if not self.firings:
            return _("It has not fired in the last 30 days.")
        text = (
            ngettext(
                "With these numbers it would have fired once in the last 30 days, for %(total)s.",
                "With these numbers it would have fired %(n)s times in the last 30 days, for %(total)s in total.",
                len(self.firings),
            )
            if self.replayed
            else ngettext(
                "With this delay it fired once in the last 30 days, for %(total)s.",
                "With this delay it fired %(n)s times in the last 30 days, for %(total)s in total.",
                len(self.firings),
            )
        )
        total = sum((firing.lasted(self.now) for _about, firing in self.firings), timedelta(0))
        return text % {"n": len(self.firings), "total": span(total)}

    @property
    def source(self) -> str:
        if self.replayed:
            return _("from stored hours of requests")
        return _("from its own alerts, as past values are not stored: other limits cannot be tested")

    @property
    def latest(self) -> list[tuple[str, datetime, str]]:
        """What each was about, when it began and how long it lasted, newest first."""
        rows = reversed(self.firings[-LATEST:])
        return [(about, firing.opened_at, span(firing.lasted(self.now))) for about, firing in rows]


def tryout(rule: Rule, numbers: Mapping[str, Any], now: datetime, delay_s: int) -> Tryout:
    """Of a rule with other numbers and waits than the stored ones; `delay_s` is its stored delay in seconds."""
    since = now - timedelta(days=DAYS)
    replay = REPLAYS.get(rule.kind)
    if replay:
        rows = list(replay(numbers, policy_of(rule), since, now))
    else:
        longer = timedelta(seconds=rule.for_s - delay_s)
        rows = [
            (alert.title, Firing(alert.opened_at, alert.resolved_at))
            for alert in queries.alerts_since(rule, since)
            if alert.opened_at and (alert.resolved_at or now) - alert.opened_at >= longer
        ]
    return Tryout(sorted(rows, key=lambda row: row[1].opened_at), now, replay is not None)


def error_rates(
    numbers: Mapping[str, Any], policy: Policy, since: datetime, now: datetime
) -> Iterator[tuple[str, Firing]]:
    """Of each deployment the share of an hour's requests that failed, where enough of them did."""
    percent, band, failures = (Decimal(str(numbers[name])) for name in ("percent", "band", "failures"))
    limit, names, history = FromLimit(percent, percent - band), Names(), MetricHistory(now)
    for deployment in queries.watched_deployments():
        sums = history.sums(Window.HOUR, names.place(Scope((("deployment", deployment.slug),))))
        series: Series = [
            (at, share(row.errors, row.requests) if row.errors >= failures else ZERO) for at, row in sums if at >= since
        ]
        for firing in fired(limit, policy, series, now):
            yield deployment.name, firing


REPLAYS: dict[str, Callable[[Mapping[str, Any], Policy, datetime, datetime], Iterator[tuple[str, Firing]]]] = {
    "error-rate": error_rates,
}
