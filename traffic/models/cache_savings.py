"""What the gateway's answer cache saves."""

from __future__ import annotations

from django.db import models

from traffic.models.applications import Application


class CacheSaving(models.Model):
    """Answers from the cache in a UTC day, and what they would have cost; counted as the rows of hits are stored."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="cache_savings")
    day = models.DateField()
    provider = models.TextField()
    model = models.TextField()
    hits = models.BigIntegerField()
    unpriced = models.BigIntegerField()  # of the hits, those of which it is not known: self-hosted or without a price
    tokens = models.BigIntegerField()
    cost = models.DecimalField(max_digits=30, decimal_places=12)  # USD

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["application", "day", "provider", "model"], name="one_cache_saving_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.hits} of {self.application_id} on {self.day}"
