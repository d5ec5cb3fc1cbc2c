"""Bearer keys: made once, kept as a hash, looked up through a cache of five seconds so that a revoked one stops."""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from threading import Lock
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone

from lib.client_address import network
from lib.events import log_event
from providers.audit.counts import KINDS_MAX, Kind, counts
from providers.audit.log import Action, Actor, ActorKind, record
from traffic.authentication.allowance import allowance_of, log_used_up
from traffic.authentication.limits import Buckets, UnknownKeys, period_end
from traffic.models import Application, DeadKeyUse, Key, KeyUse, QuotaPeriod, QuotaUnit, Scope
from traffic.models.applications import KeyQuerySet

logger = logging.getLogger(__name__)

CACHE_S = 5
COMPLAIN_EVERY_S = 10
MOST_REMEMBERED = 10_000  # live keys, and unknown ones
LONGEST_PERIOD = 32  # days; of a quota
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
    per_minute: int | None = None
    spent_until: datetime | None = None  # its quota, or its application's allowance of a day, is used up until then
    spent: str = ""  # and the sentence that says so
    lapsed: frozenset[str] = frozenset()  # scopes that stopped with the right of whoever made it; see `lapsed_of`
    line: int = 0  # the first of the keys that replaced each other: they share one bucket of calls, and a quota
    name: str = ""

    def expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()


def hash_of(secret: str) -> bytes:
    """What is stored of a key: SHA-256, which is safe for 190 random bits, and fast."""
    return sha256(secret.encode("utf-8", "replace")).digest()


def create_key(
    *,
    name: str,
    scopes: list[str],
    application: Application | None = None,
    created_by: Any = None,
    expires_at: datetime | None = None,
    secret: str = "",
    **limits: Any,
) -> tuple[Key, str]:
    """Make a key; the secret is returned this once and never stored. `limits` are further columns of `Key`."""
    secret = secret or PREFIX + secrets.token_urlsafe(24)
    key = Key.objects.create(
        application=application,
        name=name,
        hint=secret[:8],
        hash=hash_of(secret),
        scopes=scopes,
        created_by=created_by,
        expires_at=expires_at,
        **limits,
    )
    log_event(logger, logging.INFO, "key_made", key_id=key.pk, application_id=key.application_id,
              replaces_id=key.replaces_id)  # fmt: skip
    return key, secret


LIMITS = ("per_minute", "quota", "quota_unit", "quota_period")


@transaction.atomic
def rotate_key(*, key: Key, overlap: timedelta, now: datetime, by: Any = None) -> tuple[Key, str]:
    """A new key in place of one, which works on for `overlap`: programs change over without a gap.

    The new one may do the same, under the same limits and within the same quota, and lives as long as the old one was
    made to. Raises ValueError where the old one does not work any more.
    """
    old = Key.objects.select_for_update().get(pk=key.pk)
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise ValueError("This key does not work any more.")
    made, secret = create_key(
        name=old.name,
        scopes=old.scopes,
        application=old.application,
        created_by=by,
        expires_at=old.expires_at and now + (old.expires_at - old.created_at),
        replaces=old,
        first_id=old.line,
        **{name: getattr(old, name) for name in LIMITS},
    )
    until = now + overlap
    old.expires_at = until if old.expires_at is None else min(until, old.expires_at)
    old.save(update_fields=["expires_at"])
    return made, secret


def expiring_keys(now: datetime, within: timedelta) -> KeyQuerySet:
    """Keys that work now and stop within that time, the next first; one that has a successor is meant to stop."""
    return Key.objects.expiring(now, within)


class TooManyUnknown(Exception):
    """More keys that nobody knows came from there than are looked up; `wait` is in whole seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


class KeyCache:
    """Callers by the hash of their key; unknown keys are remembered too, or guessing would load the database.

    Apart from each other, so that no number of guesses makes a live key wait: one that was live lately is read again
    whatever comes, an unknown one as often as `UnknownKeys` allows.
    """

    def __init__(self) -> None:
        self._live: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()
        self._unknown: OrderedDict[bytes, float] = OrderedDict()  # until when
        self._guesses = UnknownKeys()
        self._complain_at = 0.0
        self._lock = Lock()

    def find(self, secret: str, address: str = "") -> Caller | None:
        """The caller of a live key, or None. `address` is where it came from. Raises TooManyUnknown."""
        digest, now = hash_of(secret), time.monotonic()
        entry = self._live.get(digest)
        if entry is not None and entry[0] >= now:
            caller: Caller | None = entry[1]
        elif entry is None and self._unknown.get(digest, 0.0) >= now:
            caller = None
        else:
            if entry is None and (wait := self._guesses.take(address)):
                self._log_guesses(address, now)
                raise TooManyUnknown(wait)
            caller = self._read(digest)
            if entry is None and caller is not None:
                self._guesses.give_back(address)
            self._remember(digest, caller, now + CACHE_S)
        return None if caller is None or caller.expired() else caller

    def _log_guesses(self, address: str, now: float) -> None:
        """Log the address that guesses keys, at most once in ten seconds, so that guessing cannot fill the log."""
        if now >= self._complain_at:
            self._complain_at = now + COMPLAIN_EVERY_S
            log_event(logger, logging.WARNING, "unknown_keys_limited", address=address or None)

    def remembered(self, secret: str) -> Caller | None:
        """The caller of a live key that was looked up a moment ago; never asks the database."""
        until, caller = self._live.get(hash_of(secret), (0.0, None))
        return None if caller is None or until < time.monotonic() or caller.expired() else caller

    def _remember(self, digest: bytes, caller: Caller | None, until: float) -> None:
        with self._lock:
            self._live.pop(digest, None)
            self._unknown.pop(digest, None)
            if caller is not None:
                self._live[digest] = (until, caller)
                if len(self._live) > MOST_REMEMBERED:
                    self._live.popitem(last=False)
            else:
                self._unknown[digest] = until
                if len(self._unknown) > MOST_REMEMBERED:
                    self._unknown.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._live.clear()
            self._unknown.clear()
            self._guesses.clear()

    def _read(self, digest: bytes) -> Caller | None:
        key = Key.objects.live().select_related("application", "created_by").filter(hash=digest).first()
        if key is None:
            return None
        Key.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
        application = key.application
        until, why = used_up(key, timezone.now())
        return Caller(
            key_id=key.pk,
            application_id=key.application_id,
            application=application.slug if application else None,
            capture_bodies=bool(application and application.capture_bodies),
            scopes=frozenset(key.scopes),
            expires_at=key.expires_at,
            lapsed=lapsed_of(key),
            per_minute=key.per_minute,
            spent_until=until,
            spent=why,
            line=key.line,
            name=key.name,
        )


FOR_ALL = "traffic.add_key_for_all"  # the right to make keys that belong to no application
LAPSING = frozenset({Scope.READ.value, Scope.ALERTS.value, Scope.TRIALS.value})


def lapsed_of(key: Key) -> frozenset[str]:
    """Scopes of a key for the whole installation that end with the right of the person who made it.

    What such a person could read or do with it stops when they are locked out or are no admin any more. What a
    collector sends goes on, or telemetry would be lost; and an application's key belongs to the application.
    """
    maker = key.created_by
    if key.application_id is not None or maker is None or (maker.is_active and maker.has_perm(FOR_ALL)):
        return frozenset()
    return LAPSING.intersection(key.scopes)


def used_up(key: Key, now: datetime) -> tuple[datetime | None, str]:
    """When what a key may store begins anew, and the sentence for who sends more: by its own quota, else by the
    allowance of its application. None while there is some left.
    """
    if (until := spent_until(key, now)) is not None:
        return until, f"This key's quota of {key.quota_words} is used up."
    if key.application is None or Scope.INGEST not in key.scopes:
        return None, ""
    allowance = allowance_of(key.application, now)
    if not allowance.used_up:
        return None, ""
    log_used_up(allowance, now)
    return period_end(QuotaPeriod.DAY, now), allowance.refusal


def spent_until(key: Key, now: datetime) -> datetime | None:
    """When a quota that is used up begins anew; None while there is some left, or no quota."""
    if key.quota is None:
        return None
    used = used_of(use_by_line([key], now)[key.line], key.quota_period, now)
    return period_end(key.quota_period, now) if used[key.quota_unit] >= key.quota else None


def use_by_line(keys: Iterable[Key], now: datetime) -> dict[int, list[KeyUse]]:
    """Use of these keys and of their predecessors and successors, of the last 32 days, by `Key.line`."""
    lines = {key.line for key in keys}
    near = KeyUse.objects.filter(day__gt=now.astimezone(UTC).date() - timedelta(days=LONGEST_PERIOD))
    by_line: dict[int, list[KeyUse]] = {line: [] for line in lines}
    for use in near.filter(Q(key__in=lines) | Q(key__first__in=lines)).select_related("key"):
        by_line[use.key.line].append(use)
    return by_line


def used_of(use: Iterable[KeyUse], period: str, now: datetime, *, estimated: bool = True) -> dict[str, Decimal]:
    """The sum of use in the current period, by unit; for a quota with `estimated` use."""
    today = now.astimezone(UTC).date()
    first = today if period == QuotaPeriod.DAY else today.replace(day=1)
    counted = [day_use for day_use in use if day_use.day >= first]
    return {
        QuotaUnit.REQUESTS: sum((Decimal(day_use.requests) for day_use in counted), Decimal(0)),
        QuotaUnit.TOKENS: sum(
            (day_use.tokens + estimated * Decimal(day_use.estimated_tokens) for day_use in counted), Decimal(0)
        ),
        QuotaUnit.USD: sum((day_use.cost + estimated * day_use.estimated_cost for day_use in counted), Decimal(0)),
    }


def tell_dead_key(secret: str, address: str) -> None:
    """A key that was revoked or has expired is used: on record, once a minute for each address."""
    key = Key.objects.filter(hash=hash_of(secret)).first()
    if key is not None:
        actor = Actor(ActorKind.KEY, key.name, key.pk, address)
        why = "revoked" if key.revoked_at is not None else "expired"
        counts.add(Kind(Action.REVOKED_KEY, actor, Key._meta.label_lower, str(key.pk), str(key)), why)


@transaction.atomic
def move_dead_key_uses() -> int:
    """What the gateway saw of dead keys, into the audit log: KINDS_MAX entries at most, and one for each key.

    Returns the number of entries.
    """
    rows = list(DeadKeyUse.objects.select_for_update(skip_locked=True, of=("self",)).select_related("key")[:1_000])
    uses: Counter[tuple[Key, str]] = Counter()
    for row in rows:
        uses[row.key, network(row.address)] += row.count
    for (key, address), count in list(uses.items())[KINDS_MAX:]:  # who comes from ever more addresses
        del uses[key, address]
        uses[key, ""] += count
    for (key, address), count in uses.items():
        why = "revoked, at the gateway" if key.revoked_at is not None else "expired, at the gateway"
        record(Action.REVOKED_KEY, actor=Actor(ActorKind.KEY, key.name, key.pk, address), thing=key, message=why,
               count=count)  # fmt: skip
    DeadKeyUse.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(uses)


callers = KeyCache()
buckets = Buckets()


def secret_of(request: HttpRequest) -> str:
    """The key that a request carries: bearer or `x-api-key`; empty when none.

    OTEL_EXPORTER_OTLP_HEADERS holds the space as %20. Some exporters send it on as it stands there.
    """
    header = request.headers.get("Authorization", "")
    for scheme in ("bearer ", "bearer%20"):
        if header[: len(scheme)].lower() == scheme:
            return header[len(scheme) :].strip()
    return request.headers.get("X-Api-Key", "").strip()


def password_of(request: HttpRequest) -> str:
    """The password of basic authentication, whoever it names; empty when none."""
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2].strip()
    except ValueError:
        return ""
