"""Querysets whose SQL a process compiles once: the methods of Django's SQL compiler are replaced by their result.

Django writes the text of a query anew whenever it is asked, which takes it longer than to ask it: of a page of two
dozen reads it was half the work. A function decorated with `prepared` builds its query with stand-ins for its
arguments the first time; from then on the same text is sent with the values of the day.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, wraps
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import QuerySet

KEPT = 64  # texts of one read: a few, unless what it is asked for by name has many forms


def prepared(build: Callable[..., QuerySet[Any]]) -> Callable[..., list[Any]]:
    """The rows of the query that `build` makes, in a list.

    Positional arguments (dates, moments, whole numbers, texts) are values of the query and must reach it as they are;
    what is reckoned from them is reckoned by the caller. Keywords are part of its text and must be hashable.
    """

    @lru_cache(KEPT)
    def statement(kinds: tuple[type, ...], shape: tuple[tuple[str, Any], ...]) -> Statement:
        values = [stand_in(kind, place) for place, kind in enumerate(kinds)]
        return Statement(build(*values, **dict(shape)), values)

    @wraps(build)
    def rows(*values: Any, **shape: Any) -> list[Any]:
        return statement(tuple(map(type, values)), tuple(shape.items())).rows(values)

    return rows


def stand_in(kind: type, place: int) -> Any:
    """A value of this kind that is no other argument's and nothing that a query would say itself."""
    if issubclass(kind, datetime):
        return datetime(1, 1, 1, tzinfo=UTC) + timedelta(place)
    if issubclass(kind, date):
        return date(1, 1, 1) + timedelta(place)
    if issubclass(kind, int):
        return kind(2_000_000_011 + place)
    if issubclass(kind, str):
        return f"stand-in {place}"
    raise TypeError(f"a prepared read takes no {kind.__name__}")


class Statement:
    """A query's text, and which of its parameters are which of the values."""

    def __init__(self, query: QuerySet[Any], values: Sequence[Any]) -> None:
        self.queryset = query
        self.compiler = query.query.get_compiler(DEFAULT_DB_ALIAS)
        self.sql, self.parameters = self.compiler.as_sql()
        converters = self.compiler.get_converters([column[0] for column in self.compiler.select])
        places = {(type(value), value): place for place, value in enumerate(values)}
        self.places = [(at, places[kind_of(p), p]) for at, p in enumerate(self.parameters) if (kind_of(p), p) in places]
        if {place for _at, place in self.places} != set(range(len(values))):
            raise ValueError("a value does not reach the query as it was given")
        # Of the columns too it is known once for all what the database's values become.
        self.compiler.get_converters = lambda _columns: converters

    def rows(self, values: Sequence[Any]) -> list[Any]:
        parameters = list(self.parameters)
        for at, place in self.places:
            parameters[at] = values[place]
        compiler = copy(self.compiler)
        compiler.connection = connections[DEFAULT_DB_ALIAS]  # this thread's
        compiler.as_sql = lambda *_args, **_options: (self.sql, tuple(parameters))
        query = copy(self.queryset.query)
        query.get_compiler = lambda *_args, **_options: compiler  # type: ignore[method-assign]
        queryset = copy_of(self.queryset)
        queryset._query = query
        return list(queryset)


def kind_of(parameter: Any) -> type:
    """Whole numbers come in kinds of the driver's, by the size of their column."""
    return int if isinstance(parameter, int) and not isinstance(parameter, bool) else type(parameter)


def copy_of(queryset: QuerySet[Any]) -> Any:
    """The same without its rows; copied by hand, since a copy by Python would read them."""
    copy: Any = object.__new__(type(queryset))
    copy.__dict__.update(queryset.__dict__)
    return copy
