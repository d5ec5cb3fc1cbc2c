"""Identity of a request: its id is made from what is known of it, so that the same call always gets the same id."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

EPOCH = date(1970, 1, 1)
FIRST_DAY = EPOCH.toordinal()
# The two bits of a UUID that tell its variant, in the digit that holds them.
VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
# A shorter response id is no identity: Ollama numbers its answers 0 to 998, over and over.
MIN_RESPONSE_ID = 20


def request_id(salt: bytes, application_id: int | None, external_id: str, day: date) -> uuid.UUID:
    """UUIDv8 of (application, external id, day): 16 bits of day since 1970, then a keyed hash.

    The day leads, so that ids sort by it and a request is found by its id alone (see `day_of`).
    """
    return uuid.UUID(hex=request_hex(salt, application_id, external_id, day))


def request_hex(salt: bytes, application_id: int | None, external_id: str, day: date) -> str:
    """The same in 32 hexadecimal digits, which ingest passes on as they are."""
    keyed = _keyed(salt, 14, b"").copy()
    keyed.update(f"{application_id or 0}\0{external_id}".encode())
    digest = keyed.hexdigest()
    days = day.toordinal() - FIRST_DAY
    return f"{days:04x}{digest[:8]}8{digest[9:12]}{VARIANT[digest[12]]}{digest[13:]}"


def uuid_of(text: str) -> uuid.UUID | None:
    """An id as an address has it; None for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def day_of(identifier: uuid.UUID) -> date:
    """The UTC day that a request's id carries."""
    return EPOCH + timedelta(days=identifier.int >> 112)


def first_id(day: date) -> uuid.UUID:
    """What no id of this UTC day is below, and every one of the days before is."""
    return uuid.UUID(int=(day - EPOCH).days << 112)


def response_hash(salt: bytes, response_id: str | None) -> uuid.UUID | None:
    """16 bytes of keyed hash of a vendor's response id; None where it is too short to be one of a kind."""
    digits = response_hex(salt, response_id)
    return None if digits is None else uuid.UUID(hex=digits)


def response_hex(salt: bytes, response_id: str | None) -> str | None:
    """The same in 32 hexadecimal digits."""
    if response_id is None or len(response_id) < MIN_RESPONSE_ID:
        return None
    keyed = _keyed(salt, 16, b"response").copy()
    keyed.update(response_id.encode())
    return keyed.hexdigest()


@lru_cache(16)
def _keyed(salt: bytes, size: int, person: bytes) -> blake2b:
    """A hash that has taken its key in already: a copy takes half the time of a new one, and ingest makes two a row."""
    return blake2b(key=salt, digest_size=size, person=person)


def second_hash(first: uuid.UUID, application_id: int | None) -> uuid.UUID:
    """What stands for a response id in an application's row where another application told the same id first.

    `first` is `response_hash` of it, which is keyed already.
    """
    of = f"{first.hex}:{application_id or 0}".encode()
    return uuid.UUID(bytes=blake2b(of, digest_size=16, person=b"second").digest())


def user_hash(salt: bytes, user: str | None) -> uuid.UUID | None:
    """16 bytes of keyed hash of a user's name; the name itself is never stored."""
    if not user:
        return None
    return uuid.UUID(bytes=blake2b(user.encode(), key=salt, digest_size=16, person=b"user").digest())


def erased_mark(salt: bytes, user: uuid.UUID) -> uuid.UUID:
    """What is kept of a user hash whose data was deleted: enough to know it again, not to find it anywhere."""
    return uuid.UUID(bytes=blake2b(user.bytes, key=salt, digest_size=16, person=b"erased").digest())


def neighbour_day(started_at: datetime) -> date | None:
    """The other day on which a twin of this request may lie: its clock may be ten minutes off at midnight.

    `started_at` is in UTC.
    """
    if 0 < started_at.hour < 23:
        return None
    minute = started_at.hour * 60 + started_at.minute
    if minute < 10:
        return started_at.date() - timedelta(days=1)
    return started_at.date() + timedelta(days=1) if minute >= 24 * 60 - 10 else None
