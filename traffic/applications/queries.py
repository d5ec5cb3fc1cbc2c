"""Reads of applications and their keys, for the pages of Settings."""

from __future__ import annotations

from datetime import date

from django.db.models import Count, Q, Sum
from django.shortcuts import get_object_or_404

from traffic.models import Application, Key, UsageDay


def list_applications() -> list[Application]:
    """All, each with `people`, its members, and `live_keys`, how many of its keys were not revoked."""
    return list(
        Application.objects.select_related("owner").annotate(
            people=Count("members", distinct=True), live_keys=Count("keys", Q(keys__revoked_at=None), distinct=True)
        )
    )


def requests_by_application(first: date, *, model: str | None = None) -> dict[int, int]:
    """Requests since a UTC day by application, of one model or of all; an application without any is missing."""
    usage = UsageDay.objects.filter(day__gte=first, application_id__gt=0)
    if model is not None:
        usage = usage.filter(model=model)
    return dict(usage.values_list("application_id").annotate(n=Sum("requests")))


def get_application(slug: str) -> Application:
    """The application with its owner. Raises Http404."""
    return get_object_or_404(Application.objects.select_related("owner"), slug=slug)


def find_application(slug: str) -> Application | None:
    return Application.objects.filter(slug=slug).first()


def list_keys() -> list[Key]:
    return list(Key.objects.select_related("application", "created_by"))


def keys_of(application: Application) -> list[Key]:
    return list(application.keys.select_related("created_by"))


def get_key(pk: int) -> Key:
    """The key with its application and the key that it replaces. Raises Http404."""
    return get_object_or_404(Key.objects.select_related("application", "replaces"), pk=pk)


def successor_of(key: Key) -> Key | None:
    """The key that replaces this one."""
    return key.replaced_by.first()
