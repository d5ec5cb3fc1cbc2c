"""Rows of usage by day and hour, without the requests that they add up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from traffic.models import UsageDay


def at(day: Any, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def usage(table: Any = UsageDay, **given: Any) -> Any:
    zero = {field.name: 0 for field in table._meta.concrete_fields if field.name not in ("application", "deployment")}
    key = {"application_id": 0, "deployment_id": 0, "provider": "anthropic", "model": "claude", "task": "rag"}
    return table.objects.create(**{**zero, **key, "requests": 10, **given})
