"""Keys open the API; a logged-in person may look at what a page's link to its JSON shows."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client


@pytest.fixture
def manager(db: Any) -> Client:
    user = User.objects.create_user("manager", password="x")
    user.user_permissions.add(Permission.objects.get(codename="view_charge"))
    client = Client()
    client.force_login(user)
    return client


def test_a_person_who_sees_figures_may_read_their_json(manager: Client) -> None:
    assert manager.get("/api/v1/spend").status_code == 200


def test_a_person_who_sees_no_figures_may_not(db: Any) -> None:
    client = Client()
    client.force_login(User.objects.create_user("staff", password="x"))
    assert client.get("/api/v1/spend").status_code == 403


def test_a_session_alone_changes_nothing(manager: Client) -> None:
    assert manager.post("/api/v1/requests", "{}", content_type="application/json").status_code == 401
    assert manager.post("/api/v1/break-even", "{}", content_type="application/json").status_code == 401
