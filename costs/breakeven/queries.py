"""Reads of the break-even page that belong to no input of it."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import Sum

from providers.prepared import prepared
from traffic.models import UsageDay


@prepared
def day_requests(since: date, until: date) -> Any:
    """Days and the number of their requests."""
    rows = UsageDay.objects.filter(day__gte=since, day__lte=until).values("day").order_by()
    return rows.annotate(n=Sum("requests")).values_list("day", "n")
