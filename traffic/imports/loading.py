"""The marker that history is being loaded. Until it is over nothing is concluded from a period of which a part is
missing: the rules about spend and volume, anomalies and digests wait (`alerts.evaluation.services`, `costs.tasks`)."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.db.models import DateTimeField, ExpressionWrapper, F

from traffic.models import Import, Installation
from traffic.models.imports import ImportState

# An import holds back verdicts for so long at most: one that hangs must not silence the rules for ever.
LONGEST = timedelta(hours=24)


def loading_until(now: datetime) -> datetime | None:
    """Until when history is being loaded, at the latest; None where it is whole. One statement."""
    held = Installation.objects.filter(history_until__gt=now).values_list("history_until", flat=True)
    at_work = Import.objects.filter(state__in=(ImportState.RUNNING, ImportState.UNDOING), started_at__gt=now - LONGEST)
    ends = at_work.annotate(end=ExpressionWrapper(F("started_at") + LONGEST, DateTimeField())).order_by()
    moments = held.union(ends.values_list("end", flat=True))
    return max((moment for moment in moments if moment is not None), default=None)


def mark_loading(until: datetime | None) -> None:
    """Say that history is being loaded until a moment, which may be moved; None: it is whole now."""
    Installation.objects.get_or_create(pk=1, defaults={"salt": secrets.token_bytes(32)})
    Installation.objects.filter(pk=1).update(history_until=until)
