"""The size of the database by kind of data, what retention frees next, and how fast it grows.

The sizes of partitions come from PostgreSQL's catalogue, without reading rows; the result is cached for minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.db.models import Min, Sum
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.disk import Disk, disk_of
from traffic.ingest.store import LINKS
from traffic.models import UsageDay
from traffic.privacy import retention
from traffic.repricing.run import MEMORY
from traffic.retention_settings import RetentionDays, current_retention

CACHED_S = 300
CACHE = "storage"
GROWTH_DAYS = 7  # whole days over which the growth of a day is averaged
SOON = 30  # days ahead

# The kind of a table by the beginning of its name; the first that matches counts.
KINDS = {
    "bodies": (retention.BODIES, "traffic_waitingtext"),
    "requests": (retention.REQUESTS, LINKS),
    "rollups": ("traffic_usage_", "traffic_latency_", "traffic_error_", "traffic_sealedday"),
    "repricings": (MEMORY,),
    "engines": ("providers_enginebucket", "providers_enginereading", "providers_check"),
}

# Tables and one level of partitions; a table without partitions has no day, one that is dropped meanwhile no size.
SIZES = """
SELECT coalesce(parent.relname, c.relname), CASE WHEN parent.oid IS NULL THEN '' ELSE right(c.relname, 8) END,
    coalesce(pg_total_relation_size(c.oid), 0)
FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
    LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of data; `bytes` includes its indexes, `oldest` is its first day if it is partitioned by day."""

    name: str
    bytes: int
    oldest: date | None = None

    @property
    def label(self) -> str:
        return LABELS[self.name]()

    @property
    def lifetime(self) -> str:
        return LIFETIMES[self.name]()


LABELS = {
    "bodies": lambda: _("Prompts and answers"),
    "requests": lambda: _("Requests"),
    "rollups": lambda: _("Sums by hour and by day"),
    "repricings": lambda: _("Undo data of re-pricings"),
    "engines": lambda: _("Checks and engines over time"),
    "other": lambda: _("Everything else"),
}
LIFETIMES = {
    "bodies": lambda: _("dropped by day, before the requests"),
    "requests": lambda: _("dropped by day, once its totals are sealed"),
    "rollups": lambda: _("not deleted, for long charts"),
    "repricings": lambda: _("dropped with the requests of the day"),
    "engines": lambda: _("single checks 30 days, minutes of engines a day, hours a month, days a year"),
    "other": lambda: _("offers, bills, alerts, settings and the catalogue itself"),
}


@dataclass(frozen=True, slots=True)
class Drop:
    """A partition that retention will drop: of which kind and day, on which day, and how many bytes that frees."""

    kind: str
    day: date
    on: date
    bytes: int

    @property
    def label(self) -> str:
        return LABELS[self.kind]()


@dataclass(frozen=True, slots=True)
class Storage:
    """Bytes as of `at`. `growth`: bytes a day, None without a whole day; `disk`: None if the database is elsewhere."""

    at: datetime
    kinds: list[Kind]
    next_drops: list[Drop]
    freed_soon: int  # by the drops of the next `SOON` days
    growth: int | None
    disk: Disk | None

    @property
    def total(self) -> int:
        return sum(kind.bytes for kind in self.kinds)

    @property
    def full_in(self) -> int | None:
        """Days until the disk reaches its floor if nothing is dropped; None if unknown or years away."""
        if not self.growth or self.disk is None:
            return None
        days = max(self.disk.free - self.disk.floor, 0) // self.growth
        return days if days < 3_650 else None

    def headline(self) -> str:
        """The size of the database, its growth, and for how long the disk will be enough."""
        text = _("The database holds <b>{size}</b>")
        if self.growth is not None:
            text += _(" and grows by <b>{growth} a day</b>")
        if self.disk:
            text += _(", <b>{free}</b> of the disk are free")
        if self.disk and self.disk.low:
            text += _(": too little, so <b>nothing is taken in</b>")
        elif self.full_in is not None:
            text += ngettext(
                ", enough for {days} day if nothing were dropped",
                ", enough for {days} days if nothing were dropped",
                self.full_in,
            )
        return self._with_figures(f"{text}.")

    def short_sentence(self) -> str:
        """A shorter sentence, with the largest kinds."""
        text = _("The database holds <b>{size}</b> ({largest})")
        if self.growth is not None:
            text += _(", {growth} more each day")
        if self.disk:
            text += _(", and {free} of the disk are free")
        return self._with_figures(f"{text}.")

    def _with_figures(self, text: str) -> str:
        return format_html(
            text,
            size=filesizeformat(self.total),
            growth=filesizeformat(self.growth or 0),
            free=filesizeformat(self.disk.free if self.disk else 0),
            days=self.full_in,
            largest=", ".join(f"{kind.label} {filesizeformat(kind.bytes)}" for kind in self.kinds[:3]),
        )


Sizes = dict[tuple[str, date | None], int]  # by table, and by day where it is partitioned


def storage() -> Storage:
    """The storage, at most some minutes old."""
    stored: Storage | None = cache.get(CACHE)
    if stored is None:
        stored = read(timezone.now())
        cache.set(CACHE, stored, CACHED_S)
    return stored


def clear_cache() -> None:
    cache.delete(CACHE)


def read(now: datetime) -> Storage:
    today, partitions = now.date(), sizes()
    drops = upcoming(partitions, today, current_retention())
    firsts: dict[str, Drop] = {}
    for drop in drops:
        firsts.setdefault(drop.kind, drop)
    disk = disk_of(Path(settings.DATA_DIR))
    return Storage(
        at=now,
        kinds=kinds(partitions, today),
        next_drops=list(firsts.values()),
        freed_soon=sum(drop.bytes for drop in drops if drop.on <= today + timedelta(days=SOON)),
        growth=growth(partitions, today),
        disk=disk,
    )


def sizes() -> Sizes:
    with connection.cursor() as cursor:
        cursor.execute(SIZES)
        return {(table, date.fromisoformat(day) if day else None): size for table, day, size in cursor.fetchall()}


def kind_of(table: str) -> str:
    return next((name for name, starts in KINDS.items() if table.startswith(starts)), "other")


def kinds(partitions: Sizes, today: date) -> list[Kind]:
    """Every kind, the largest first; they add up to the database with its catalogue."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        (whole,) = cursor.fetchone() or (0,)
    bytes_of = dict.fromkeys(LABELS, 0)
    days: dict[str, list[date]] = {}
    for (table, day), size in partitions.items():
        bytes_of[kind_of(table)] += size
        if day is not None and day <= today:
            days.setdefault(kind_of(table), []).append(day)
    bytes_of["other"] += max(whole - sum(bytes_of.values()), 0)
    return [
        Kind(name, size, min(days.get(name, []), default=None))
        for name, size in sorted(bytes_of.items(), key=lambda item: -item[1])
    ]


def upcoming(partitions: Sizes, today: date, days: RetentionDays) -> list[Drop]:
    """Every stored day, in the order in which retention drops it."""
    limits = retention.limits(days)
    drops = [
        Drop(kind_of(table), day, max(day + timedelta(days=limits[table] + 1), today), size)
        for (table, day), size in partitions.items()
        if day is not None and day <= today and table in limits and table != LINKS
    ]
    return sorted(drops, key=lambda drop: (drop.on, drop.day, list(LABELS).index(drop.kind)))


def growth(partitions: Sizes, today: date) -> int | None:
    """Bytes a day: the mean partition of the last whole days, plus the rollups' size divided by their days."""
    first = today - timedelta(days=GROWTH_DAYS)
    by_day: dict[date, int] = {}
    for (table, day), size in partitions.items():
        if table in (retention.REQUESTS, retention.BODIES) and day is not None and first <= day < today:
            by_day[day] = by_day.get(day, 0) + size
    begun: date | None = UsageDay.objects.aggregate(first=Min("day"))["first"]
    if not by_day or begun is None or begun >= today:
        return None
    rollups = sum(size for (table, _day), size in partitions.items() if kind_of(table) == "rollups")
    return sum(by_day.values()) // len(by_day) + rollups // max((today - begun).days, 1)


@dataclass(frozen=True, slots=True)
class Loss:
    """What the next run of retention would delete: days of a kind; for requests also how many."""

    kind: str
    first: date
    last: date
    days: int
    bytes: int
    requests: int | None = None

    @property
    def label(self) -> str:
        return LABELS[self.kind]()


def losses(today: date, days: RetentionDays) -> list[Loss]:
    """The stored data that retention of `days` would delete, by the rule that retention itself uses."""
    partitions = sizes()
    return [
        loss(partitions, table, gone)
        for table, gone in retention.due(today, days).items()
        if gone and table in (retention.BODIES, retention.REQUESTS)
    ]


def loss(partitions: Sizes, table: str, gone: list[date]) -> Loss:
    freed = sum(partitions.get((table, day), 0) for day in gone)
    return Loss(
        kind_of(table), gone[0], gone[-1], len(gone), freed, counted(gone) if table == retention.REQUESTS else None
    )


def counted(days: Iterable[date]) -> int:
    """Requests of these days, from the rollups."""
    sums: dict[str, Any] = UsageDay.objects.filter(day__in=list(days)).aggregate(n=Sum("requests"))
    return int(sums["n"] or 0)
