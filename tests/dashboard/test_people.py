"""Settings: people, their roles, and the log of who changed what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.people import ROLE_LABELS, role_of
from providers.audit_log import AuditEntry
from tests.dashboard.people import logged_in, with_role, words

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery"


@pytest.fixture
def admin() -> User:
    return with_role("admin")


@pytest.fixture
def client(admin: User) -> Client:
    with_role("ops")  # makes the groups
    return logged_in(admin)


def form(**changes: Any) -> dict[str, Any]:
    return {"username": "nadia", "email": "nadia@example.com", "role": "staff", "password": GOOD} | changes


def test_a_person_who_is_added_can_sign_in_with_their_role(client: Client) -> None:
    assert client.post("/settings/people/add/", form(role="manager")).status_code == 302
    nadia = User.objects.get(username="nadia")
    assert role_of(nadia) == "manager" and nadia.has_perm("costs.view_charge")
    assert Client().login(username="nadia", password=GOOD)
    assert "nadia@example.com" in words(client, "/settings/people/")


def test_another_role_replaces_the_one_before(client: Client) -> None:
    person = with_role("manager", "petra")
    client.post(f"/settings/people/{person.pk}/", form(username="petra", role="staff", password=""))
    person = User.objects.get(pk=person.pk)
    assert [group.name for group in person.groups.all()] == ["staff"]
    assert not person.has_perm("costs.view_charge") and person.check_password("a long password")
    client.post(f"/settings/people/{person.pk}/", form(username="petra", role="admin", password=""))
    assert role_of(User.objects.get(pk=person.pk)) == "admin"


def test_a_weak_password_and_a_name_that_is_taken_are_told_at_their_fields(client: Client) -> None:
    response = client.post("/settings/people/add/", form(username="ops", password="12345"))
    assert response.status_code == 422
    assert {"username", "password"} == set(response.context["form"].errors)
    assert not User.objects.filter(email="nadia@example.com").exists()


def test_nobody_takes_the_role_of_admin_from_themselves(client: Client, admin: User) -> None:
    response = client.post(f"/settings/people/{admin.pk}/", form(username="admin", role="ops", password=""))
    assert response.status_code == 422 and role_of(User.objects.get(pk=admin.pk)) == "admin"


def test_who_is_locked_out_loses_open_sessions_and_can_be_let_in_again(client: Client) -> None:
    person = with_role("manager", "petra")
    theirs = logged_in(person)
    assert theirs.get("/settings/").status_code == 200
    client.post(f"/settings/people/{person.pk}/switch/", {"active": "0"})
    assert theirs.get("/settings/").status_code == 302
    assert not Client().login(username="petra", password="a long password")
    client.post(f"/settings/people/{person.pk}/switch/", {"active": "1"})
    assert Client().login(username="petra", password="a long password")


def test_nobody_locks_themselves_out(client: Client, admin: User) -> None:
    client.post(f"/settings/people/{admin.pk}/switch/", {"active": "0"})
    assert User.objects.get(pk=admin.pk).is_active


def test_each_change_is_on_record_with_who_made_it_and_without_the_password(client: Client) -> None:
    client.post("/settings/people/add/", form())
    nadia = User.objects.get(username="nadia")
    client.post(f"/settings/people/{nadia.pk}/", form(email="n@example.com", role="ops", password="another long one"))
    client.post(f"/settings/people/{nadia.pk}/switch/", {"active": "0"})
    changed = AuditEntry.objects.get(object_id=str(nadia.pk), changes__has_key="E-mail", action="changed")
    assert changed.changes["E-mail"] == ["nadia@example.com", "n@example.com"]
    assert changed.changes["Role"] == [str(ROLE_LABELS["staff"]), str(ROLE_LABELS["ops"])]
    assert changed.changes["New password"] == "changed"
    text = words(client, "/settings/audit/")
    assert "3 entries are on record" in text and "Locked out" in text
    assert "another long one" not in text and "another long one" not in str(list(AuditEntry.objects.values()))
