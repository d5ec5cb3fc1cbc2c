"""Retention of the alerts' rows: transitions stay; samples, old digests and used links are deleted."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from alerts.mail.links import LASTS
from alerts.models import Report, Sample, UsedLink
from alerts.models.reports import ReportKind
from lib.events import log_event

logger = logging.getLogger(__name__)

KEPT = timedelta(days=400)


def purge(now: datetime) -> int:
    """Returns how many rows went. A month's statement stays: it is what somebody was told that the month cost."""
    points, _by_model = Sample.objects.filter(alert__resolved_at__lt=now - KEPT).delete()
    old = Report.objects.filter(created_at__lt=now - KEPT).exclude(kind=ReportKind.STATEMENT)
    reports, _by_model = old.delete()
    # A link that has run out acts no more, used or not.
    links, _by_model = UsedLink.objects.filter(at__lt=now - 2 * LASTS).delete()
    if points or reports or links:
        log_event(logger, logging.INFO, "old_alert_rows_deleted", samples=points, reports=reports, used_links=links)
    return points + reports + links
