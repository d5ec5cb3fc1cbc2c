"""Uses of keys that do not work any more, as the gateway saw them; a worker moves them into the audit log."""

from __future__ import annotations

from django.db import models


class DeadKeyUse(models.Model):
    """How often a revoked or expired key came from an address since the last row about it."""

    key = models.ForeignKey("traffic.Key", on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=45)
    count = models.PositiveIntegerField()
