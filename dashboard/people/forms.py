"""The form with which an admin adds and changes people, and the rule that an admin must remain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from dashboard.people.roles import ROLES

ADMIN = "admin"
ROLE_LABELS = {
    "staff": _("Staff: rate answers, see their applications’ requests"),
    "manager": _("Manager: see all figures, plan and decide"),
    "ops": _("Ops: see all figures, run accounts, deployments, rules and prices"),
    ADMIN: _("Admin: everything, people and keys included"),
}

NO_ADMIN_ANY_MORE = _("Nothing was changed: another admin has just removed your role of admin.")

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm  # takes no parameter at run time


def role_of(person: User) -> str:
    """The role of a person, empty for none; of several the one with the most rights."""
    if person.is_superuser:
        return ADMIN
    names = {group.name for group in person.groups.all()}
    return next((name for name in reversed(ROLES) if name in names), "")


def admins_locked() -> list[User]:
    """The present admins, whose rows stay locked until the transaction ends.

    Only an admin can remove another admin, and nobody can remove themselves. With the lock that holds also if two
    admins remove each other at the same moment, so at least one admin always remains.
    """
    return list(User.objects.select_for_update().filter(is_superuser=True, is_active=True).order_by("pk"))


class PersonForm(UserForm):
    """A person with one role. People set their password themselves with a one-time link."""

    role = forms.ChoiceField(choices=list(ROLE_LABELS.items()), label=_("Role"), widget=forms.RadioSelect)

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email"]
        labels = {"username": _("User name"), "email": _("E-mail")}
        help_texts = {"username": "", "email": _("Alerts of this role are sent there.")}

    def __init__(self, data: Any = None, *, instance: User | None = None, by: User) -> None:
        super().__init__(data, instance=instance)
        self.by = by
        self.fields["email"].required = True
        if instance is not None:
            self.fields["role"].initial = role_of(instance)

    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        if self.instance.pk == self.by.pk and role != ADMIN:
            raise forms.ValidationError(_("You cannot remove your own role of admin. Another admin can."))
        if self.instance.is_superuser and role != ADMIN and self.by not in admins_locked():
            raise forms.ValidationError(NO_ADMIN_ANY_MORE)
        return role

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        person = super().save(commit=False)
        person.is_superuser = person.is_staff = self.cleaned_data["role"] == ADMIN
        if person._state.adding:
            person.set_unusable_password()
        person.save()
        person.groups.remove(*Group.objects.filter(name__in=ROLES))
        if not person.is_superuser:
            person.groups.add(Group.objects.get(name=self.cleaned_data["role"]))
        return person
