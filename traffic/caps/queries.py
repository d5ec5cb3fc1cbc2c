"""Reads of caps and of what their windows used, as it is stored: it lags a second behind the gateways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Max, Q, QuerySet
from django.shortcuts import get_object_or_404

from traffic.caps.windows import Window, amount_of, window_of, zone_of
from traffic.models import Application, Cap, CapUse, Installation, Key


@dataclass(frozen=True, slots=True)
class CapInUse:
    """A cap with its window of now and what is used of it; of a cap for each user the most that one has used."""

    cap: Cap
    window: Window
    used: Decimal


def installation() -> Installation:
    """The row with the settings of caps; as it begins, where nothing is stored yet."""
    return Installation.objects.first() or Installation()


def caps_of_key(key: Key, now: datetime) -> list[CapInUse]:
    return in_use(Cap.objects.filter(key=key.line), now)


def caps_of_application(application: Application, now: datetime) -> list[CapInUse]:
    return in_use(Cap.objects.filter(application=application), now)


def all_caps(now: datetime) -> list[CapInUse]:
    caps = Cap.objects.select_related("key__application", "application")
    return in_use(caps.order_by("application__name", "key__name", "pk"), now)


def in_use(caps: QuerySet[Cap], now: datetime) -> list[CapInUse]:
    """Each with its use: three reads for all of them."""
    listed = list(caps)
    if not listed:
        return []
    zone = zone_of(installation().cap_zone)
    windows = {cap.pk: window_of(cap.period, now, zone) for cap in listed}
    used = most_used(windows)
    return [CapInUse(cap, windows[cap.pk], amount_of(cap.unit, used.get(cap.pk, 0))) for cap in listed]


def most_used(windows: dict[int, Window]) -> dict[int, int]:
    now = Q()
    for pk, window in windows.items():
        now |= Q(cap=pk, starts_at=window.start)
    rows: Iterable[tuple[int, int]] = (
        CapUse.objects.filter(now).values_list("cap").annotate(most=Max("amount")).values_list("cap", "most")
    )
    return dict(rows)


GAP = timedelta(minutes=15)


class CapGap(NamedTuple):
    """Calls whose caps could not be held, since the first of them; `refused`: they were not let through."""

    since: datetime
    calls: int
    refused: bool


def cap_gap(now: datetime) -> CapGap | None:
    """None where the last such call was more than a quarter of an hour ago."""
    settings = installation()
    if settings.cap_gap_at is None or settings.cap_gap_since is None or settings.cap_gap_at <= now - GAP:
        return None
    return CapGap(settings.cap_gap_since, settings.cap_gap_calls, settings.caps_refuse)


def get_cap(pk: int) -> Cap:
    """Raises Http404."""
    return get_object_or_404(Cap.objects.select_related("key__application", "application"), pk=pk)
