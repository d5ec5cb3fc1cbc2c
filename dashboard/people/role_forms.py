"""The form with which an admin changes the permissions of a role, in groups."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import Group

from dashboard.people.queries import permissions_by_label
from dashboard.people.role_words import GROUPS


def offered() -> list[str]:
    """Labels of the permissions that can be given to a role, in the order of the page."""
    return [label for _title, words in GROUPS.values() for label in words]


class RoleForm(forms.Form):
    """A checkbox for each permission; the role gets the ticked ones."""

    def __init__(self, data: Any = None, *, group: Group) -> None:
        super().__init__(data)
        self.group = group
        self.before = {
            f"{row.content_type.app_label}.{row.codename}" for row in group.permissions.select_related("content_type")
        }
        for name, (title, words) in GROUPS.items():
            self.fields[name] = forms.MultipleChoiceField(
                label=str(title), choices=list(words.items()), required=False, widget=forms.CheckboxSelectMultiple,
                initial=[label for label in words if label in self.before],
            )  # fmt: skip

    @property
    def ticked(self) -> list[str]:
        """The labels that are ticked in a valid form."""
        return [label for name in GROUPS for label in self.cleaned_data[name]]

    @property
    def lost(self) -> list[str]:
        """The labels that a valid form takes away from the role."""
        return [label for label in offered() if label in self.before and label not in self.ticked]

    def save(self) -> None:
        """Save the role; permissions that the form does not offer are kept."""
        permissions = permissions_by_label()
        self.group.permissions.remove(*(permissions[label] for label in self.lost))
        self.group.permissions.add(*(permissions[label] for label in self.ticked))
