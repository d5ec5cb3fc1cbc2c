"""Batch jobs that tell us that they ran; silence is what alarms."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from lib.soft_delete import SoftDeleted, SoftDeletedQuerySet


class HeartbeatState(models.TextChoices):
    NEW = "new", _("waiting for its first ping")
    UP = "up", _("on time")
    DOWN = "down", _("missed or failed")


class Signal(models.TextChoices):
    START = "start", _("started")
    SUCCESS = "success", _("finished")
    FAIL = "fail", _("failed")


def seconds(n: float | None) -> timedelta | None:
    return None if n is None else timedelta(seconds=n)


class HeartbeatQuerySet(SoftDeletedQuerySet["Heartbeat"]):
    def overdue(self, now: datetime) -> HeartbeatQuerySet:
        """Those whose time, grace included, has passed and that are not yet known to be down."""
        return self.not_deleted().filter(paused=False, due_at__lte=now).exclude(state="down")


class Heartbeat(SoftDeleted):
    """A job that is expected to ping: every so often, or by a cron schedule."""

    class Schedule(models.TextChoices):
        PERIOD = "period", _("at an interval")
        CRON = "cron", _("by cron schedule")

    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=100)
    ping_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)  # whoever knows it may ping
    schedule = models.CharField(max_length=6, choices=Schedule.choices, default=Schedule.PERIOD)
    period_s = models.PositiveIntegerField(default=86_400)
    cron = models.CharField(max_length=100, blank=True)
    time_zone = models.CharField(max_length=50, default="UTC")  # of the cron schedule
    grace_s = models.PositiveIntegerField(default=3_600)

    state = models.CharField(max_length=4, choices=HeartbeatState.choices, default=HeartbeatState.NEW)
    state_since = models.DateTimeField(null=True)
    paused = models.BooleanField(default=False)
    last_ping_at = models.DateTimeField(null=True)  # the last end of a run, good or bad
    last_signal = models.CharField(max_length=7, choices=Signal.choices, blank=True)
    running_since = models.DateTimeField(null=True)  # it said that it started and not yet that it ended
    last_run_s = models.FloatField(null=True)  # how long the last run took that told its start and its end
    due_at = models.DateTimeField(null=True)  # past this, grace included, it is down; NULL: nothing is expected yet
    watched_since = models.DateTimeField(null=True)  # the first ping
    created_at = models.DateTimeField(auto_now_add=True)

    objects = HeartbeatQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        indexes = [models.Index(fields=["due_at"])]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"], condition=models.Q(deleted_at=None), name="one_kept_heartbeat_of_a_name"
            )
        ]

    def __str__(self) -> str:
        return self.slug

    @property
    def last_run(self) -> timedelta | None:
        return seconds(self.last_run_s)


class HeartbeatPing(models.Model):
    """One ping as it came; the newest of each heartbeat are kept."""

    heartbeat = models.ForeignKey(Heartbeat, on_delete=models.CASCADE, related_name="pings")
    at = models.DateTimeField()
    signal = models.CharField(max_length=7, choices=Signal.choices)
    method = models.CharField(max_length=4)
    agent = models.CharField(max_length=200, blank=True)
    message = models.CharField(max_length=1000, blank=True)  # the beginning of what the job sent along
    run_s = models.FloatField(null=True)  # since its start

    class Meta:
        ordering = ["-pk"]

    @property
    def mark(self) -> str:
        return {Signal.FAIL: "bad", Signal.START: "info"}.get(Signal(self.signal), "ok")

    @property
    def run(self) -> timedelta | None:
        return seconds(self.run_s)


class HeartbeatSpan(models.Model):
    """A stretch in which a heartbeat was missed or failed, or in which nobody was to watch it."""

    class Kind(models.TextChoices):
        DOWN = "down", _("missed or failed")
        PAUSED = "paused", _("paused")

    heartbeat = models.ForeignKey(Heartbeat, on_delete=models.CASCADE, related_name="spans")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    cause = models.TextField(blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["heartbeat", "kind"],
                condition=models.Q(ended_at=None),
                name="one_open_span_of_a_heartbeat_and_kind",
            )
        ]

    @property
    def lasted(self) -> timedelta | None:
        return self.ended_at - self.started_at if self.ended_at else None
