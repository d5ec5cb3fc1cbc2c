"""The permissions of a role as an admin changes them: what the pages ask for, in groups by app."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group
from django.utils.translation import gettext_lazy as _

from dashboard.defaults import permissions_by_label
from dashboard.roles import ROLES

# What pages ask for and no role is given at the start; the rest of Django's permissions opens nothing here.
FURTHER = ("traffic.view_bodies", "traffic.add_application", "traffic.change_application", "traffic.view_erasure",
           "providers.view_auditentry")  # fmt: skip
APPS = {
    "providers": _("Providers, prices and machines"),
    "traffic": _("Requests, applications and ratings"),
    "costs": _("Money, plan and decisions"),
    "alerts": _("Alerts"),
}


def offered() -> list[str]:
    """Labels of the permissions that can be given to a role, in the order of the page."""
    labels = {label for labels in ROLES.values() for label in labels} | set(FURTHER)
    there = permissions_by_label()
    return sorted(
        (label for label in labels if label in there), key=lambda label: (list(APPS).index(label.split(".")[0]), label)
    )


class RoleForm(forms.Form):
    """A box for each permission; which are ticked is what the role may."""

    def __init__(self, data: Any = None, *, group: Group) -> None:
        super().__init__(data)
        self.group = group
        permissions = permissions_by_label()
        has = {
            f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.select_related("content_type")
        }
        labels = offered()
        for app, title in APPS.items():
            choices = [(label, permissions[label].name) for label in labels if label.startswith(f"{app}.")]
            self.fields[app] = forms.MultipleChoiceField(
                label=title, choices=choices, required=False, widget=forms.CheckboxSelectMultiple,
                initial=[label for label, _name in choices if label in has],
            )  # fmt: skip

    def save(self) -> None:
        """What the form does not offer stays as it is."""
        permissions = permissions_by_label()
        wanted = {label for app in APPS for label in self.cleaned_data[app]}
        self.group.permissions.remove(*(permissions[label] for label in offered() if label not in wanted))
        self.group.permissions.add(*(permissions[label] for label in wanted))
