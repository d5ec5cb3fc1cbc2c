"""Reads of routing rules."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from traffic.models import Route


def list_routes() -> list[Route]:
    """All rules in the order in which they are asked, with their targets, applications and fallbacks."""
    return list(Route.objects.select_related("deployment").prefetch_related("applications", "fallbacks"))


def get_route(slug: str) -> Route:
    """Raises Http404."""
    return get_object_or_404(Route, slug=slug)
