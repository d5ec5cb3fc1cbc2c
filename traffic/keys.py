"""Bearer keys: made once, kept as a hash, looked up through a cache of five seconds so that a revoked one stops."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from threading import Lock
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from traffic.models import Application, Key

CACHE_S = 5
PREFIX = "bk_"


@dataclass(frozen=True)
class Caller:
    """Who sent a request with a key, and what it may do."""

    key_id: int
    application_id: int | None  # None: the key was made for all applications
    application: str | None
    capture_bodies: bool
    scopes: frozenset[str]
    expires_at: datetime | None

    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


def hash_of(secret: str) -> bytes:
    """What is kept of a key: SHA-256 is enough for 190 random bits, and quick."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def create_key(
    *,
    name: str,
    scopes: list[str],
    application: Application | None = None,
    created_by: Any = None,
    expires_at: datetime | None = None,
    secret: str = "",
) -> tuple[Key, str]:
    """Make a key; the secret is returned this once and never stored."""
    secret = secret or PREFIX + secrets.token_urlsafe(24)
    key = Key.objects.create(
        application=application,
        name=name,
        hint=secret[:8],
        hash=hash_of(secret),
        scopes=scopes,
        created_by=created_by,
        expires_at=expires_at,
    )
    return key, secret


class KeyCache:
    """Callers by the hash of their key; unknown keys are remembered too, or guessing would load the database."""

    def __init__(self) -> None:
        self._callers: dict[bytes, tuple[float, Caller | None]] = {}
        self._lock = Lock()

    def find(self, secret: str) -> Caller | None:
        """The caller of a live key, or None."""
        digest = hash_of(secret)
        found = self._callers.get(digest)
        if found is None or found[0] < time.monotonic():
            found = (time.monotonic() + CACHE_S, self._read(digest))
            with self._lock:
                if len(self._callers) > 10_000:
                    self._callers.clear()
                self._callers[digest] = found
        caller = found[1]
        return None if caller is None or caller.expired() else caller

    def clear(self) -> None:
        self._callers.clear()

    def _read(self, digest: bytes) -> Caller | None:
        key = Key.objects.live().select_related("application").filter(hash=digest).first()
        if key is None:
            return None
        Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
        application = key.application
        return Caller(
            key_id=key.pk,
            application_id=key.application_id,
            application=application.slug if application else None,
            capture_bodies=bool(application and application.capture_bodies),
            scopes=frozenset(key.scopes),
            expires_at=key.expires_at,
        )


callers = KeyCache()


def secret_of(request: HttpRequest) -> str:
    """The key that a request carries: bearer or `x-api-key`; empty when none."""
    header = request.headers.get("Authorization", "")
    if header[:7].lower() == "bearer ":
        return header[7:].strip()
    return request.headers.get("X-Api-Key", "").strip()
