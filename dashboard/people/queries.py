"""Queries of people and of the groups that are their roles."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User
from django.shortcuts import get_object_or_404

from dashboard.people.roles import ROLES
from traffic.models import Key


def people() -> list[User]:
    """All people with their groups; those who are locked out come last."""
    return list(User.objects.prefetch_related("groups").order_by("-is_active", "username"))


def makers_of_keys_for_all() -> set[int | None]:
    """Ids of the people who made a key for the whole installation that is not revoked."""
    return set(Key.objects.live().filter(application=None).values_list("created_by_id", flat=True))


def person_by_key(pk: int) -> User:
    """A person with their groups. Raises Http404."""
    return get_object_or_404(User.objects.prefetch_related("groups"), pk=pk)


def active_person_by_key(pk: int) -> User:
    """A person who may sign in. Raises Http404."""
    return get_object_or_404(User, pk=pk, is_active=True)


def keys_made_by(person: User) -> list[Key]:
    return list(Key.objects.made_by(person))


def role_group(name: str) -> Group:
    """The group of a role. Raises Http404 for an unknown role."""
    return get_object_or_404(Group, name=name if name in ROLES else "")


def people_in(group: Group) -> int:
    """How many people who may sign in are in a group."""
    return group.user_set.filter(is_active=True).count()


def permissions_by_label() -> dict[str, Permission]:
    """Permissions by `app.codename`."""
    rows = Permission.objects.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
