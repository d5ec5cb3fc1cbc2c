"""Writes of people and roles: what their forms say, locking out and letting in, revoking keys."""

from __future__ import annotations

from datetime import datetime

from django.contrib.auth.models import User

from dashboard.people.forms import PersonForm
from dashboard.people.role_forms import RoleForm
from traffic.models import Key


def save_person(*, form: PersonForm) -> User:
    """Write a person and their role as the valid form has them."""
    return form.save()


def save_role(*, form: RoleForm) -> None:
    """Give a role what its valid form has ticked."""
    form.save()


def switch(*, person: User, active: bool) -> bool:
    """Let somebody in or lock them out; False where it was so already."""
    rows = User.objects.filter(pk=person.pk, is_active=not active)
    return bool(rows.update(is_active=active))


def revoke_keys_for_all(*, maker: User, now: datetime) -> list[Key]:
    """Revoke the keys for the whole installation that somebody made; gives back those that were not revoked before."""
    keys = Key.objects.made_by(maker).filter(application=None)
    return [key for key in keys if Key.objects.live().filter(pk=key.pk).update(revoked_at=now)]
