"""Live prices of connectors as history in the book: each day on which the lowest price of a GPU changed is an entry."""

from __future__ import annotations

import logging
from datetime import date, datetime

from django.db import connection

from lib.events import log_event

logger = logging.getLogger(__name__)

# Only whole days, for the lowest of today may still fall. What is there is never edited; a later reading of the same
# days adds nothing. A day without offers leaves the last price standing.
GPUS = """
INSERT INTO providers_unitprice (kind, provider, name, variant, starts_at, amount, source, seen_at)
SELECT 'gpu', provider, gpu, kind, day::timestamp AT TIME ZONE 'UTC', low, source, %(now)s
FROM (
    SELECT d.*, 'offers of ' || d.provider || ', the lowest of the day' AS source,
           lag(low) OVER (PARTITION BY provider, gpu, kind ORDER BY day) AS before
    FROM providers_offerday AS d WHERE d.day < %(today)s
) AS days
WHERE (before IS NULL OR before <> low)
  AND day::timestamp AT TIME ZONE 'UTC' > coalesce((
      SELECT max(u.starts_at) FROM providers_unitprice AS u
      WHERE u.kind = 'gpu' AND u.provider = days.provider AND u.name = days.gpu AND u.variant = days.kind
        AND u.entered_by_id IS NULL
  ), '-infinity')
ON CONFLICT DO NOTHING
"""
# Storage beside a GPU, as offers state it: the lowest at each provider, when it has changed.
STORAGE = """
INSERT INTO providers_unitprice (kind, provider, name, variant, starts_at, amount, source, seen_at)
SELECT 'storage', provider, 'disk of a GPU machine', '', %(now)s, low,
       'offers of ' || provider || ', the lowest', %(now)s
FROM (
    SELECT provider, min(disk_per_gb_month) AS low FROM providers_offer
    WHERE available AND disk_per_gb_month IS NOT NULL GROUP BY provider
) AS offered
WHERE low IS DISTINCT FROM (
    SELECT amount FROM providers_unitprice AS u
    WHERE u.kind = 'storage' AND u.provider = offered.provider AND u.name = 'disk of a GPU machine' AND u.variant = ''
    ORDER BY starts_at DESC LIMIT 1
)
ON CONFLICT DO NOTHING
"""


def feed_book(now: datetime, today: date) -> int:
    """How many entries are new. The same day twice adds nothing."""
    with connection.cursor() as cursor:
        cursor.execute(GPUS, {"now": now, "today": today})
        added: int = cursor.rowcount
        cursor.execute(STORAGE, {"now": now})
        added += cursor.rowcount
    if added:
        log_event(logger, logging.INFO, "unit_prices_added", rows=added)
    return added
