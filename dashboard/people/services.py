"""Writes of people and roles: what their forms say, locking out and letting in, revoking keys."""

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
    """Write a person, and `record` it, if the form is valid; who is an admin stays as it is between the two."""
    if not form.is_valid():
        return False
    record(form.save())
    return True


def save_person(*, form: PersonForm) -> User:
    """Write a person and their role as the valid form has them."""
    return form.save()


def save_role(*, form: RoleForm) -> None:
    """Give a role what its valid form has ticked."""
    form.save()


@transaction.atomic
def switch(*, person: User, active: bool, by: User, record: Callable[[], None]) -> bool:
    """Let somebody in or lock them out, and `record` it unless it was so already.

    False, with nothing written, where an admin would be locked out by somebody who is no admin any more.
    """
    if person.is_superuser and not active and by not in admins_locked():
        return False
    if User.objects.filter(pk=person.pk, is_active=not active).update(is_active=active):
        record()
    return True


def revoke_keys_for_all(*, maker: User, now: datetime) -> list[Key]:
    """Revoke the keys for the whole installation that somebody made; gives back those that were not revoked before."""
    keys = Key.objects.made_by(maker).filter(application=None)
    return [key for key in keys if Key.objects.live().filter(pk=key.pk).update(revoked_at=now)]
