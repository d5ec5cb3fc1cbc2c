"""Prompts and answers that come as log records beside the spans of their calls, and become bodies of requests.

Either may come first. The pieces wait in a table of their own, redacted, for an hour. Each export of logs, and a task
every few seconds, attaches the pieces whose request has arrived. The path of spans does not depend on them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg import errors

from lib.partitions import existing_days
from traffic.authentication.keys import Caller
from traffic.ingest.batch import NOTHING, size_of
from traffic.ingest.context import pricing_context, raw_connection
from traffic.ingest.dropped_signals import count_dropped
from traffic.ingest.otlp.rows import Read, moment
from traffic.ingest.otlp.texts import BodyPart, body_of
from traffic.ingest.parse_lock import parse_lock
from traffic.ingest.pricing import PricingContext
from traffic.ingest.sql import rows as rows_sql
from traffic.ingest.sql import texts as sql
from traffic.ingest.store import ATTEMPTS, use_of
from traffic.redaction.rules import EVERYTHING
from traffic.redaction.work_bounds import one_request
from traffic.request_ids import request_id

KEPT = timedelta(hours=1)  # after which a text is deleted, with or without a call
SOONEST = timedelta(seconds=5)  # between two looks for a call
BATCH = 2_000  # calls
ROUNDS = 20  # of a run by the clock; the next goes on
TEXTS = "texts"  # what the page of applications calls them
NOT_KEPT = "The application keeps no prompts and answers."
NO_CALL = "Their span did not come within an hour."

Name = tuple[int, str]  # application, and the trace and span of a call


@dataclass
class Call:
    """The pieces of one call in order of time, and where its request is."""

    name: Name
    ids: list[int] = field(default_factory=list)
    parts: list[BodyPart] = field(default_factory=list)
    attached_parts: list[BodyPart] = field(default_factory=list)  # of them those that are in the body
    day: date = date.min
    request: uuid.UUID | None = None


def save(read: Read, caller: Caller, now: datetime) -> None:
    """Store what an export of logs said for applications that keep it, and count the rest. Idempotent."""
    if read.dropped:
        count_dropped(Read(unread=read.dropped, reason=NOT_KEPT), TEXTS, caller.application_id)
    if not read.body_parts:
        return
    pricing = pricing_context.get()
    text = sum(len(part.prompt or "") + len(part.answer or "") for part in read.body_parts)
    with parse_lock(rows=len(read.body_parts), size=text), one_request():
        pieces = [
            redacted(part, pricing)
            for part in read.body_parts
            if part.application_id not in pricing.erased_applications
        ]
    with raw_connection() as conn:
        with conn.transaction():
            conn.execute("SET LOCAL synchronous_commit = on")
            new = conn.execute(sql.KEEP, {**columns_of(pieces), "now": now}).fetchall()
            size = size_of(text for piece in pieces for text in (piece.prompt, piece.answer))
            conn.execute(rows_sql.COUNT_USE, use_of(caller.key_id, NOTHING, size))
        attach(conn, set(new), pricing, now)


def redacted(part: BodyPart, pricing: PricingContext) -> BodyPart:
    """A piece after the redaction of its application."""
    redaction = pricing.redactions.get(part.application_id, EVERYTHING)
    return BodyPart(
        part.call,
        part.at_ns,
        redaction.prompt(part.prompt),
        redaction.optional(part.answer),
        part.whole,
        part.application_id,
    )


def columns_of(pieces: Sequence[BodyPart]) -> dict[str, list[Any]]:
    return {
        "applications": [piece.application_id for piece in pieces], "calls": [piece.call for piece in pieces],
        "times": [piece.at_ns for piece in pieces], "digests": [digest(piece) for piece in pieces],
        "wholes": [piece.whole for piece in pieces], "prompts": [piece.prompt for piece in pieces],
        "answers": [piece.answer for piece in pieces],
    }  # fmt: skip


def digest(part: BodyPart) -> uuid.UUID:
    content = f"{part.whole}\0{part.prompt or ''}\0{part.answer or ''}"
    return uuid.UUID(bytes=blake2b(content.encode(), digest_size=16).digest())


def attach_due(now: datetime, batch: int = BATCH) -> int:
    """Look for the calls whose time it is, and delete what has waited its hour; returns how many calls were found."""
    purge(now)
    attached = 0
    with raw_connection() as conn:
        pricing = pricing_context.get()
        for _ in range(ROUNDS):
            names = conn.execute(sql.DUE, {"now": now, "limit": batch}).fetchall()
            attached += attach(conn, set(names), pricing, now)
            if len(names) < batch:
                break
    return attached


def purge(now: datetime) -> None:
    with raw_connection() as conn:
        gone = conn.execute(sql.FORGET, {"before": now - KEPT}).fetchall()
    for application_id, n in gone:
        count_dropped(Read(unread=n, reason=NO_CALL), TEXTS, application_id)


def attach(conn: psycopg.Connection, names: set[Name], pricing: PricingContext, now: datetime) -> int:
    """Attach the pieces of these calls to requests that are stored; returns of how many calls."""
    if not names:
        return 0
    for _ in range(ATTEMPTS):
        try:
            return attach_once(conn, sorted(names), pricing, now)
        except (errors.DeadlockDetected, errors.SerializationFailure, errors.CheckViolation):
            continue  # the last: retention dropped the day under us
    return 0  # they stay due, and are looked for by the clock


def attach_once(conn: psycopg.Connection, names: Sequence[Name], pricing: PricingContext, now: datetime) -> int:
    with conn.transaction():
        conn.execute("SET LOCAL enable_seqscan = off")  # as where ingest looks for twins
        applications, calls = zip(*names, strict=True)
        named = {"applications": list(applications), "calls": list(calls)}
        gathered = calls_of(conn.execute(sql.PIECES, named).fetchall())
        stored = find(conn, gathered, pricing.salt)
        if stored:
            write(conn, stored)
        arguments = {
            "pieces": [piece for call in gathered for piece in call.ids], "now": now, "least": SOONEST,
            "found": [piece for call in stored for piece in call.ids],
        }  # fmt: skip
        conn.execute(sql.LOOKED, arguments)
    return len(stored)


def calls_of(rows: Iterable[tuple[Any, ...]]) -> list[Call]:
    gathered: dict[Name, Call] = {}
    for identifier, application_id, name, at_ns, whole, prompt, answer, attached in rows:
        call = gathered.setdefault((application_id, name), Call((application_id, name)))
        part = BodyPart(name, at_ns, prompt, answer, whole, application_id)
        call.ids.append(identifier)
        call.parts.append(part)
        if attached:
            call.attached_parts.append(part)
    return list(gathered.values())


def find(conn: psycopg.Connection, gathered: Sequence[Call], salt: bytes) -> list[Call]:
    """The calls whose request is stored, not deleted, and now locked. A call may have begun on the day before its
    texts."""
    places = [
        (number, day, request_id(salt, *call.name, day)) for number, call in enumerate(gathered) for day in days(call)
    ]
    if not places:
        return []
    numbers, on, ids = zip(*places, strict=True)
    bounds = {"low": min(on), "high": max(on)}
    for number, day, identifier in conn.execute(
        sql.FIND, {**bounds, "numbers": list(numbers), "days": list(on), "ids": list(ids)}
    ).fetchall():
        gathered[number].day, gathered[number].request = day, identifier
    body_days = existing_days(conn, "traffic_request_body")  # bodies go before their requests
    there = [call for call in gathered if call.request is not None and call.day in body_days]
    arguments = {**bounds, "days": [call.day for call in there], "ids": [call.request for call in there]}
    locked = {identifier for (identifier,) in conn.execute(sql.LOCK, arguments).fetchall()}
    return [call for call in there if call.request in locked]


def days(call: Call) -> list[date]:
    """The days that a call may have begun on: that of its first text, and the day before."""
    first = moment(call.parts[0].at_ns)
    return [] if first is None else [first.date(), first.date() - timedelta(days=1)]


def write(conn: psycopg.Connection, calls: Sequence[Call]) -> None:
    bodies: dict[tuple[date, uuid.UUID | None], tuple[str | None, str | None]] = {}
    renewed: list[tuple[Any, ...]] = []
    for call in calls:
        place, made, old = (call.day, call.request), body_of(call.parts), body_of(call.attached_parts)
        prompt, answer = bodies.get(place, (None, None))  # of two instrumentations of one call
        bodies[place] = prompt or made[0], answer or made[1]
        if any(old) and old != made:
            renewed.append((*place, *made, *old))
    places, texts = list(bodies), list(bodies.values())
    keys = {"days": [day for day, _ in places], "ids": [identifier for _, identifier in places]}
    conn.execute(sql.FILL, {**keys, "prompts": [text for text, _ in texts], "answers": [text for _, text in texts]})
    if renewed:
        names = ("days", "ids", "prompts", "answers", "old_prompts", "old_answers")
        columns = dict(zip(names, map(list, zip(*renewed, strict=True)), strict=True))
        on = [day for day, *_ in renewed]
        conn.execute(sql.RENEW, {**columns, "low": min(on), "high": max(on)})
