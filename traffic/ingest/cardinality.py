"""Limits how many different names an application may bring in a day: the rollups have a row for each, pages a line.

Who may send requests may name models as it likes. What comes beyond the bound is kept under one name that says so, so
that no key can make work for everybody who reads the figures. A model that has a price counts for nothing.

What was admitted on a day is shared in Postgres as digests; a process asks for what it has not seen, once per batch,
and not at all once a bound is reached. Two processes that ask at the same moment may admit a few names more.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, NamedTuple

import psycopg

from providers.pricing.book import OTHER_MODEL, Book
from traffic.ingest.bounds import MOST_ERROR_TYPES, MOST_MODELS, MOST_PROVIDERS
from traffic.ingest.rows import RequestRow

TOO_MANY = "too_many_names"  # the doubt of a row whose names were replaced
OTHER = "other"  # in the place of a provider, which is a slug, and of a type of error
MOST = {"provider": MOST_PROVIDERS, "model": MOST_MODELS, "error": MOST_ERROR_TYPES}
MOST_CACHED = 16 << 20  # bytes, about, of names that a process remembers
ENTRY = 400  # bytes of one besides its characters
ROUNDS = 4  # providers, then their models; and again where another process was faster

# What the rollups count errors by. A sentence is none of them, and costs nothing; see `ERROR_KIND`.
KIND_OF_ERROR = re.compile(r"[\w.:/-]{1,60}")

Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
Group = tuple[str, int]  # kind of name, and application; 0 stands for none


class Name(NamedTuple):
    """A provider, model or error type as a digest, with the group that it counts in."""

    group: Group
    digest: uuid.UUID

    @classmethod
    def of(cls, kind: str, application_id: int | None, *texts: str) -> Name:
        content = "\0".join(texts).encode("utf-8", "surrogatepass")
        return cls((kind, application_id or 0), uuid.UUID(bytes=blake2b(content, digest_size=16).digest()))


@dataclass
class Names:
    """The names that this process has seen on one UTC day, the day of arrival."""

    day: date = date.min
    seen: set[tuple[int | None, str, str | None]] = field(default_factory=set)  # what needs no second look
    admitted: dict[Group, set[uuid.UUID]] = field(default_factory=dict)
    size: int = 0  # of `seen` in bytes, about

    def bound(self, rows: Sequence[RequestRow], book: Book, connect: Connect) -> None:
        """Replace the names of rows that go beyond what their application may bring today.

        Raises what `connect` and the database raise; then no row is changed.
        """
        if unseen := self.unseen(rows):
            self._ask(unseen, book, connect)
            for row in unseen:
                self._judge(row, book)

    def unseen(self, rows: Sequence[RequestRow]) -> list[RequestRow]:
        """The rows that bring a name which was not looked at yet today."""
        self._begin(datetime.now(UTC).date())
        seen = self.seen
        return [
            row
            for row in rows
            if (row.application_id, row.provider, row.model) not in seen
            or (row.error_type is not None and (row.application_id, row.error_type, None) not in seen)
        ]

    def _begin(self, day: date) -> None:
        """Clear the names on a new day, and when the cache is full."""
        if day != self.day or self.size > MOST_CACHED:
            self.day, self.size, self.seen, self.admitted = day, 0, set(), {}

    def _ask(self, rows: Sequence[RequestRow], book: Book, connect: Connect) -> None:
        """Ask the database to admit unknown names: one query as a rule, two for a new provider."""
        for _ in range(ROUNDS):
            unknown = list(dict.fromkeys(name for row in rows for name in self._unknown(row, book)))
            if not unknown:
                return
            with connect() as conn:
                for group, digest in admit(conn, self.day, unknown):
                    self.admitted.setdefault(group, set()).add(digest)

    def _unknown(self, row: RequestRow, book: Book) -> Iterator[Name]:
        """Names of a row that may or may not be admitted already. Of a provider that is not, no model counts."""
        for name in names_of(row, book):
            verdict = self._is_admitted(name)
            if verdict is None:
                yield name
            if not verdict and name.group[0] == "provider":
                break

    def _is_admitted(self, name: Name) -> bool | None:
        """Whether a name is admitted; None where only the database knows."""
        admitted = self.admitted.get(name.group, set())
        return True if name.digest in admitted else False if len(admitted) >= MOST[name.group[0]] else None

    def _judge(self, row: RequestRow, book: Book) -> None:
        refused = {name.group[0] for name in names_of(row, book) if self._is_admitted(name) is False}
        names = {"provider": row.provider, "model": row.model, "error_type": row.error_type}
        if "provider" in refused:
            row.provider, row.model = OTHER, OTHER_MODEL
        if "model" in refused:
            row.model = OTHER_MODEL
        if "error" in refused:
            row.error_type = OTHER
        if refused:
            note(row, {field: text for field, text in names.items() if text != getattr(row, field)})
        self._remember((row.application_id, row.provider, row.model))
        if row.error_type is not None and KIND_OF_ERROR.fullmatch(row.error_type):
            self._remember((row.application_id, row.error_type, None))

    def _remember(self, entry: tuple[int | None, str, str | None]) -> None:
        if entry not in self.seen:
            self.seen.add(entry)
            self.size += ENTRY + 4 * (len(entry[1]) + len(entry[2] or ""))


def names_of(row: RequestRow, book: Book) -> Iterator[Name]:
    """The names of a row that count against a limit: its error, its provider and its model, in this order."""
    error = row.error_type
    if error is not None and error != OTHER and KIND_OF_ERROR.fullmatch(error):
        yield Name.of("error", row.application_id, error)
    if row.model != OTHER_MODEL and (row.provider, row.model) not in book.prices:
        yield Name.of("provider", row.application_id, row.provider)
        yield Name.of("model", row.application_id, row.provider, row.model)


def note(row: RequestRow, names: dict[str, str | None]) -> None:
    """Write into the raw record that names were replaced, and what they were."""
    raw = dict(row.raw or {})
    doubts = raw.get("doubts")
    raw["doubts"] = [*(doubts if isinstance(doubts, list) else []), TOO_MANY]
    raw["named"] = names
    row.raw, row.suspect = raw, True  # a caller's text, which is looked through like all that is kept raw


def admit(conn: psycopg.Connection[Any], day: date, names: Iterable[Name]) -> list[Name]:
    """Admit names in their order while there is room; returns every admitted name of their groups."""
    groups: dict[Group, list[uuid.UUID]] = {}
    for group, digest in names:
        groups.setdefault(group, []).append(digest)
    sent = [Name(group, digest) for group, digests in groups.items() for digest in islice(digests, MOST[group[0]])]
    columns = {
        "kinds": [name.group[0] for name in sent],
        "applications": [name.group[1] for name in sent],
        "most": [MOST[name.group[0]] for name in sent],
        "digests": [name.digest for name in sent],
    }
    rows = conn.execute(ADMIT, {"day": day, **columns}).fetchall()
    return [Name((kind, application), digest) for kind, application, digest in rows]


ADMIT = """
WITH sent AS (
    SELECT * FROM unnest(%(kinds)s::text[], %(applications)s::bigint[], %(most)s::int[], %(digests)s::uuid[])
        WITH ORDINALITY AS sent (kind, application_id, most, digest, place)
), stored AS MATERIALIZED (
    SELECT kind, application_id, digest FROM traffic_admittedname
    WHERE day = %(day)s AND (kind, application_id) IN (SELECT kind, application_id FROM sent)
), room AS (
    SELECT kind, application_id, count(*) AS taken FROM stored GROUP BY 1, 2
), fresh AS (
    SELECT *, row_number() OVER (PARTITION BY kind, application_id ORDER BY place) AS rank
    FROM (SELECT * FROM sent WHERE (kind, application_id, digest) NOT IN (SELECT * FROM stored)) AS fresh
), added AS (
    INSERT INTO traffic_admittedname (day, kind, application_id, digest)
    SELECT %(day)s, kind, application_id, digest FROM fresh LEFT JOIN room USING (kind, application_id)
    WHERE rank + coalesce(taken, 0) <= most ORDER BY 2, 3, 4
    ON CONFLICT DO NOTHING RETURNING kind, application_id, digest
)
SELECT * FROM stored UNION ALL SELECT * FROM added
"""
