"""Writes of the targets that the ledger is exported to. The caller writes the audit log."""

from __future__ import annotations

from django.utils import timezone

from costs.models import ExportTarget


def save_target(target: ExportTarget) -> None:
    """Save a target."""
    target.save()


def switch(pk: int, *, enabled: bool) -> bool:
    """Turn exports to a target on or off; False if nothing changed."""
    return bool(ExportTarget.objects.filter(pk=pk, enabled=not enabled).update(enabled=enabled))


def delete_target(pk: int) -> None:
    """Delete a target; files that were written stay."""
    ExportTarget.objects.filter(pk=pk).update(deleted_at=timezone.now())


def restore_target(pk: int) -> bool:
    """Take a deletion back; False if the target was not deleted."""
    return bool(ExportTarget.objects.filter(pk=pk).exclude(deleted_at=None).update(deleted_at=None))
