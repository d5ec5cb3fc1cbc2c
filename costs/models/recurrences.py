"""Charges that come again."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.models.receipts import Receipt
from costs.querysets import RecurrenceQuerySet
from traffic.models import Application


class Recurrence(models.Model):
    """A cost that a person entered once and that arises every week or month until it is stopped.

    Each time is a charge of its own, made by `costs.charges.recurrences` when its day has come. `counts_from` is from
    when the row as it stands makes charges: what an earlier wording made before it stays.
    """

    class Every(models.TextChoices):
        MONTH = "month", _("every month")
        WEEK = "week", _("every week")

    every = models.CharField(max_length=5, choices=Every.choices)
    starts_on = models.DateField()
    until = models.DateField(null=True, blank=True)  # the last day on which it may arise; NULL: goes on
    counts_from = models.DateField()
    skipped = models.JSONField(default=list)  # days (YYYY-MM-DD) whose charge a person deleted
    stopped_at = models.DateTimeField(null=True, blank=True)
    category = models.CharField(max_length=20)
    provider = models.CharField(max_length=40)
    original_amount = models.DecimalField(max_digits=24, decimal_places=12)
    currency = models.CharField(max_length=3, default="USD")
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.SET_NULL)
    description = models.TextField(blank=True)
    receipt = models.ForeignKey(Receipt, null=True, blank=True, on_delete=models.SET_NULL, related_name="recurrences")
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = RecurrenceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.provider} {self.category} {self.original_amount} {self.currency} {self.every}"

    def days(self, until: date) -> Iterator[date]:
        """Days on which it arises, from `counts_from` to `until` inclusive; the 31st is the last of a short month."""
        last = min(until, self.until or until)
        number = 0
        while (day := self.nth(number)) <= last:
            if day >= self.counts_from:
                yield day
            number += 1

    def nth(self, number: int) -> date:
        if self.every == self.Every.WEEK:
            return self.starts_on + timedelta(weeks=number)
        year, month = divmod(self.starts_on.year * 12 + self.starts_on.month - 1 + number, 12)
        return date(year, month + 1, min(self.starts_on.day, monthrange(year, month + 1)[1]))
