"""Writes of status pages."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from providers.models import Deployment, Heartbeat, StatusPage


def save_page(
    *, page: StatusPage, deployments: Iterable[Deployment] | None, heartbeats: Iterable[Heartbeat] | None
) -> None:
    """Store a page and what it shows; None leaves what it shows of a kind as it is."""
    with transaction.atomic():
        page.save()
        if deployments is not None:
            page.deployments.set(deployments)
        if heartbeats is not None:
            page.heartbeats.set(heartbeats)
