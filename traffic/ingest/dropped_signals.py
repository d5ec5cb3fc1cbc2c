"""Counts items of telemetry that were received and not stored, by application and day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Q, Sum

from traffic.ingest.otlp.rows import Read
from traffic.models import Unread

# As often as it was sent: what is not kept has no identity that would tell a repetition.
ADD = """
INSERT INTO traffic_unread AS u (day, application_id, signal, unread, rejected, reason)
VALUES ((now() AT TIME ZONE 'UTC')::date, %s, %s, %s, %s, %s)
ON CONFLICT (day, application_id, signal) DO UPDATE SET unread = u.unread + excluded.unread,
    rejected = u.rejected + excluded.rejected,
    reason = CASE WHEN excluded.reason = '' THEN u.reason ELSE excluded.reason END
"""


def count_dropped(read: Read, signal: str, application_id: int | None) -> None:
    """Count items of an export that were not stored; a statement of its own, after the rows are committed."""
    if read.unread or read.rejected:
        reason = read.reason[:300].replace("\0", "\N{REPLACEMENT CHARACTER}")  # it may repeat what was refused
        with connection.cursor() as cursor:
            cursor.execute(ADD, [application_id, signal, read.unread, read.rejected, reason])


def count_refused(
    refused: Sequence[Mapping[str, Any]], signal: str, application_id: int | None, *, skipped: int = 0
) -> None:
    """Count rejected and skipped rows: LiteLLM reads no answer, and a job may read none."""
    read = Read(unread=skipped)
    for row in refused:
        error = row["errors"][0]
        read.reject(": ".join([".".join(str(part) for part in error["loc"]), error["msg"]]).removeprefix(": "))
    count_dropped(read, signal, application_id)


def dropped_since(first: date) -> list[dict[str, Any]]:
    """By application and signal: `unread` and `rejected` items since that day, with the last reason."""
    dropped = Unread.objects.filter(day__gte=first).values("application__slug", "application__name", "signal")
    reasons = ArrayAgg("reason", filter=~Q(reason=""), order_by="-day", default=[])
    sums = dropped.annotate(n=Sum("unread"), refused=Sum("rejected"), reasons=reasons)
    rows = sums.order_by("application__slug", "signal")
    return [{**row, "why": row["reasons"][0] if row["reasons"] else ""} for row in rows]
