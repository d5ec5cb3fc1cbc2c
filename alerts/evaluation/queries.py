"""Reads of the evaluation: whether anybody runs the rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Max

from alerts.models import Rule

# Beat's interval is 15 s; past this nobody is evaluating.
LATE_AFTER = timedelta(seconds=180)


def evaluated_at() -> datetime | None:
    """When any rule last ran."""
    newest: datetime | None = Rule.objects.enabled().aggregate(last=Max("evaluated_at"))["last"]
    return newest


def is_late(now: datetime) -> bool:
    """Whether nobody evaluates the rules."""
    last = evaluated_at()
    return last is None or now - last > LATE_AFTER
