"""What every installation starts with: the roles as groups."""

from __future__ import annotations

from django.contrib.auth.models import Group

from dashboard.models import GivenPermission
from dashboard.people.queries import permissions_by_label
from dashboard.people.roles import ROLES


def ensure_defaults() -> None:
    """Make the roles' groups, and give each what it was never given before: a permission that an admin took from a
    role stays taken, one that is new with this version comes."""
    permissions = permissions_by_label()
    granted = set(GivenPermission.objects.values_list("role", "permission"))
    for name, labels in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        new = [label for label in labels if (name, label) not in granted]
        group.permissions.add(*(permissions[label] for label in new))
        GivenPermission.objects.bulk_create(
            [GivenPermission(role=name, permission=label) for label in new], ignore_conflicts=True
        )
