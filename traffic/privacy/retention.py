"""Makes partitions a week ahead and drops old ones; a day's totals are sealed before its partition goes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from lib.dates import midnight
from lib.events import log_event
from lib.partitions import drop_partition, existing_days, make_partitions
from traffic.caps.services import purge_use
from traffic.comparisons.services import forget_words
from traffic.feedback_links import services as feedback_links
from traffic.gateway import aside
from traffic.ingest.context import raw_connection
from traffic.ingest.sql.rollups import SUMS
from traffic.ingest.store import LINKS, TABLES, clear_known_days
from traffic.judges.services import forget_reasons
from traffic.models import AdmittedName, HeldObject, KeyUse, SealedDay, Unread
from traffic.ratings.services import forget_notes
from traffic.repricing.run import MEMORY
from traffic.retention_settings import RetentionDays, current_retention
from traffic.trials.services import forget_texts
from traffic.trials.sets import forget_items

logger = logging.getLogger(__name__)

AHEAD = 7  # days
REQUESTS, BODIES = "traffic_request", "traffic_request_body"
LONGEST_QUOTA = 31  # days; a quota counts since the month began
LINK_DAYS = 3  # exports of one call are minutes apart; what is older finds its twin by response id alone
ANSWER_DAYS = 31  # a vendor forgets a stored answer after 30
MOST_ANSWERS = 1_000_000  # stored by vendors for one application, and remembered; the oldest go
OVERFULL = """
SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY application_id ORDER BY id DESC) AS place
                FROM traffic_heldobject WHERE is_answer) AS answers WHERE place > %s
"""


def make_days_ahead(today: date) -> int:
    """Partitions of today and the week to come; returns how many were made."""
    days = [today + timedelta(days=n) for n in range(AHEAD + 1)]
    with raw_connection() as conn:
        made = sum(make_partitions(conn, table, days) for table in TABLES)
    if made:
        log_event(logger, logging.INFO, "partitions_made", partitions=made, until=days[-1])
    return made


def apply_retention(today: date) -> int:
    """Drop days past their time, bodies first; returns how many partitions went."""
    days = current_retention()
    gone = due(today, days)
    for table, old in gone.items():
        for day in old:
            if table == REQUESTS:
                seal(day)
            drop(table, day)
        if old:
            log_event(logger, logging.INFO, "partitions_dropped", table=table, partitions=len(old), until=old[-1])
    clear_known_days()
    for counted in (Unread, KeyUse):  # a row a day, which nobody asks for once its requests are gone
        counted._default_manager.filter(day__lt=today - timedelta(days=max(days.requests, LONGEST_QUOTA))).delete()
    AdmittedName.objects.filter(day__lt=today).delete()
    purge_use(midnight(today))
    forget_answers(today)
    feedback_links.purge()
    purge_set_aside(today - timedelta(days=days.bodies))
    forget_texts(midnight(today - timedelta(days=days.bodies)))
    forget_reasons(today - timedelta(days=days.bodies))
    forget_notes(today - timedelta(days=days.bodies))
    forget_words(midnight(today - timedelta(days=days.bodies)))
    forget_items(today - timedelta(days=days.bodies))
    return sum(map(len, gone.values()))


def purge_set_aside(before: date) -> int:
    """Calls of the gateway that could not be stored go with the bodies of their day, for they may hold some."""
    moment = midnight(before)
    folder = Path(settings.DATA_DIR) / "spool"
    return aside.remove(folder / aside.SET_ASIDE, lambda line: aside.is_older(line, moment))


def forget_answers(today: date) -> int:
    """Forget whose the answers are that vendors have forgotten, and the oldest where there are too many; how many."""
    answers = HeldObject.objects.filter(is_answer=True)
    old = answers.filter(created_at__lt=midnight(today - timedelta(days=ANSWER_DAYS))).delete()[0]
    overfull = [row.pk for row in HeldObject.objects.raw(OVERFULL, [MOST_ANSWERS])]
    return old + answers.filter(pk__in=overfull).delete()[0]


def limits(days: RetentionDays) -> dict[str, int]:
    """How many days back each table's partitions reach, in the order in which they go."""
    return {BODIES: days.bodies, REQUESTS: days.requests, MEMORY: days.requests, LINKS: min(LINK_DAYS, days.requests)}


def due(today: date, days: RetentionDays) -> dict[str, list[date]]:
    """Partitions past their time under these retention days, by table, the oldest first."""
    return {table: days_before(table, today - timedelta(days=limit)) for table, limit in limits(days).items()}


def days_before(table: str, day: date) -> list[date]:
    with raw_connection() as conn:
        return sorted(stored_day for stored_day in existing_days(conn, table) if stored_day < day)


def drop(table: str, day: date) -> None:
    with raw_connection() as conn:
        drop_partition(conn, table, day)


def seal(day: date) -> None:
    """Store the totals of a day's rows before they are dropped."""
    with transaction.atomic():
        SealedDay.objects.get_or_create(day=day, defaults={"totals": totals_of_rows(day)})


def totals_of_rows(day: date) -> dict[str, Any]:
    columns = ", ".join(f"coalesce(sum({expression}), 0)::text AS {name}" for name, expression in SUMS.items())
    return one_row(f"SELECT {columns} FROM traffic_request WHERE day = %s", day)  # our own columns


def totals_of_rollup(day: date) -> dict[str, Any]:
    columns = ", ".join(f"coalesce(sum({name}), 0)::text AS {name}" for name in SUMS)
    return one_row(f"SELECT {columns} FROM traffic_usage_day WHERE day = %s", day)  # our own columns


def one_row(statement: str, day: date) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [day])
        row = cursor.fetchone()
        assert row is not None and cursor.description is not None, "an aggregate has a row"
        return {column.name: value for column, value in zip(cursor.description, row, strict=True)}


def sealed_differences() -> Iterator[tuple[date, str, str, str]]:
    """Sealed days whose rollup is no longer what it was: (day, column, stored, sealed)."""
    for sealed in SealedDay.objects.all():
        stored = totals_of_rollup(sealed.day)
        for name, right in sealed.totals.items():
            if Decimal(stored.get(name, 0)) != Decimal(right):
                yield sealed.day, name, str(stored.get(name)), right
