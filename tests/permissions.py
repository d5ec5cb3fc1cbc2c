"""The permissions that people in tests get, without a look for each: a role has dozens, and most tests of pages one."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from dashboard.people.queries import permissions_by_label


@cache
def keys() -> dict[str, int]:
    """Primary keys by `app.codename`: rows of migrations, which no test changes for long."""
    return {label: permission.pk for label, permission in permissions_by_label().items()}


def permission_ids(labels: Iterable[str]) -> list[int]:
    """For `user_permissions.add` and `permissions.add`. Raises KeyError where there is no such permission."""
    return [keys()[label] for label in labels]
