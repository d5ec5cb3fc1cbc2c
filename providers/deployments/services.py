"""Writes of deployments: settings, switching on and off, maintenance windows."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from providers.models import Deployment, Maintenance
from providers.uptime import due_checks


def save_deployment(*, deployment: Deployment, moved: bool, was_checked: bool, now: datetime) -> None:
    """Store a deployment; one that leads elsewhere now is checked at once, one that is checked no more is unknown."""
    with transaction.atomic():
        if moved or deployment.check_due_at is None:
            deployment.check_due_at = now
        if deployment._state.adding:
            deployment.save()
            return
        # What checks write is theirs: one may be under way.
        fields = {field.name for field in Deployment._meta.concrete_fields} - CHECKS_OWN - {"id"}
        if moved:  # another engine has other slots and abilities
            deployment.engine_slots = deployment.takes_media = None
            fields |= {"engine_slots", "takes_media"}
        deployment.save(update_fields=fields)
        if was_checked and not deployment.checked:
            due_checks.stop_checking(deployment=deployment)


CHECKS_OWN = {
    "state",
    "state_since",
    "streak_ok",
    "streak",
    "streak_since",
    "check_claimed_until",
    "last_check_at",
    "last_latency_ms",
    "last_cause",
    "tls_expires_at",
    "served_model",
    "engine_slots",
    "takes_media",
    "cooling_until",
}


def disable_deployment(*, deployment: Deployment) -> None:
    """Send nothing there and check it no more; whether it is to be checked when it comes back is kept."""
    with transaction.atomic():
        due_checks.stop_checking(deployment=deployment)
        Deployment.objects.filter(pk=deployment.pk).update(enabled=False, checked=deployment.checked)


def enable_deployment(*, deployment: Deployment, now: datetime) -> None:
    Deployment.objects.filter(pk=deployment.pk).update(enabled=True, check_due_at=now)


def plan_maintenance(*, window: Maintenance) -> None:
    """Store a window; failures in it do not count."""
    window.save()


def end_maintenance(*, window: Maintenance, now: datetime) -> None:
    """Close a window that is under way; take back one that has not begun. What is over stays."""
    if window.starts_at > now:
        window.delete()
    elif window.repeats:
        if window.repeats_until is None or window.repeats_until > now:
            window.repeats_until = now
            window.save(update_fields=["repeats_until"])
    elif window.ends_at > now:
        window.ends_at = now
        window.save(update_fields=["ends_at"])
