"""Days come and go whole: partitions a week ahead, old ones dropped; a day is sealed with its totals before it goes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from providers.partitions import drop_partition, existing_days, make_partitions
from traffic.ingest.sql import SUMS
from traffic.ingest.store import TABLES, forget_days
from traffic.models import SealedDay
from traffic.reprice import MEMORY
from traffic.services import raw_connection

AHEAD = 7  # days
LINK_DAYS = 3  # exports of one call are minutes apart; what is older finds its twin by response id alone


def make_days_ahead(today: date) -> int:
    """Partitions of today and the week to come; returns how many were made."""
    days = [today + timedelta(days=n) for n in range(AHEAD + 1)]
    with raw_connection() as conn:
        return sum(make_partitions(conn, table, days) for table in TABLES)


def apply_retention(today: date) -> int:
    """Drop days past their time, bodies first; returns how many partitions went."""
    dropped = 0
    bodies, requests = settings.BODY_RETENTION_DAYS, settings.RETENTION_DAYS
    for day in days_before("traffic_request_body", today - timedelta(days=min(bodies, requests))):
        dropped += drop("traffic_request_body", day)
    for day in days_before("traffic_request", today - timedelta(days=requests)):
        seal(day)
        dropped += drop("traffic_request", day)
    for day in days_before(MEMORY, today - timedelta(days=requests)):
        dropped += drop(MEMORY, day)
    for day in days_before("traffic_span_link", today - timedelta(days=min(LINK_DAYS, requests))):
        dropped += drop("traffic_span_link", day)
    forget_days()
    return dropped


def days_before(table: str, day: date) -> list[date]:
    with raw_connection() as conn:
        return sorted(one for one in existing_days(conn, table) if one < day)


def drop(table: str, day: date) -> int:
    with raw_connection() as conn:
        drop_partition(conn, table, day)
    return 1


def seal(day: date) -> None:
    """Write down what a day's requests add up to, from the rows themselves, before they go."""
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
