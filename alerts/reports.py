"""How the alerting itself does: what was not delivered, how fast people answer, which rules cry wolf."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, F, Max, Q

from alerts.models import Alert, Delivery, Rule

# Beat's interval is 15 s; past this nobody is evaluating.
LATE_AFTER = timedelta(seconds=180)
NOISY_FROM = 10


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean times of the alerts of a period: until someone had them, until they were over."""

    opened: int
    acknowledged: int
    to_acknowledge: timedelta | None
    to_resolve: timedelta | None


@dataclass(frozen=True, slots=True)
class Noise:
    """A rule that fires often and is answered seldom."""

    rule: Rule
    fired: int
    answered: int


def evaluated_at() -> datetime | None:
    """When any rule last ran."""
    found: datetime | None = Rule.objects.enabled().aggregate(last=Max("evaluated_at"))["last"]
    return found


def is_late(now: datetime) -> bool:
    """Whether nobody evaluates the rules."""
    last = evaluated_at()
    return last is None or now - last > LATE_AFTER


def undelivered() -> list[Delivery]:
    """Messages that were given up or are being tried again, newest first."""
    rows = Delivery.objects.filter(state__in=("failed", "dead")).select_related("alert", "transition")
    return list(rows.order_by("-id")[:20])


def troubles(now: datetime) -> dict[int, Delivery]:
    """By rule, the newest of its messages that is tried again or was given up this week, with the answer to it."""
    lately = Q(state="failed") | Q(state="dead", created_at__gte=now - timedelta(days=7))
    rows = Delivery.objects.filter(lately).select_related("alert").order_by("alert__rule_id", "-id")
    return {row.alert.rule_id: row for row in rows.distinct("alert__rule_id")}


def pace(since: datetime) -> Pace:
    rows = Alert.objects.filter(opened_at__gte=since)
    found = rows.aggregate(
        opened=Count("id"),
        acknowledged=Count("acknowledged_at"),
        to_acknowledge=Avg(F("acknowledged_at") - F("opened_at")),
        to_resolve=Avg(F("resolved_at") - F("opened_at")),
    )
    return Pace(**found)


def noisy(since: datetime) -> list[Noise]:
    """Rules that fired at least ten times and were answered less than once in ten; the worst first."""
    opened = Alert.objects.filter(opened_at__gte=since, rule__enabled=True)
    counts = opened.values("rule").annotate(fired=Count("id"), answered=Count("acknowledged_at"))
    often = {row["rule"]: row for row in counts.filter(fired__gte=NOISY_FROM)}
    rules = Rule.objects.in_bulk(often)
    found = [Noise(rules[key], row["fired"], row["answered"]) for key, row in often.items()]
    return sorted((one for one in found if one.answered * 10 < one.fired), key=lambda one: -one.fired)
