"""People with the shipped roles, for tests of pages."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from django.test import Client

from dashboard.defaults import ensure_defaults
from tests.pages import html_of

ROLES = ("staff", "manager", "ops", "admin")


def with_role(role: str, name: str = "") -> User:
    """A user of one role, made as the product makes its groups."""
    if role == "admin":
        return User.objects.create_superuser(name or role, f"{name or role}@example.com", "a long password")
    if not Group.objects.filter(name=role).exists():
        ensure_defaults()
    user = User.objects.create_user(name or role, f"{name or role}@example.com", "a long password")
    user.groups.add(Group.objects.get(name=role))
    return user


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def words(client: Client, url: str) -> str:
    """A page's text on one line."""
    response = client.get(url)
    assert response.status_code == 200, response.status_code
    return html_of(response)
