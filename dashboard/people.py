"""People and their roles: the form that an admin fills in, and what it must not do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from dashboard.roles import ROLES

ADMIN = "admin"
ROLE_LABELS = {
    "staff": _("Staff: rate answers, see their applications’ requests"),
    "manager": _("Manager: see all figures, plan and decide"),
    "ops": _("Ops: the same, and run accounts, deployments, rules and prices"),
    ADMIN: _("Admin: everything, people and keys included"),
}

if TYPE_CHECKING:
    UserForm = forms.ModelForm[User]
else:
    UserForm = forms.ModelForm  # takes no parameter at run time


def role_of(person: User) -> str:
    """The one role that a person has; empty for none. Whoever has several counts as the most that they may."""
    if person.is_superuser:
        return ADMIN
    names = {group.name for group in person.groups.all()}
    return next((name for name in reversed(ROLES) if name in names), "")


class PersonForm(UserForm):
    """A person with one role; a password is asked for when they are new, and may be set anew later."""

    role = forms.ChoiceField(choices=list(ROLE_LABELS.items()), label=_("Role"), widget=forms.RadioSelect)
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    class Meta:
        model = User
        fields = ["username", "first_name", "last_name", "email"]
        labels = {"username": _("User name"), "email": _("E-mail")}
        help_texts = {"username": "", "email": _("Alerts of their role go there.")}

    def __init__(self, data: Any = None, *, instance: User | None = None, by: User) -> None:
        super().__init__(data, instance=instance)
        self.by = by
        self.fields["email"].required = True
        if instance is not None:
            self.fields["role"].initial = role_of(instance)
            self.fields["password"].required = False
            self.fields["password"].label = _("New password")
            self.fields["password"].help_text = _("Left empty, the present one stays. A new one ends their sessions.")

    def clean_role(self) -> str:
        role: str = self.cleaned_data["role"]
        if self.instance.pk == self.by.pk and role != ADMIN:
            raise forms.ValidationError(_("You cannot take the role of admin from yourself; another admin can."))
        return role

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        password = cleaned.get("password")
        if password:
            try:
                validate_password(password, self.instance)
            except forms.ValidationError as error:
                self.add_error("password", error)
        return cleaned

    @transaction.atomic
    def save(self, commit: bool = True) -> User:
        person = super().save(commit=False)
        person.is_superuser = person.is_staff = self.cleaned_data["role"] == ADMIN
        if self.cleaned_data.get("password"):
            person.set_password(self.cleaned_data["password"])
        person.save()
        person.groups.remove(*Group.objects.filter(name__in=ROLES))
        if not person.is_superuser:
            person.groups.add(Group.objects.get(name=self.cleaned_data["role"]))
        return person
