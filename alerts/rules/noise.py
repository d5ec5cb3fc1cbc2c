"""Noisy rules: how often each fired and was acknowledged, and the line at which only the worst would have fired."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import ceil

from django.db.models import Count
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from alerts.charts.timeline import decimal_of
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.watch import OVER, Watch
from alerts.models import Alert, Rule, Sample, Transition
from alerts.wording import span

NOISY_FROM = 10
WORST = Decimal("0.2")  # the share of firings that a better line would leave
LONGEST_WAIT_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A number that would have let `left` of the firings happen; `form_values` fills the rule's form with it."""

    text: str
    left: int
    form_values: dict[str, str]


@dataclass(frozen=True, slots=True)
class Noise:
    """A rule that fires often and is answered seldom."""

    rule: Rule
    fired: int
    answered: int
    suggestion: Suggestion | None = None

    @property
    def url(self) -> str:
        """The rule's form, filled with what is suggested."""
        address = reverse("alerts:rule", args=[self.rule.slug])
        return f"{address}?{urlencode(self.suggestion.form_values)}" if self.suggestion else address


def noisy(since: datetime) -> list[Noise]:
    """Rules that fired at least ten times and were answered less than once in ten; the worst first."""
    opened = Alert.objects.filter(opened_at__gte=since, rule__enabled=True, rule__deleted_at=None)
    counts = opened.values("rule").annotate(fired=Count("id"), answered=Count("acknowledged_at"))
    often = {row["rule"]: row for row in counts.filter(fired__gte=NOISY_FROM)}
    seldom = {key: row for key, row in often.items() if row["answered"] * 10 < row["fired"]}
    rules = Rule.objects.in_bulk(seldom)
    rows = [Noise(rules[key], row["fired"], row["answered"], suggest(rules[key], since)) for key, row in seldom.items()]
    return sorted(rows, key=lambda row_noise: -row_noise.fired)


def suggest(rule: Rule, since: datetime) -> Suggestion | None:
    """For a figure a line past most of its peaks, for all others a wait longer than most of its firings."""
    alerts = list(Alert.objects.filter(rule=rule, opened_at__gte=since))
    if rule.kind == "figure":
        try:
            watch = Watch.of(rule.thresholds)
        except BadThreshold:
            return None
        return better_line(watch, peaks_of(alerts, watch.side))
    return better_wait(rule.for_s, [alert.lasted for alert in alerts if alert.lasted is not None])


def peaks_of(alerts: Sequence[Alert], side: str) -> list[Decimal]:
    """The value of each alert that was furthest past its line."""
    values: dict[int, list[Decimal]] = defaultdict(list)
    for rows in (Sample.objects, Transition.objects):
        for alert_id, text in rows.filter(alert__in=alerts).values_list("alert_id", "value"):
            if (value := decimal_of(text)) is not None:
                values[alert_id].append(value)
    return [max(of_one) if side == OVER else min(of_one) for of_one in values.values()]


def better_line(watch: Watch, peaks: Iterable[Decimal]) -> Suggestion | None:
    """The line that only the worst fifth of the peaks would have crossed; None where no such line is further out."""
    ranked = sorted(peaks, reverse=watch.side == OVER)  # the worst first
    if len(ranked) < NOISY_FROM:
        return None
    edge = ranked[int(len(ranked) * WORST)]
    line = rounded(edge, up=watch.side == OVER)
    left = sum(peak > line if watch.side == OVER else peak < line for peak in ranked)
    if left == len(ranked) or (line <= watch.line if watch.side == OVER else line >= watch.line):
        return None
    amount = watch.metric.unit.say(line)
    shape = _("Raise the limit to %(line)s") if watch.side == OVER else _("Lower the limit to %(line)s")
    return Suggestion(shape % {"line": amount}, left, {"line": amount})


def rounded(value: Decimal, *, up: bool) -> Decimal:
    """To two digits, away from the firings' side: 4.812 to 4.9, or down to 4.8."""
    if not value:
        return value
    step = Decimal(1).scaleb(value.adjusted() - 1)
    way = ROUND_CEILING if up else ROUND_FLOOR
    return (value / step).to_integral_value(rounding=way) * step


def better_wait(for_s: int, lengths: Sequence[timedelta]) -> Suggestion | None:
    """The wait that only the longest fifth would have outlasted, in whole minutes."""
    ranked = sorted(lengths, reverse=True)
    if len(ranked) < NOISY_FROM:
        return None
    longer = ranked[int(len(ranked) * WORST)]
    wait = for_s + ceil((longer.total_seconds() + 1) / 60) * 60
    if wait > LONGEST_WAIT_S:
        return None
    left = sum(length.total_seconds() > wait - for_s for length in ranked)
    text = _("Raise the delay to %(span)s") % {"span": span(timedelta(seconds=wait))}
    return Suggestion(text, left, {"for_s": str(wait)})
