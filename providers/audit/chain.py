"""What makes tampering with the audit log visible: keyed digests of the entries, and a chain over all of them.

An entry carries a digest of its own from the moment that it is written, in the transaction of the act itself and
without any lock. Its place in the chain is a row of another table (a seal), added just after the commit under an
advisory lock that is held for a millisecond: nobody who writes an entry waits for somebody else's transaction.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db import connection, transaction

from lib.encryption import SecretUnreadable, encrypt
from providers.models.audit import AuditKey, AuditSeal

log = logging.getLogger("breakeven.audit")

LOCK = 0x61756469  # of pg_advisory_xact_lock: whoever extends the chain
WAIT_MS = 500
LATELY = 500  # entries before the last sealed one that may have been committed after it
CONTENT = (
    "at", "actor_kind", "actor_id", "actor", "address", "action", "object_type", "object_id", "object_name",
    "message", "changes", "count", "key",
)  # fmt: skip
BATCH = 2_000

UNSEALED = """
SELECT e.id, e.mac FROM providers_auditentry e
WHERE {where} AND NOT EXISTS (SELECT FROM providers_auditseal s WHERE s.entry = e.id) ORDER BY e.id
"""
WALK = """
SELECT s.number, s.entry, s.key, s.digest, e.id, e.mac, e.at, e.actor_kind, e.actor_id, e.actor, e.address, e.action,
    e.object_type, e.object_id, e.object_name, e.message, e.changes, e.count, e.key
FROM providers_auditseal s LEFT JOIN providers_auditentry e ON e.id = s.entry
WHERE s.number > %s ORDER BY s.number LIMIT %s
"""


class Keys:
    """The keys that digests are made with, by their number; read once by each process."""

    def __init__(self) -> None:
        self._secrets: dict[int, bytes] = {}
        self._newest: int | None = None

    def newest(self) -> tuple[int, bytes]:
        """The key that entries are written with now. One is made where there is none that can be read."""
        if self._newest is None:
            readable = (row.pk for row in AuditKey.objects.order_by("-pk") if self.get(row.pk) is not None)
            self._newest = next(readable, None)
        # A key that is made in this moment is remembered once it is found committed: this transaction may fail.
        number = self._newest or self._make()
        return number, self._secrets[number]

    def get(self, number: int) -> bytes | None:
        """A key; None where it is gone, or was stored under another BREAKEVEN_KEY."""
        if number not in self._secrets:
            row = AuditKey.objects.filter(pk=number).first()
            try:
                text = row.secret.reveal() if row else ""
            except SecretUnreadable:
                text = ""
            if not text:
                return None
            self._secrets[number] = bytes.fromhex(text)
        return self._secrets[number]

    def _make(self) -> int:
        row = AuditKey.objects.create(secret=encrypt(secrets.token_hex(32)))
        self._secrets[row.pk] = bytes.fromhex(row.secret.reveal())
        return row.pk

    def clear_cache(self) -> None:
        """Read them again at the next use: the database is another one now."""
        self.__init__()  # type: ignore[misc]  # back to the beginning, and to nothing else


keys = Keys()


def mac_of(content: dict[str, Any], secret: bytes) -> bytes:
    """The keyed digest of an entry's fields; the same fields are the same bytes, whatever the order of `changes`."""
    at: datetime = content["at"]
    plain = {**content, "at": at.astimezone(UTC).isoformat(timespec="microseconds")}
    text = json.dumps(plain, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hmac.digest(secret, b"entry\0" + text.encode(), sha256)


def digest_of(number: int, entry: int, mac: bytes, before: bytes, secret: bytes) -> bytes:
    """The digest of a place in the chain."""
    return hmac.digest(secret, f"seal\0{number}\0{entry}\0".encode() + mac + before, sha256)


# --- extending the chain -------------------------------------------------------------------------------------------


def seal_after_commit() -> None:
    """To be called after an entry was written: the chain is extended once its transaction is committed."""
    transaction.on_commit(_seal_lately, robust=True)


def _seal_lately() -> None:
    seal("e.id > COALESCE((SELECT max(entry) FROM providers_auditseal), 0) - %s", [LATELY])


def seal_since(start: datetime) -> int:
    """Entries since then that no process came to seal, because it ended first; the number of them."""
    return seal("e.at >= %s", [start])


def seal_all() -> int:
    """Every entry that has no place in the chain yet."""
    return seal("true", [])


def seal(where: str, values: list[Any]) -> int:
    """Give unsealed entries their places, in the order in which they were written; returns how many.

    Waits half a second at most for who is extending the chain at this moment. Raises OperationalError past that: the
    entries are there all the same, and the next one, or the minute's task, takes them along.
    """
    number, secret = keys.newest()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{WAIT_MS}ms'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        cursor.execute(UNSEALED.format(where=where), values)
        waiting = cursor.fetchall()
        if not waiting:
            return 0
        cursor.execute("SELECT number, digest FROM providers_auditseal ORDER BY number DESC LIMIT 1")
        place, before = cursor.fetchone() or (0, b"")
        rows = []
        for entry, mac in waiting:
            place += 1
            before = digest_of(place, entry, bytes(mac), bytes(before), secret)
            rows.append(AuditSeal(number=place, entry=entry, key=number, digest=before))
        AuditSeal.objects.bulk_create(rows, batch_size=BATCH)
        return len(rows)


# --- verifying it --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: who keeps it elsewhere can tell later that the end was cut off."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number} {self.digest}"


def head() -> Head:
    """Where the chain ends now; number 0 before the first entry."""
    last = AuditSeal.objects.order_by("-number").first()
    return Head(last.number, bytes(last.digest).hex()) if last else Head(0, "")


def differences(noted: Head | None = None) -> Iterator[str]:
    """Each fault of the audit log in a sentence; none where every entry is as it was written.

    `noted` is an earlier end of the chain: what was sealed then must still be there.
    """
    at, before, fits_note = 0, b"", noted is None or noted.number == 0
    while rows := _walk(at):
        for number, entry, key, digest, *content in rows:
            if number != at + 1:
                yield f"audit log: seals {at + 1} to {number - 1} are missing."
                before = b""
            yield from _faults(number, entry, key, bytes(digest), before if number == at + 1 else None, content)
            at, before = number, bytes(digest)
            fits_note = fits_note or (noted is not None and str(noted) == f"{number} {before.hex()}")
    if noted is not None and at < noted.number:
        yield f"audit log: the chain ends at {at}, but it had come to {noted.number}: its end was cut off."
    elif not fits_note:
        number = noted.number if noted else 0
        yield f"audit log: seal {number} is another one than was noted: the chain was written anew."
    yield from _unwritten()


def _walk(after: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(WALK, [after, BATCH])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _faults(
    number: int, entry: int, key: int, digest: bytes, before: bytes | None, content: list[Any]
) -> Iterable[str]:
    secret = keys.get(key)
    if secret is None:
        return [f"audit log: seal {number} was made with key {key}, which cannot be read: it proves nothing."]
    stored, mac, *values = content
    if stored is None:
        return [f"audit log: entry {entry} (seal {number}) is missing."]
    faults = []
    if not genuine(values, bytes(mac)):
        faults.append(f"audit log: entry {entry} (seal {number}) is not what was written.")
    if before is not None and digest != digest_of(number, entry, bytes(mac), before, secret):
        faults.append(f"audit log: seal {number} does not follow from the one before: entry {entry} was put there.")
    return faults


def genuine(values: list[Any], mac: bytes) -> bool:
    """Whether an entry's fields, in the order of CONTENT, are those that its digest was made of."""
    content = dict(zip(CONTENT, values, strict=True))
    if isinstance(content["changes"], str):  # a cursor of Django hands out jsonb as text
        content["changes"] = json.loads(content["changes"])
    secret = keys.get(content["key"])
    return secret is not None and hmac.compare_digest(mac, mac_of(content, secret))


def _unwritten() -> Iterator[str]:
    """Entries outside the chain that are not genuine; the others wait for their seal."""
    columns = ", ".join(f"e.{name}" for name in CONTENT)
    query = UNSEALED.replace("e.id, e.mac", f"e.id, e.mac, {columns}").format(where="true")
    with connection.cursor() as cursor:
        cursor.execute(query)
        for entry, mac, *values in cursor.fetchall():
            if not genuine(values, bytes(mac)):
                yield f"audit log: entry {entry} was not written by Breakeven."
