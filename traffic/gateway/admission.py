"""Authentication and rate limits of the gateway, by the headers alone, before a body is read."""

from __future__ import annotations

from datetime import UTC, datetime

from traffic.authentication.limits import Buckets, UnknownKeys, seconds_until, too_often
from traffic.gateway.refusals import Refusal, come_back
from traffic.gateway.snapshot import Application, Key, Snapshot, Snapshots

NOBODY = Application(id=None, slug="", capture_bodies=False, budget_state="unknown")


class Admission:
    """Knows keys by the latest snapshot, how often each has called, and who comes with keys that nobody knows."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._buckets = Buckets()
        self._unknown = UnknownKeys()

    async def key(self, headers: dict[bytes, bytes], client: tuple[str, int] | None) -> tuple[Snapshot, Key]:
        """The caller's key. Raises Refusal where it is missing, unknown, revoked, expired, or not for the gateway."""
        snapshot = self._snapshots.latest
        if snapshot is None:
            raise come_back(503, "not-ready", "The gateway has not read its keys and routes yet.", 1)
        texts = [text for text in (headers.get(b"x-api-key"), bearer(headers)) if text]
        if not texts:
            raise Refusal(401, "no-key", "A key is needed, in x-api-key or as a bearer token.")
        key = snapshot.key(texts)
        if key is None:  # it may have been made a moment ago
            address = client[0] if client else ""
            if wait := self._unknown.take(address):
                raise come_back(429, "too-many-unknown-keys", "Too many unknown keys came from this address.", wait)
            snapshot = await self._snapshots.after(snapshot)
            key = snapshot.key(texts)
            if key is not None:
                self._unknown.give_back(address)
        if key is None or (key.expires_at is not None and key.expires_at <= datetime.now(UTC)):
            self._snapshots.refused(texts, client[0] if client else "")
            raise Refusal(401, "unknown-key", "This key is unknown, revoked or expired.")
        if "gateway" not in key.scopes:
            raise Refusal(403, "wrong-scope", "This key may not use the gateway: it lacks the scope `gateway`.")
        self._snapshots.used(key)
        if key.per_minute is not None and (wait := self._buckets.take(key.line, key.per_minute)):
            raise come_back(429, "rate-limit", too_often(key.per_minute), wait)
        return snapshot, key


def enforce_quota(key: Key, now: datetime) -> None:
    """Raises Refusal where the key's quota was used up when keys were last read."""
    if key.spent_until is not None and key.spent_until > now:
        wait = seconds_until(key.spent_until, now)
        raise come_back(429, "quota", f"This key's quota of {key.quota} is used up.", wait)


def bearer(headers: dict[bytes, bytes]) -> bytes:
    """The bearer token; empty where there is none."""
    scheme, _, text = headers.get(b"authorization", b"").partition(b" ")
    return text.strip() if scheme.lower() == b"bearer" else b""


def application_of(snapshot: Snapshot, key: Key, headers: dict[bytes, bytes]) -> Application:
    """Who the call is for. Raises Refusal where the key may not speak for the application named."""
    named = headers.get(b"x-breakeven-application", b"").decode("latin-1").strip()
    if key.application is not None:
        if named and named != key.application.slug:
            words = f"This key belongs to {key.application.slug}, not to {named[:80]}."
            raise Refusal(403, "other-application", words)
        return key.application
    if not named:
        return NOBODY
    try:
        return snapshot.applications[named]
    except KeyError:
        raise Refusal(400, "unknown-application", f"There is no application {named[:80]}.") from None
