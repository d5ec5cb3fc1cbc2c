"""People of each role, as the pages of costs meet them."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.test import Client

from dashboard.people.roles import ROLES
from tests.pages import html_of
from tests.permissions import permission_ids


def client_of(role: str) -> Client:
    """Someone of a role, signed in."""
    user = User.objects.create_user(f"a-{role}")
    user.user_permissions.add(*permission_ids(ROLES[role]))
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, url: str, status: int = 200) -> str:
    """A page's HTML with its white space folded."""
    response = client.get(url)
    assert response.status_code == status, response
    return html_of(response)
