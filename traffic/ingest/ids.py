"""Who a request is: ids made from what is known of it, so that the same call always gets the same id."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

EPOCH = date(1970, 1, 1)
# A shorter response id is no identity: Ollama numbers its answers 0 to 998, over and over.
MIN_RESPONSE_ID = 20


def request_id(salt: bytes, application_id: int | None, external_id: str, day: date) -> uuid.UUID:
    """UUIDv8 of (application, external id, day): 16 bits of day since 1970, then a keyed hash.

    The day leads, so that ids sort by it and a request is found by its id alone (see `day_of`).
    """
    digest = blake2b(f"{application_id or 0}\0{external_id}".encode(), key=salt, digest_size=14).digest()
    number = ((day - EPOCH).days << 112) | int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | (8 << 76)
    return uuid.UUID(int=number & ~(3 << 62) | (2 << 62))


def day_of(identifier: uuid.UUID) -> date:
    """The UTC day that a request's id carries."""
    return EPOCH + timedelta(days=identifier.int >> 112)


def response_hash(salt: bytes, response_id: str | None) -> uuid.UUID | None:
    """16 bytes of keyed hash of a vendor's response id; None where it is too short to be one of a kind."""
    if response_id is None or len(response_id) < MIN_RESPONSE_ID:
        return None
    return uuid.UUID(bytes=blake2b(response_id.encode(), key=salt, digest_size=16, person=b"response").digest())


def user_hash(salt: bytes, user: str | None) -> uuid.UUID | None:
    """16 bytes of keyed hash of a user's name; the name itself is never stored."""
    if not user:
        return None
    return uuid.UUID(bytes=blake2b(user.encode(), key=salt, digest_size=16, person=b"user").digest())


def erased_mark(salt: bytes, user: uuid.UUID) -> uuid.UUID:
    """What is kept of a user hash whose data was deleted: enough to know it again, not to find it anywhere."""
    return uuid.UUID(bytes=blake2b(user.bytes, key=salt, digest_size=16, person=b"erased").digest())


def neighbour_day(started_at: datetime) -> date | None:
    """The other day on which a twin of this request may lie: its clock may be ten minutes off at midnight."""
    moment = started_at.astimezone(UTC)
    minute = moment.hour * 60 + moment.minute
    if minute < 10:
        return moment.date() - timedelta(days=1)
    return moment.date() + timedelta(days=1) if minute >= 24 * 60 - 10 else None
