"""Runs that cost stored requests anew, and what they came to by day and model."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from providers.models import usd_sum


class RepricingState(models.TextChoices):
    PREVIEWING = "previewing", _("being calculated")
    PREVIEWED = "previewed", _("not started")
    RUNNING = "running", _("running")
    DONE = "done", _("done")
    FAILED = "failed", _("stopped by an error")
    CANCELLED = "cancelled", _("cancelled")
    UNDOING = "undoing", _("being undone")
    UNDONE = "undone", _("undone")


class RepricingQuerySet(models.QuerySet["Repricing"]):
    def at_work(self) -> RepricingQuerySet:
        return self.filter(state__in=("previewing", "running", "undoing"))

    def due(self, now: datetime) -> RepricingQuerySet:
        """Those that someone should be at and nobody is."""
        return self.at_work().filter(models.Q(claimed_until=None) | models.Q(claimed_until__lt=now))

    def claim(self, pk: int, now: datetime, until: datetime) -> Repricing | None:
        """Take one that is due; None where another worker has it."""
        taken = self.due(now).filter(pk=pk).update(claimed_until=until)
        return self.get(pk=pk) if taken else None

    def later_than(self, repricing: Repricing) -> RepricingQuerySet:
        """Those that wrote after this one over days of the same period and were not taken back."""
        later = self.filter(started_at__gt=repricing.started_at, changed__gt=0).exclude(pk=repricing.pk)
        later = later.filter(since__lt=repricing.until, until__gt=repricing.since)
        return later.exclude(state__in=("previewing", "previewed", "undone"))


class Repricing(models.Model):
    """Requests of the UTC days from `since` to the day before `until`, costed anew at the book of the day it ran.

    `at_day` and `at_id` are where the last committed batch ended, of the preview, the run or the undoing. What every
    changed request cost before and after stands in `traffic_repriced`, partitioned by day, until it is undone.
    """

    since = models.DateField()
    until = models.DateField()
    provider = models.CharField(max_length=40, blank=True)  # empty: all
    model = models.CharField(max_length=200, blank=True)  # as the requests call it; empty: all
    why = models.CharField(max_length=300, blank=True)
    state = models.CharField(max_length=10, choices=RepricingState.choices)
    total = models.BigIntegerField(default=0)  # requests to look at, as the rollups say
    at_day = models.DateField(null=True)
    at_id = models.UUIDField(null=True)
    read = models.BigIntegerField(default=0)
    changed = models.BigIntegerField(default=0)
    restored = models.BigIntegerField(default=0)  # by undoing
    kept = models.BigIntegerField(default=0)  # that cost something else again when it was undone, and stayed so
    problem = models.TextField(blank=True)  # why it stopped, in a sentence
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    claimed_until = models.DateTimeField(null=True)  # a worker is at it; past this it is taken for dead

    objects = RepricingQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"Requests from {self.since} to the day before {self.until}"

    @property
    def percent(self) -> int:
        if self.state in (RepricingState.DONE, RepricingState.PREVIEWED, RepricingState.UNDONE):
            return 100
        done, of = (
            (self.restored + self.kept, self.changed)
            if self.state == RepricingState.UNDOING
            else (self.read, self.total)
        )
        return min(99, int(100 * done / max(of, 1)))

    @property
    def at_work(self) -> bool:
        return self.state in (RepricingState.PREVIEWING, RepricingState.RUNNING, RepricingState.UNDOING)


class RepricedDay(models.Model):
    """What one day's changed requests to one model cost before and after; USD, costs not known counted apart."""

    repricing = models.ForeignKey(Repricing, on_delete=models.CASCADE, related_name="days")
    planned = models.BooleanField()  # by the preview, which wrote nothing
    day = models.DateField()
    provider = models.TextField()
    model = models.TextField()
    requests = models.BigIntegerField()
    before = usd_sum()
    after = usd_sum()
    unknown_before = models.BigIntegerField()
    unknown_after = models.BigIntegerField()

    class Meta:
        ordering = ["day", "provider", "model"]
        constraints = [
            models.UniqueConstraint(
                fields=["repricing", "planned", "day", "provider", "model"], name="one_difference_of_a_day_and_model"
            )
        ]

    @property
    def amount(self) -> Decimal:
        difference: Decimal = self.after - self.before
        return difference
