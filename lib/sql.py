"""Reads whose SQL is written by hand: constant text, values as parameters.

For reads of many rows or many sums, of which the ORM would write the same text anew for every page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model

Parameters = Sequence[Any] | Mapping[str, Any]
M = TypeVar("M", bound=Model)


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


class Table(Generic[M]):
    """A model in a plain statement: as text its columns under `alias`, and its instances from what they hold."""

    def __init__(self, model: type[M], alias: str) -> None:
        self.model, self.alias = model, alias
        fields = model._meta.concrete_fields
        self.names = [field.attname for field in fields]
        self.columns = [field.column for field in fields]
        readers = ((place, getattr(field, "from_db_value", None)) for place, field in enumerate(fields))
        self.readers = [(place, reader) for place, reader in readers if reader is not None]

    def __str__(self) -> str:
        return ", ".join(f'{self.alias}."{column}"' for column in self.columns)

    def instance(self, values: Sequence[Any]) -> M | None:
        """None where an outer join has no row of the model: its key, which stands first, is NULL."""
        if values[0] is None:
            return None
        if self.readers:
            values = list(values)
            for place, reader in self.readers:
                values[place] = reader(values[place], None, connection)
        return self.model.from_db(connection.alias, self.names, values)

    def read(self, rest: str = "", parameters: Parameters = ()) -> list[M]:
        """Its rows alone; `rest` is the statement from its joins or its WHERE on."""
        statement = f"SELECT {self} FROM {self.model._meta.db_table} AS {self.alias} {rest}"
        return [row for (row,) in instances(statement, self, parameters=parameters)]


def instances(statement: str, *tables: Table[Any], parameters: Parameters = ()) -> list[tuple[Any, ...]]:
    """For each row an instance of each table, whose columns begin the statement in that order; then what follows them.

    What a queryset gives, without the text that Django writes anew for each page.
    """
    ends = list(accumulate((len(table.names) for table in tables), initial=0))
    parts = list(zip(tables, ends, ends[1:], strict=False))
    return [
        (*(table.instance(row[start:end]) for table, start, end in parts), *row[ends[-1] :])
        for row in rows(statement, parameters)
    ]


def joined(statement: str, table: Table[M], parameters: Parameters = (), **related: Table[Any]) -> list[M]:
    """The instances of a table, each with those that the statement joins to it as its attributes of these names."""
    joined_instances = []
    for instance, *others in instances(statement, table, *related.values(), parameters=parameters):
        for name, other in zip(related, others, strict=True):
            setattr(instance, name, other)
        joined_instances.append(instance)
    return joined_instances
