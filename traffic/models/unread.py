"""Counts of items that were sent and are no request, so that a developer who misses a call sees where it went."""

from __future__ import annotations

from django.db import models


class Unread(models.Model):
    """Items of one signal on one UTC day, by the application of the key; null is a key made for all."""

    day = models.DateField()
    application = models.ForeignKey("traffic.Application", null=True, on_delete=models.CASCADE, related_name="+")
    signal = models.CharField(max_length=10)  # traces, logs, metrics, texts of logs, litellm, native
    unread = models.BigIntegerField(default=0)  # taken, and no call to a model
    rejected = models.BigIntegerField(default=0)
    reason = models.TextField(default="")  # of the rejection that came last

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "application", "signal"], name="traffic_unread_key", nulls_distinct=False
            )
        ]
