"""What a batch needs to know beside itself, read every few seconds: what slugs and addresses stand for, and prices."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import psycopg
import psycopg_pool
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from providers.models import Deployment
from traffic.ingest.pricing import PricingContext
from traffic.models import Application
from traffic.retention_settings import accepted_days

REFRESH_S, LOOK_AGAIN_S = 2, 1
AWAY = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg_pool.PoolTimeout)
T = TypeVar("T")


@dataclass(frozen=True)
class KnownDeployment:
    """The deployment that telemetry to its address belongs to."""

    id: int
    provider: str
    model: str


@dataclass
class LookupTables:
    """Slugs and addresses that a row may name, with their ids and what is allowed there."""

    applications: dict[str, tuple[int, bool]]  # slug -> id, whether bodies are captured
    deployments: dict[str, int]
    retention_days: int
    endpoints: dict[str, KnownDeployment] = field(default_factory=dict)  # by host:port, where only one is there
    services: dict[str, KnownDeployment] = field(default_factory=dict)  # by slug: an engine's own service.name
    kinds: dict[Any, Any] = field(default_factory=dict)  # of spans that were judged by this; see `otlp.rows`


class Refreshed(Generic[T]):
    """A value that is read again when it is older than two seconds; a thread that races reads it twice, no harm.

    Raises OperationalError while the database is away; not every thread has to wait to find out.
    """

    def __init__(self, read: Callable[[T | None], T]) -> None:
        self._read = read
        self._value: T | None = None
        self._until = self._away_until = 0.0

    def get(self) -> T:
        value, now = self._value, time.monotonic()
        if value is not None and now <= self._until:
            return value
        if now < self._away_until:
            raise OperationalError("the database was away a moment ago")
        try:
            value = self._value = self._read(value)
        except AWAY:
            self._away_until = time.monotonic() + LOOK_AGAIN_S
            raise
        self._until = time.monotonic() + REFRESH_S
        return value

    def fresh(self) -> T | None:
        """The value where it need not be read again."""
        return self._value if time.monotonic() <= self._until else None

    def clear(self) -> None:
        self._value, self._away_until = None, 0.0


@contextmanager
def raw_connection() -> Iterator[psycopg.Connection]:
    """Django's own psycopg connection of this thread, outside any transaction of Django's."""
    connection.ensure_connection()
    with connection.wrap_database_errors:
        raw = connection.connection
        assert raw is not None, "ensure_connection made it"
        yield raw


def _read_lookup_tables(before: LookupTables | None) -> LookupTables:
    applications = Application.objects.values_list("slug", "pk", "capture_bodies")
    deployments = list(Deployment.objects.enabled())
    by_slug = {row.slug: KnownDeployment(row.pk, row.provider, row.model) for row in deployments}
    places = Counter(host_of(row.url) for row in deployments)
    return LookupTables(
        applications={slug: (pk, captures) for slug, pk, captures in applications},
        deployments=dict(Deployment.objects.values_list("slug", "pk")),
        retention_days=accepted_days(timezone.now().date()),
        endpoints={host_of(row.url): by_slug[row.slug] for row in deployments if places[host_of(row.url)] == 1},
        services=by_slug,
    )


def host_of(url: str) -> str:
    """`host:port` of a deployment."""
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _read_pricing_context(before: PricingContext | None) -> PricingContext:
    with raw_connection() as conn:
        return PricingContext.load(conn, before)


lookup_tables = Refreshed(_read_lookup_tables)
pricing_context = Refreshed(_read_pricing_context)


def clear_cache() -> None:
    """Read applications, deployments and prices again at the next batch."""
    lookup_tables.clear()
    pricing_context.clear()
