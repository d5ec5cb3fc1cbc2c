"""Which applications' requests a person may open."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser, User

from traffic.models import Application

Person = User | AnonymousUser


def applications_of(user: Person) -> list[int] | None:
    """Applications whose requests this person may open; None is all, those of no application included."""
    if user.has_perm("traffic.view_request"):
        return None
    return list(Application.objects.of_person(user).values_list("pk", flat=True))
