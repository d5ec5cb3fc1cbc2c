"""What-ifs of the break-even that somebody kept."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from costs.querysets import WhatIfQuerySet


class WhatIf(models.Model):
    """A named scenario: the changes that the address of the Break-even page holds; what it leaves out stays live."""

    name = models.CharField(max_length=100)
    query = models.CharField(max_length=2000)  # of the page's address, without what is empty
    note = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True)

    objects = WhatIfQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["name"], condition=models.Q(removed_at=None), name="one_what_if_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name
