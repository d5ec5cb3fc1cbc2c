"""Soft deletion: a row that a person deleted is hidden from everybody and can be brought back for a day."""

from __future__ import annotations

from datetime import datetime
from typing import Self, TypeVar

from django.db import IntegrityError, models, transaction

M = TypeVar("M", bound=models.Model)


class SoftDeletedQuerySet(models.QuerySet[M]):
    def not_deleted(self) -> Self:
        return self.filter(deleted_at=None)


class SoftDeleted(models.Model):
    """Base of models whose rows are deleted softly; retention removes them for good a day later."""

    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


def soft_delete(*, row: SoftDeleted, now: datetime) -> None:
    row.deleted_at = now
    row.save(update_fields=["deleted_at"])


def undelete(*, row: SoftDeleted) -> bool:
    """Save the row as not deleted; False where another row has its name by now."""
    row.deleted_at = None
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return False
    return True
