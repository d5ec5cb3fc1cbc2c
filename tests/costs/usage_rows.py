"""Rows of usage by day and hour, without the requests that they add up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from lib.dates import midnight
from traffic.models import UsageDay


def at(day: Any, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def ends_of_window() -> tuple[datetime, datetime]:
    """An hour at each end of the 30 days up to now, where rows of hours count and not those of days."""
    now = timezone.now()
    return now - timedelta(days=30) + timedelta(seconds=1), midnight(now.date())


def usage(table: Any = UsageDay, **given: Any) -> Any:
    zero = {field.name: 0 for field in table._meta.concrete_fields if field.name not in ("application", "deployment")}
    key = {"application_id": 0, "deployment_id": 0, "provider": "anthropic", "model": "claude", "task": "rag"}
    return table.objects.create(**{**zero, **key, "requests": 10, **given})
