"""Compares the rollups with the rows, both read in one snapshot while ingest goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import connection

from traffic.usage.rebuild import Rollup


@dataclass(frozen=True)
class Difference:
    """A rollup row that is not what its requests add up to; `stored` or `right` is None where there is none."""

    table: str
    key: str
    stored: str | None
    right: str | None

    def __str__(self) -> str:
        return f"{self.table} {self.key}: stored {self.stored}, the rows say {self.right}"


def rollup_differences() -> Iterator[Difference]:
    """Every difference; run inside a repeatable-read transaction. Days whose rows are gone are compared by `sealed`."""
    for rollup in Rollup.all():
        yield from compare(rollup)


def compare(rollup: Rollup) -> Iterator[Difference]:
    key, table, mark, right = rollup.key, rollup.table, rollup.sums[0], rollup.right("traffic_request")
    stored_key, right_key = (", ".join(f"{side}.{name}" for name in key) for side in "sr")
    stored_sums, right_sums = (", ".join(f"{side}.{name}" for name in rollup.sums) for side in "sr")
    day = "(hour AT TIME ZONE 'UTC')::date" if rollup.period == "hour" else "day"
    statement = f"""
        SELECT concat_ws(' ', {", ".join(f"coalesce(s.{name}, r.{name})" for name in key)}),
               s.{mark}::text, r.{mark}::text, ROW({stored_sums})::text, ROW({right_sums})::text
        FROM (
            SELECT * FROM {table} WHERE {mark} <> 0 AND {day} NOT IN (SELECT day FROM traffic_sealedday)
        ) AS s
        FULL JOIN ({right}) AS r ON ({stored_key}) = ({right_key})
        WHERE ROW({stored_sums}) IS DISTINCT FROM ROW({right_sums})
    """
    with connection.cursor() as cursor:
        cursor.execute(statement)
        for key_text, stored, right_mark, stored_row, right_row in cursor:
            yield Difference(table, key_text, stored_row if stored else None, right_row if right_mark else None)
