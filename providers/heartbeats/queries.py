"""Reads of heartbeats."""

from __future__ import annotations

from datetime import datetime

from django.shortcuts import get_object_or_404

from providers.heartbeats.report import HeartbeatNow, beat_now
from providers.models import Heartbeat, HeartbeatPing


def heartbeats_now(now: datetime) -> list[HeartbeatNow]:
    """Every heartbeat as it stands at `now`."""
    return [beat_now(heartbeat, now) for heartbeat in Heartbeat.objects.not_deleted()]


def heartbeat_or_404(slug: str) -> Heartbeat:
    return get_object_or_404(Heartbeat.objects.not_deleted(), slug=slug)


def deleted_heartbeat_or_404(pk: int) -> Heartbeat:
    """Also one that is not deleted: an undo that is pressed twice changes nothing."""
    return get_object_or_404(Heartbeat, pk=pk)


def stored(heartbeat: Heartbeat) -> Heartbeat:
    """The row as it is stored: a form that was refused has changed the one that it was given."""
    return Heartbeat.objects.get(pk=heartbeat.pk)


def latest_pings(heartbeat: Heartbeat, limit: int) -> list[HeartbeatPing]:
    return list(heartbeat.pings.all()[:limit])
