"""Caps of keys and applications, and what of each is used."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from traffic.models.applications import Application, Key
from traffic.models.choices import CapPeriod, QuotaUnit, Task


class Cap(models.Model):
    """How much may be used through the gateway in each window; never passed. Of a key it holds for its whole line."""

    key = models.ForeignKey(Key, null=True, blank=True, on_delete=models.CASCADE, related_name="caps")
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE, related_name="caps")
    each_user = models.BooleanField(default=False)  # so much for each end user that the application's calls name
    # Only the application's calls of this task count; empty: all. It is the one label that every call can carry.
    task = models.CharField(max_length=20, choices=Task.choices, default="", db_default="", blank=True)
    unit = models.CharField(max_length=10, choices=QuotaUnit.choices)
    period = models.CharField(max_length=10, choices=CapPeriod.choices)
    amount = models.DecimalField(max_digits=20, decimal_places=6)  # calls, tokens or USD
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["unit", "period", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(key=None, application__isnull=False) | Q(key__isnull=False, application=None),
                name="cap_of_a_key_or_an_application",
            ),
            models.UniqueConstraint(fields=["key", "unit", "period"], name="one_cap_of_a_key"),
            models.UniqueConstraint(
                fields=["application", "each_user", "task", "unit", "period"], name="one_cap_of_an_application"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.amount.normalize():,f} {self.unit} a {self.period}"


class CapUse(models.Model):
    """What calls of a window used of a cap, counted in the transaction that stores their rows."""

    cap = models.ForeignKey(Cap, on_delete=models.CASCADE, related_name="use")
    user_hash = models.UUIDField(default=uuid.UUID(int=0))  # 0: of all users, or of calls that name none
    starts_at = models.DateTimeField()  # of the window
    amount = models.BigIntegerField()  # calls, tokens or thousand millionths of a USD

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["cap", "user_hash", "starts_at"], name="one_use_of_a_cap_and_window")
        ]
        indexes = [models.Index(fields=["starts_at"], name="cap_use_by_start")]
