"""What every installation starts with: the roles as groups."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission

from dashboard.roles import ROLES


def ensure_defaults() -> None:
    """Make the roles' groups; a group that is there keeps what an admin gave it and gains what is new."""
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for name, wanted in ROLES.items():
        group, _ = Group.objects.get_or_create(name=name)
        group.permissions.add(*(permissions[label] for label in wanted))
