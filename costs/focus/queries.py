"""Reads of the targets that the ledger is exported to."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from costs.models import ExportTarget


def export_targets() -> list[ExportTarget]:
    """All that are not deleted."""
    return list(ExportTarget.objects.there())


def export_target(pk: int) -> ExportTarget:
    """One that is not deleted; raises Http404."""
    return get_object_or_404(ExportTarget.objects.there(), pk=pk)


def any_export_target(pk: int) -> ExportTarget:
    """One that may be deleted; raises Http404."""
    return get_object_or_404(ExportTarget, pk=pk)
