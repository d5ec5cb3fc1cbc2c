"""What an outage cost in requests: those that failed on the deployment and those that another one answered for it.

Written into the outage for the Uptime page to read. Requests are counted here by the clock, never by a page.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q

from providers.models import Outage

# A request failed for an outage when it ended badly on the deployment, or tried it on its way to a bad end. It was
# rerouted when another deployment served it after this one had been tried, or was passed over as known to be down.
COUNT = """
SELECT count(*) FILTER (WHERE outcome IN ('error', 'timeout')),
       count(*) FILTER (WHERE outcome NOT IN ('error', 'timeout') AND deployment_id IS DISTINCT FROM %(deployment)s)
FROM traffic_request
WHERE day BETWEEN %(first)s AND %(last)s AND started_at >= %(start)s AND started_at < %(end)s
  AND (deployment_id = %(deployment)s
       OR raw @> jsonb_build_object('tries', jsonb_build_array(jsonb_build_object('deployment', %(slug)s::text)))
       OR raw->>'instead_of' = %(slug)s)
"""

LATE = timedelta(hours=1)  # rows come in late: an outage that is over is counted once more
AGAIN = timedelta(minutes=5)
PART = 20  # one that lasts is counted again after a twentieth of its length, so that a long one costs no more
AT_ONCE = 50


def count_requests(*, now: datetime) -> int:
    """Count for the outages that were not counted yet, last or have just ended; returns how many."""
    unknown = Q(counted_at=None)
    settled = Q(ended_at__isnull=False, counted_at__lt=F("ended_at") + LATE, ended_at__lte=now - LATE)
    just_over = Q(ended_at__isnull=False, counted_at__lt=F("ended_at"))
    lasting = Q(ended_at=None, counted_at__lt=now - AGAIN)
    uncounted = Outage.objects.filter(unknown | settled | just_over | lasting).select_related("deployment")
    chosen = [outage for outage in uncounted.order_by("-started_at")[:AT_ONCE] if is_due(outage, now)]
    for outage in chosen:
        count(outage, now)
    return len(chosen)


def is_due(outage: Outage, now: datetime) -> bool:
    if outage.counted_at is None or outage.ended_at is not None:
        return True
    return bool(now - outage.counted_at >= max(AGAIN, (now - outage.started_at) / PART))


def count(outage: Outage, now: datetime) -> None:
    end = outage.ended_at or now
    arguments: dict[str, Any] = {
        "deployment": outage.deployment_id,
        "slug": outage.deployment.slug,
        "start": outage.started_at,
        "end": end,
        "first": outage.started_at.astimezone(UTC).date(),
        "last": end.astimezone(UTC).date(),
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT, arguments)
        failed, rerouted = cursor.fetchone()
    Outage.objects.filter(pk=outage.pk).update(requests_failed=failed, requests_rerouted=rerouted, counted_at=now)
