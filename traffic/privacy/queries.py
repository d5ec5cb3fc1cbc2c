"""Reads of deletions that people asked for."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from traffic.models import Application, Erasure

SHOWN = 100


def latest_erasures() -> list[Erasure]:
    return list(Erasure.objects.select_related("by")[:SHOWN])


def get_erasure(pk: int) -> Erasure:
    """Raises Http404."""
    return get_object_or_404(Erasure.objects.select_related("by"), pk=pk)


def get_application(slug: str) -> Application:
    """Raises Http404."""
    return get_object_or_404(Application, slug=slug)
