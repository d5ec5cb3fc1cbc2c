"""What the gateway knows of the database: keys, applications, deployments and routes, read anew every second.

A call never waits for Postgres: it is judged by the latest snapshot, which also serves on while Postgres is away. A
revoked key therefore stops within seconds while the database answers.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

import msgspec
import psycopg
from cryptography.fernet import InvalidToken
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from lib.events import log_event
from lib.keyring import cipher, split
from lib.reach import hides_key
from traffic.authentication.limits import period_end
from traffic.caps.windows import counted, zone_of
from traffic.gateway.caps.amounts import Cap
from traffic.gateway.caps.ledger import Gap
from traffic.gateway.database import connect
from traffic.gateway.model_distance import made_at
from traffic.gateway.routes import Rule, Target, default_rules, reachable
from traffic.gateway.vendor_limits import WRITE_EVERY_S, VendorLimits
from traffic.redaction.rules import EVERYTHING, Redaction, redaction_of

logger = logging.getLogger(__name__)

READ_EVERY_S = 1.0
FIRST_S = 5.0  # for the first reading, before the gateway listens
AT_LEAST_S = 0.2  # between two reads
NOTE_USE_EVERY_S = 30.0


@dataclass(frozen=True, slots=True)
class Application:
    """Who a call is for; `id` None: a key for all that named nobody."""

    id: int | None
    slug: str
    capture_bodies: bool
    budget_state: str
    redaction: Redaction = EVERYTHING
    caps: tuple[Cap, ...] = ()
    guess_task: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict, hash=False)  # models by the names that it requests
    cache_s: int = 0  # for which an answer serves identical calls; 0: for none
    cache_varied: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """A live key; `application` None: it may speak for any."""

    id: int
    application: Application | None
    scopes: frozenset[str]
    expires_at: datetime | None
    per_minute: int | None = None  # calls
    quota: str = ""  # in words
    spent_until: datetime | None = None  # its quota is used up until then
    line: int = 0  # the first of the keys that replaced each other: they share one bucket of calls, and a quota
    metered: bool = False  # its quota is of tokens or USD: usage that nobody tells is estimated for it
    caps: tuple[Cap, ...] = ()  # of its line


@dataclass(frozen=True)
class Snapshot:
    """One consistent view; never changed, only replaced."""

    salt: bytes
    keys: dict[bytes, Key]  # by the SHA-256 of the key
    applications: dict[str, Application]
    targets: tuple[Target, ...]
    rules: tuple[Rule, ...]
    cap_units: frozenset[str] = frozenset()  # of all caps
    cap_zone: tzinfo = UTC
    caps_refuse: bool = False  # calls whose caps cannot be held

    @property
    def needs_prices(self) -> bool:
        """Whether something is held to an amount of USD."""
        return "usd" in self.cap_units or any(rule.shadow for rule in self.rules)

    def key(self, texts: Iterable[bytes]) -> Key | None:
        """The first that is known of the keys a caller sent; one of two can be a vendor's that lay about."""
        keys = (self.keys.get(hashlib.sha256(text).digest()) for text in texts)
        return next((key for key in keys if key is not None), None)

    def models(self, application: str) -> list[Target]:
        """One target for each model that this application can reach now."""
        targets = reachable(self.rules, self.targets, application)
        return list({target.model: target for target in targets if not target.down}.values())


def model_object(target: Target) -> dict[str, Any]:
    """A model in a shape that both vendors' clients read."""
    made = made_at(target.model)
    return {
        "id": target.model,
        "object": "model",
        "created": int(made.timestamp()),
        "owned_by": target.provider,
        "type": "model",
        "display_name": target.model,
        "created_at": f"{made:%Y-%m-%dT%H:%M:%SZ}",
    }


KEYS = """
SELECT k.id, k.hash, k.application_id, k.scopes, k.expires_at, k.per_minute, k.quota, k.quota_unit, k.quota_period,
       coalesce(k.first_id, k.id) AS line,
       k.quota <= (
           SELECT sum(CASE k.quota_unit WHEN 'requests' THEN u.requests
                      WHEN 'tokens' THEN u.tokens + u.estimated_tokens ELSE u.cost + u.estimated_cost END)
           FROM traffic_keyuse u JOIN traffic_key l ON l.id = u.key_id
           WHERE coalesce(l.first_id, l.id) = coalesce(k.first_id, k.id)
             AND u.day >= date_trunc(k.quota_period, now() AT TIME ZONE 'UTC')::date
       ) AS spent
FROM traffic_key k WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
"""
CAPS = """
SELECT id, key_id, application_id, each_user, task, unit, period, amount, created_at FROM traffic_cap ORDER BY id
"""
NOTE_GAP = """
UPDATE traffic_installation SET cap_gap_at = now(),
    cap_gap_since = CASE WHEN cap_gap_at > now() - interval '15 minutes' THEN cap_gap_since ELSE %(since)s END,
    cap_gap_calls = CASE WHEN cap_gap_at > now() - interval '15 minutes' THEN cap_gap_calls ELSE 0 END + %(calls)s
"""
NOTE_LIMITS = "UPDATE providers_deployment SET vendor_limits = %s, vendor_limits_at = now() WHERE id = %s"
REFUSED_MOST = 1_000  # pairs of key and address that wait to be noted
NOTE_REFUSED = """
INSERT INTO traffic_deadkeyuse (key_id, address, count) SELECT id, %s, %s FROM traffic_key
WHERE hash = %s AND (revoked_at IS NOT NULL OR expires_at <= now())
"""
APPLICATIONS = """
SELECT id, slug, capture_bodies, budget_state, redact, redact_patterns, model_aliases AS aliases,
       60 * coalesce(cache_minutes, 0) AS cache_s, cache_varied,
       guess_task
FROM traffic_application
"""
CONNECTION_NAME = "gateway snapshot"  # each process has one, so that they can count each other
DEPLOYMENTS = f"""
WITH gateway AS (SELECT greatest(count(*), 1) AS number FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = '{CONNECTION_NAME}')
SELECT d.id, d.slug, d.provider, d.engine, d.url, d.model, d.api_key, d.context_tokens, d.local,
       d.takes_media, d.connect_timeout_s, d.first_byte_timeout_s, d.idle_timeout_s, d.total_timeout_s,
       CASE WHEN d.checked AND NOT d.streak_ok THEN d.streak ELSE 0 END AS failed_checks, d.cooling_until,
       CASE WHEN coalesce(d.max_concurrency, d.engine_slots) > 0 THEN
           greatest(coalesce(d.max_concurrency, d.engine_slots) / gateway.number, 1) END AS max_concurrency,
       d.state IN ('down', 'maintenance')
           OR EXISTS (SELECT FROM providers_outage o WHERE o.deployment_id = d.id AND o.ended_at IS NULL) AS down
FROM providers_deployment d, gateway WHERE d.enabled ORDER BY d.slug
"""
ROUTES = """
SELECT r.slug, r.name, r.enabled, r.tasks, r.requested_models, r.over_tokens, r.over_context, r.media, r.private,
       r.self_only_model, r.percent, r.budget_states, r.to_provider, coalesce(d.slug, '') AS deployment, r.falls_back,
       r.next_at_cap, r.strategy, r.weight, r.hedge_ms, r.canary_percent, r.canary_ttft_ms, r.shadow_usd,
       CASE WHEN u.returned_at IS NULL THEN coalesce(c.slug, '') ELSE '' END AS canary, coalesce(s.slug, '') AS shadow,
       ARRAY(SELECT a.slug FROM traffic_route_applications ra JOIN traffic_application a ON a.id = ra.application_id
             WHERE ra.route_id = r.id) AS applications,
       ARRAY(SELECT fd.slug FROM traffic_fallback f JOIN providers_deployment fd ON fd.id = f.deployment_id
             WHERE f.route_id = r.id ORDER BY f."order") AS fallbacks,
       ARRAY(SELECT f.weight FROM traffic_fallback f WHERE f.route_id = r.id ORDER BY f."order") AS weights
FROM traffic_route r LEFT JOIN providers_deployment d ON d.id = r.deployment_id
LEFT JOIN providers_deployment c ON c.id = r.canary_id LEFT JOIN providers_deployment s ON s.id = r.shadow_id
LEFT JOIN traffic_routeuse u ON u.route_id = r.id ORDER BY r."order", r.id
"""


def read_snapshot(conn: psycopg.Connection, credentials_key: str) -> Snapshot:
    """Read everything in one transaction. Raises psycopg.Error."""
    with conn.transaction(), conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        installation = cursor.execute("SELECT salt, cap_zone, caps_refuse FROM traffic_installation").fetchone()
        caps = _caps(cursor.execute(CAPS))
        applications = [_application(row, caps) for row in cursor.execute(APPLICATIONS)]
        by_id = {application.id: application for application in applications}
        keys = {bytes(row["hash"]): _key(row, by_id, caps) for row in cursor.execute(KEYS)}
        targets = tuple(_target(row, credentials_key) for row in cursor.execute(DEPLOYMENTS))
        rules = _rules(cursor.execute(ROUTES).fetchall())
    return Snapshot(
        salt=bytes(installation["salt"]) if installation else b"",
        keys=keys,
        applications={application.slug: application for application in applications},
        targets=targets,
        rules=rules,
        cap_units=frozenset(cap.unit for of_owner in caps.values() for cap in of_owner),
        cap_zone=zone_of(installation["cap_zone"]) if installation else UTC,
        caps_refuse=bool(installation and installation["caps_refuse"]),
    )


def read_routing(conn: psycopg.Connection) -> tuple[tuple[Rule, ...], tuple[Target, ...]]:
    """The rules in use and the deployments, without their keys. Raises psycopg.Error."""
    with conn.cursor(row_factory=dict_row) as cursor:
        targets = tuple(Target(**{**row, "api_key": ""}) for row in cursor.execute(DEPLOYMENTS))
        return _rules(cursor.execute(ROUTES).fetchall()), targets


Caps = dict[tuple[str, int], tuple[Cap, ...]]  # by whose they are: a key's line, or an application


def _caps(rows: Iterable[dict[str, Any]]) -> Caps:
    caps: Caps = {}
    for row in rows:
        owner = ("application", row["application_id"]) if row["key_id"] is None else ("key", row["key_id"])
        unit, period, amount = row["unit"], row["period"], row["amount"]
        words = f"{amount.normalize():,f} {'USD' if unit == 'usd' else unit} a {period}"
        words += f" for the task {row['task']}" if row["task"] else ""
        cap = Cap(
            row["id"], unit, period, counted(unit, amount), words, owner[0], row["each_user"], row["created_at"],
            row["task"],
        )  # fmt: skip
        caps[owner] = (*caps.get(owner, ()), cap)
    return caps


def _application(row: dict[str, Any], caps: Caps) -> Application:
    redaction = redaction_of(tuple(row.pop("redact")), tuple(row.pop("redact_patterns")))
    return Application(**row, redaction=redaction, caps=caps.get(("application", row["id"]), ()))


def _key(row: dict[str, Any], applications: dict[int | None, Application], caps: Caps) -> Key:
    application = applications.get(row["application_id"])
    quota = "" if row["quota"] is None else f"{row['quota']:,f} {row['quota_unit']} a {row['quota_period']}"
    spent_until = period_end(row["quota_period"], datetime.now(UTC)) if row["spent"] else None
    scopes = frozenset(row["scopes"])
    metered = row["quota"] is not None and row["quota_unit"] != "requests"
    return Key(
        row["id"], application, scopes, row["expires_at"], row["per_minute"], quota, spent_until, row["line"], metered,
        caps.get(("key", row["line"]), ()),
    )  # fmt: skip


def _target(row: dict[str, Any], credentials_key: str) -> Target:
    target = Target(**row)
    if not target.api_key:
        return target
    if not hides_key(target.url, local=target.local):
        return replace(target, api_key=_withheld(target.slug, target.url))
    return replace(target, api_key=_decrypt(target.slug, target.api_key, credentials_key))


@lru_cache(maxsize=4096)  # said once, not at every read
def _withheld(slug: str, url: str) -> str:
    log_event(logger, logging.ERROR, "credential_withheld", deployment=slug, reason="not_encrypted")
    return ""


@lru_cache(maxsize=4096)  # a key is decrypted once, not at every read
def _decrypt(slug: str, ciphertext: str, credentials_key: str) -> str:
    try:
        return cipher(split(credentials_key)).decrypt(ciphertext.encode()).decode()
    except (InvalidToken, ValueError):
        log_event(logger, logging.ERROR, "credential_withheld", deployment=slug, reason="stored_under_another_key")
        return ""


def _rules(rows: list[dict[str, Any]]) -> tuple[Rule, ...]:
    """The rules that are switched on; the shipped ones where nobody has made any."""
    if not rows:
        return default_rules()
    return tuple(msgspec.convert(row, Rule) for row in rows if row.pop("enabled"))


class Snapshots:
    """A thread that reads snapshots, and the latest one it read."""

    def __init__(self, database_url: str, credentials_key: Callable[[], str]) -> None:
        self.latest: Snapshot | None = None
        self._database_url = database_url
        self._credentials_key = credentials_key
        self._connection: psycopg.Connection | None = None
        self._used: set[int] = set()
        self._refused: Counter[tuple[bytes, str]] = Counter()
        self._note_use_at = self._note_refused_at = 0.0
        self._failing = False
        self._reading = self._read = 0  # the number of the reading that began last, and of the last that succeeded
        self._stopping = False
        self.vendor_limits = VendorLimits()
        self._note_limits_at = 0.0
        self.notes: list[Callable[[psycopg.Connection], None]] = []  # what is written after a reading; does little
        self.gap = Gap()  # of calls whose caps could not be held
        self.load_prices: Callable[[psycopg.Connection], Any] | None = None  # where a cap is in USD
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()
        self._thread.join(2)

    async def first(self) -> Snapshot | None:
        """The first snapshot; None where it cannot be read or takes more than `FIRST_S`.

        A gateway that listens without one refuses calls that another one on its port would have answered.
        """
        until = time.monotonic() + FIRST_S
        while self.latest is None and not self._failing and time.monotonic() < until:
            await asyncio.sleep(0.05)
        return self.latest

    async def after(self, snapshot: Snapshot) -> Snapshot:
        """A newer snapshot, asked for at once and waited for a second; else the latest there is.

        One whose reading begins after this call: one that is being read may have missed what is asked for.
        """
        reading = self._reading
        self._wake.set()
        for _ in range(20):
            if self.latest is not snapshot and self._read > reading:
                break
            await asyncio.sleep(0.05)
        return self.latest or snapshot

    def used(self, key: Key) -> None:
        """Remember that a key was used; people see when, to the half minute."""
        self._used.add(key.id)

    def refused(self, texts: Iterable[bytes], address: str) -> None:
        """Remember keys that do not work; those of them that once did are told in the audit log, within a minute."""
        for text in texts:
            use = (hashlib.sha256(text).digest(), address)
            if use in self._refused or len(self._refused) < REFUSED_MOST:
                self._refused[use] += 1

    def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._try_to_read()
            time.sleep(AT_LEAST_S)  # calls with unknown keys must not make this a busy loop
            self._wake.wait(READ_EVERY_S - AT_LEAST_S if self.latest else 0)
        self._disconnect()

    def _try_to_read(self) -> None:
        try:
            conn = self._connected()
            keys: str | None = None
            while keys != (keys := self._credentials_key()):  # a rotation in between: what is stored may be newer
                snapshot = read_snapshot(conn, keys)
                if self.load_prices is not None and snapshot.needs_prices:
                    self.load_prices(conn)
                self.latest = snapshot
            self._read = self._reading
            self._note_use(conn)
            self._note_refused(conn)
            self._note_gap(conn)
            self._note_limits(conn)
            for note in self.notes:
                note(conn)
            if self._failing:
                log_event(logger, logging.INFO, "snapshot_recovered")
            self._failing = False
        except Exception as error:  # this thread must outlive everything: without it a revoked key would go on
            if not self._failing:
                log_event(logger, logging.ERROR, "snapshot_failed", error=str(error).partition("\n")[0])
            self._failing = True
            self._disconnect()

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._database_url, CONNECTION_NAME)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _note_use(self, conn: psycopg.Connection) -> None:
        if not self._used or time.monotonic() < self._note_use_at:
            return
        used, self._used = self._used, set()
        self._note_use_at = time.monotonic() + NOTE_USE_EVERY_S
        conn.execute("UPDATE traffic_key SET last_used_at = now() WHERE id = ANY(%s)", [sorted(used)])

    def _note_limits(self, conn: psycopg.Connection) -> None:
        if time.monotonic() < self._note_limits_at:
            return
        self._note_limits_at = time.monotonic() + WRITE_EVERY_S
        for deployment, limits in sorted(self.vendor_limits.take().items()):
            conn.execute(NOTE_LIMITS, [Jsonb(limits), deployment])

    def _note_gap(self, conn: psycopg.Connection) -> None:
        calls, since = self.gap.calls, self.gap.since
        if calls:
            conn.execute(NOTE_GAP, {"calls": calls, "since": since})
            self.gap.calls -= calls
            self.gap.since = None

    def _note_refused(self, conn: psycopg.Connection) -> None:
        """Keys that nobody ever made leave no row, whoever sends how many."""
        if not self._refused or time.monotonic() < self._note_refused_at:
            return
        refused, self._refused = self._refused, Counter()
        self._note_refused_at = time.monotonic() + NOTE_USE_EVERY_S
        with conn.cursor() as cursor:
            cursor.executemany(NOTE_REFUSED, [(address, count, key) for (key, address), count in refused.items()])
