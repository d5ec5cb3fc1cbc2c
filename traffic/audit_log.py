"""Who changed what in traffic's settings, written where Django's own admin writes it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest


def log(request: HttpRequest, thing: Model, message: str | list[Any], *, added: bool = False) -> None:
    """One entry of the audit log; `message` is a sentence or Django's list of changes."""
    assert request.user.pk is not None, "only people who are logged in change settings"
    LogEntry.objects.log_actions(
        request.user.pk,
        type(thing)._default_manager.filter(pk=thing.pk),
        ADDITION if added else CHANGE,
        change_message=message,
        single_object=True,
    )


def log_form(request: HttpRequest, form: ModelForm[Any], *, added: bool = False) -> None:
    """The fields that a form changed; nothing where it changed none."""
    fields = [str(form.fields[name].label or name) for name in form.changed_data]
    if added:
        log(request, form.instance, [{"added": {}}], added=True)
    elif fields:
        log(request, form.instance, [{"changed": {"fields": fields}}])
