"""Reads of the targets that the ledger is exported to."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from costs.models import ExportTarget


def export_targets() -> list[ExportTarget]:
    """All export targets that are not deleted."""
    return list(ExportTarget.objects.there())


def export_target(pk: int) -> ExportTarget:
    """A target that is not deleted. Raises Http404."""
    return get_object_or_404(ExportTarget.objects.there(), pk=pk)


def any_export_target(pk: int) -> ExportTarget:
    """A target, deleted or not. Raises Http404."""
    return get_object_or_404(ExportTarget, pk=pk)
