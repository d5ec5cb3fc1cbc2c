"""How the alerting itself does: what was not delivered, how fast people answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, F, Max, Q
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert, Delivery, Rule, Severity

# Beat's interval is 15 s; past this nobody is evaluating.
LATE_AFTER = timedelta(seconds=180)


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean times of the alerts of a period: until someone had them, until they were over."""

    opened: int
    acknowledged: int
    to_acknowledge: timedelta | None
    to_resolve: timedelta | None


def evaluated_at() -> datetime | None:
    """When any rule last ran."""
    newest: datetime | None = Rule.objects.enabled().aggregate(last=Max("evaluated_at"))["last"]
    return newest


def is_late(now: datetime) -> bool:
    """Whether nobody evaluates the rules."""
    last = evaluated_at()
    return last is None or now - last > LATE_AFTER


def is_stuck(now: datetime) -> bool:
    """Whether messages are due that nobody tries to send."""
    return Delivery.objects.due(now - LATE_AFTER).exists()


def undelivered() -> list[Delivery]:
    """Messages that were given up or are being tried again, newest first."""
    rows = Delivery.objects.filter(state__in=("failed", "dead")).select_related("alert", "transition", "report")
    return list(rows.order_by("-id")[:20])


def troubles(now: datetime) -> dict[int, Delivery]:
    """By rule, the newest of its messages that is tried again or was given up this week, with the answer to it."""
    lately = Q(state="failed") | Q(state="dead", created_at__gte=now - timedelta(days=7))
    rows = Delivery.objects.filter(lately, report=None).select_related("alert").order_by("alert__rule_id", "-id")
    return {row.alert.rule_id: row for row in rows.distinct("alert__rule_id")}


def pace(since: datetime, severity: str = "") -> Pace:
    """Of the alerts that opened since a moment, of one severity or all."""
    rows = Alert.objects.filter(opened_at__gte=since)
    if severity:
        rows = rows.filter(severity=severity)
    figures = rows.aggregate(
        opened=Count("id"),
        acknowledged=Count("acknowledged_at"),
        to_acknowledge=Avg(F("acknowledged_at") - F("opened_at")),
        to_resolve=Avg(F("resolved_at") - F("opened_at")),
    )
    return Pace(**figures)


def paces(since: datetime) -> list[tuple[str, Pace]]:
    """By severity, the worst first, and all together; severities of which none opened are left out."""
    rows = [(str(label), pace(since, value)) for value, label in reversed(Severity.choices)]
    return [*((label, row_pace) for label, row_pace in rows if row_pace.opened), (str(_("all")), pace(since))]
