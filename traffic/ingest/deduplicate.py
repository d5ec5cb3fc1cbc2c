"""Waiting rows whose response id is stored become that row, within one application.

A row belongs to its application. The same response id told by two of them is two rows: the application that told it
first has it under the hash of the id, each other one under a hash of the id and of itself. So the unique index of
(day, hash) also tells writers that race for one call, whoever they are. A row without application, which a collector
sent, is the first application's, whether it came before it or after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import psycopg
from psycopg import errors

from traffic.ingest.batch import Batch, array, bounds
from traffic.ingest.sql import deduplicate as sql
from traffic.request_ids import second_hash


class Match(NamedTuple):
    """A waiting row and a stored one with the same hash of a response id. Named as FIND_STORED selects."""

    number: int
    day: date
    id: uuid.UUID
    response_hash: uuid.UUID
    application_id: int | None
    erased: bool  # its application or user was deleted on request
    stored_day: date
    stored_id: uuid.UUID
    stored_application_id: int | None
    stored_erased: bool

    @property
    def is_same_call(self) -> bool:
        """Whether both rows are of one application, or one is of a collector, which names none."""
        # A row without application whose data was deleted is not a collector's.
        if self.application_id == self.stored_application_id:
            return True
        if self.application_id is None:
            return not self.erased
        return self.stored_application_id is None and not self.stored_erased

    @property
    def is_claim(self) -> bool:
        """Whether the stored row gets an application by this."""
        return self.stored_application_id is None and self.application_id is not None

    @property
    def second(self) -> uuid.UUID:
        return second_hash(self.response_hash, self.application_id)


Place = tuple[date, uuid.UUID]


def take_over(conn: psycopg.Connection, batches: Sequence[Batch]) -> int:
    """Waiting rows whose response id is stored become that row, whatever their own id was; returns how many did.

    Raises SerializationFailure when another writer was first with a row without application.
    """
    days = sorted({day for batch in batches for day in batch.hash_days})
    rows = [row for day in days for row in conn.execute(sql.FIND_STORED, {"day": day}).fetchall()]
    if not rows:
        return 0
    matches = [Match(*row) for row in rows]
    calls = sorted((match for match in matches if match.is_same_call), key=lambda match: not match.is_claim)
    places = {match.number: stored_place(match) for match in calls}  # of two, the one that is its application's already
    if any(match.is_claim or not match.is_same_call for match in matches):
        second = apart(conn, days, matches)
        claims = [match for match in calls if match.is_claim and match.number not in second]
        places |= second
        for match in losers(claims):
            places.pop(match.number, None)
        claim(conn, batches, [match for match in claims if places.get(match.number) == stored_place(match)])
    own = {match.number: (match.day, match.id) for match in matches}
    moves = {number: place for number, place in places.items() if place != own[number]}
    move(conn, batches, moves)
    return len(moves)


def stored_place(match: Match) -> Place:
    return match.stored_day, match.stored_id


def losers(claims: Iterable[Match]) -> list[Match]:
    """Rows that claim what another row claims for its application: they wait, and then find it taken.

    The first has it, or who has moved there in an earlier pass and still waits.
    """
    owners: dict[Place, int | None] = {}
    ordered = sorted(claims, key=lambda match: ((match.day, match.id) != stored_place(match), match.number))
    return [
        match
        for match in ordered
        if owners.setdefault(stored_place(match), match.application_id) != match.application_id
    ]


def apart(conn: psycopg.Connection, days: Sequence[date], matches: Sequence[Match]) -> dict[int, Place]:
    """Find the stored rows of response ids that another application reported first; rows without one get their own
    hash."""
    asking = {match.number: match for match in matches if match.is_claim or not match.is_same_call}
    arguments = {"numbers": array(asking), "hashes": array(match.second.hex for match in asking.values())}
    stored = {
        number: (on, id) for day in days for number, on, id in conn.execute(sql.FIND_SECOND, {**arguments, "day": day})
    }
    same = {match.number for match in matches if match.is_same_call}
    taken = {match.number for match in matches if not match.is_same_call and match.stored_day == match.day}
    moved = {number: asking[number].second.hex for number in asking if number in taken and number not in same}
    if moved:
        conn.execute(sql.SET_APART, {"numbers": array(moved), "hashes": array(moved.values())})
    return stored


def claim(conn: psycopg.Connection, batches: Sequence[Batch], claims: Sequence[Match]) -> None:
    """Lock stored rows without an application, which are to get one. Raises SerializationFailure where one has got
    another since."""
    places = sorted({stored_place(match) for match in claims})
    if not places:
        return
    days, ids = zip(*places, strict=True)
    arguments = {**bounds(batches), "days": array(days), "ids": array(identifier.hex for identifier in ids)}
    if len(conn.execute(sql.CLAIM, arguments).fetchall()) != len(places):
        raise errors.SerializationFailure("another application was first, so the batch is repeated")


def move(conn: psycopg.Connection, batches: Sequence[Batch], places: dict[int, Place]) -> None:
    """Give waiting rows the day and id of their stored rows, and absorb what is stored under their own ids."""
    if not places:
        return
    days, ids = zip(*places.values(), strict=True)
    arguments = {"numbers": array(places), "days": array(days), "ids": array(identifier.hex for identifier in ids)}
    taken = conn.execute(sql.TAKE_OVER, arguments).fetchall()
    names = ("own_days", "own_ids", "days", "ids")
    conn.execute(sql.FOLLOW, dict(zip(names, map(array, zip(*taken, strict=True)), strict=True)))
    conn.execute(sql.ABSORB, bounds(batches))
