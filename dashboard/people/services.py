"""Writes of people and roles: saving forms, locking people out and in, revoking keys."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from dashboard.people.forms import PersonForm, admins_locked
from dashboard.people.role_forms import RoleForm
from traffic.models import Key


@transaction.atomic
def save_if_valid(*, form: PersonForm, record: Callable[[User], None]) -> bool:
    """Save a person and call `record` if the form is valid; the admins are locked during the check and the save."""
    if not form.is_valid():
        return False
    record(form.save())
    return True


def save_person(*, form: PersonForm) -> User:
    """Save the person and the role of a valid form."""
    return form.save()


def save_role(*, form: RoleForm) -> None:
    """Save the permissions of a valid form."""
    form.save()


@transaction.atomic
def switch(*, person: User, active: bool, by: User, record: Callable[[], None]) -> bool:
    """Let a person in or lock them out, and call `record` if that changes something.

    Returns False without a change if `by` is no admin any more and the person is one.
    """
    if person.is_superuser and not active and by not in admins_locked():
        return False
    if User.objects.filter(pk=person.pk, is_active=not active).update(is_active=active):
        record()
    return True


def revoke_keys_for_all(*, maker: User, now: datetime) -> list[Key]:
    """Revoke the keys for the whole installation that a person made; returns those that were not revoked before."""
    keys = Key.objects.made_by(maker).filter(application=None)
    return [key for key in keys if Key.objects.live().filter(pk=key.pk).update(revoked_at=now)]
