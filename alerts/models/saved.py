"""Saved views: pages of ours with their filters, under a name."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from lib.soft_delete import SoftDeleted, SoftDeletedQuerySet

LONGEST_NAME, LONGEST_ADDRESS = 80, 2_000  # characters


class SavedViewQuerySet(SoftDeletedQuerySet["SavedView"]):
    def of(self, person: Any) -> SavedViewQuerySet:
        """Those that a person has; a deleted one is hidden."""
        return self.not_deleted().filter(owner=person)


class SavedView(SoftDeleted):
    """A page of ours under a name. `path` is path and query, as `dashboard.menu.saved` writes them. The page's own
    permission decides who sees what, also of a shared one."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=LONGEST_NAME)
    path = models.CharField(max_length=LONGEST_ADDRESS)
    shared = models.BooleanField(default=False)
    pinned = models.BooleanField(default=False)  # to the Overview
    weekly = models.BooleanField(default=False)  # in the owner's weekly digest
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        ordering = ["name", "pk"]

    def __str__(self) -> str:
        return self.name
