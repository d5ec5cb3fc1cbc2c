"""For how many days requests and bodies are kept: as somebody set it on the page, else as the environment says."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from django.conf import settings
from django.db.models import Max

from traffic.models import Installation, SealedDay

LEAST, MOST = 7, 3_650  # days of requests; with less there is no week to compare, and no bill is whole yet


class RetentionDays(NamedTuple):
    """Days; a body never outlives its request."""

    requests: int
    bodies: int


def current_retention() -> RetentionDays:
    """What holds now."""
    requests, bodies = Installation.objects.values_list("request_days", "body_days").first() or (None, None)
    requests = settings.RETENTION_DAYS if requests is None else requests
    return RetentionDays(requests, min(requests, settings.BODY_RETENTION_DAYS if bodies is None else bodies))


def accepted_days(today: date) -> int:
    """How many days back requests are taken in: not onto a day that was sealed, when more days are kept than before."""
    days, sealed = current_retention().requests, SealedDay.objects.aggregate(last=Max("day"))["last"]
    return days if sealed is None else min(days, max((today - sealed).days - 1, 0))
