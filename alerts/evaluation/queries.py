"""Reads of the evaluation: whether anybody runs the rules."""

from __future__ import annotations

from datetime import datetime, timedelta

from lib import sql

# Beat's interval is 15 s; past this nobody is evaluating.
LATE_AFTER = timedelta(seconds=180)


NEWEST = "SELECT max(evaluated_at) FROM alerts_rule WHERE enabled AND deleted_at IS NULL"


def evaluated_at() -> datetime | None:
    """When any rule last ran."""
    newest: datetime | None = sql.rows(NEWEST)[0][0]
    return newest


def is_late(now: datetime) -> bool:
    """Whether nobody evaluates the rules."""
    last = evaluated_at()
    return last is None or now - last > LATE_AFTER
