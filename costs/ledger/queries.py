"""Reads of the ledger as a whole."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db.models import QuerySet

from costs.models import Charge
from providers.prepared import prepared
from traffic.models import UsageDay


def first_known_day(today: date) -> date:
    """Of usage or charges, in one statement that reads the end of an index of each."""
    first: date = min([*first_days(), today])
    return first


@prepared
def first_days() -> QuerySet[Any]:
    used, charged = (table.objects.order_by("day").values_list("day", flat=True)[:1] for table in (UsageDay, Charge))
    return used.union(charged, all=True)
