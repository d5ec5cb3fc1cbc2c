"""Reads whose SQL is written by hand: constant text, values as parameters.

For reads of many rows or many sums, of which the ORM would write the same text anew for every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def rows(statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """The rows of a statement as tuples."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        fetched: list[tuple[Any, ...]] = cursor.fetchall()
    return fetched


def mappings(statement: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """The rows of a statement by the names of its columns."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
