"""How fast people answer alerts: mean times until somebody had one, and until it was over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Count, F
from django.utils.translation import gettext_lazy as _

from alerts.models import Alert, Severity


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean times of the alerts of a period: until someone had them, until they were over."""

    opened: int
    acknowledged: int
    to_acknowledge: timedelta | None
    to_resolve: timedelta | None


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
