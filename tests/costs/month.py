"""The month that statements are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

TODAY = datetime.now(UTC).date()

MONTH = (TODAY.replace(day=1) - timedelta(days=1)).replace(day=1)

START = datetime(MONTH.year, MONTH.month, 1, tzinfo=UTC)

URL = "/spend/statements/"
