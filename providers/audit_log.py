"""Who changed what in the settings, written where Django's own admin writes it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.forms import BaseForm
from django.http import HttpRequest

SHOWN = 10


def log(request: HttpRequest, thing: Model, message: str | list[Any], *, added: bool = False) -> None:
    """One entry of the audit log; `message` is a sentence or Django's list of changes. Never a secret."""
    assert request.user.pk is not None, "only people who are logged in change settings"
    LogEntry.objects.log_actions(
        request.user.pk,
        type(thing)._default_manager.filter(pk=thing.pk),
        ADDITION if added else CHANGE,
        change_message=message,
        single_object=True,
    )


def log_form(request: HttpRequest, thing: Model, form: BaseForm, *, added: bool = False) -> None:
    """The fields that a form changed, by name, never their values; nothing where it changed none."""
    fields = [str(form.fields[name].label or name) for name in form.changed_data]
    if added:
        log(request, thing, [{"added": {}}], added=True)
    elif fields:
        log(request, thing, [{"changed": {"fields": fields}}])


def changes(thing: Model) -> list[LogEntry]:
    """The latest changes of one thing and who made them."""
    kind = ContentType.objects.get_for_model(type(thing))
    found = LogEntry.objects.filter(content_type=kind, object_id=str(thing.pk)).select_related("user")
    return list(found.order_by("-action_time")[:SHOWN])
