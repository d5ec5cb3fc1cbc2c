"""Settings: people, their roles, and the log of who changed what."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.test import Client

from dashboard.people.forms import ROLE_LABELS, role_of
from providers.audit.log import AuditEntry
from tests.dashboard.logins import logged_in, with_role, words
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key
from traffic.models import Key

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
    return {"username": "nadia", "email": "nadia@example.com", "role": "staff"} | changes


def test_a_person_who_is_added_has_their_role_and_no_password_that_an_admin_knows(client: Client) -> None:
    assert client.post("/settings/people/add/", form(role="manager", password=GOOD)).status_code == 200
    nadia = User.objects.get(username="nadia")
    assert role_of(nadia) == "manager" and nadia.has_perm("costs.view_charge")
    assert not nadia.has_usable_password()
    assert "nadia@example.com" in words(client, "/settings/people/")


def test_another_role_replaces_the_one_before(client: Client) -> None:
    person = with_role("manager", "petra")
    client.post(f"/settings/people/{person.pk}/", form(username="petra", role="staff"))
    person = User.objects.get(pk=person.pk)
    assert [group.name for group in person.groups.all()] == ["staff"]
    assert not person.has_perm("costs.view_charge") and person.check_password("a long password")
    client.post(f"/settings/people/{person.pk}/", form(username="petra", role="admin"))
    assert role_of(User.objects.get(pk=person.pk)) == "admin"


def test_a_name_that_is_taken_is_told_at_its_field(client: Client) -> None:
    response = client.post("/settings/people/add/", form(username="ops"))
    assert response.status_code == 422
    assert {"username"} == set(response.context["form"].errors)
    assert not User.objects.filter(email="nadia@example.com").exists()


def test_nobody_takes_the_role_of_admin_from_themselves(client: Client, admin: User) -> None:
    response = client.post(f"/settings/people/{admin.pk}/", form(username="admin", role="ops"))
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


def test_each_change_is_on_record_with_its_values_and_who_made_it(client: Client) -> None:
    client.post("/settings/people/add/", form())
    nadia = User.objects.get(username="nadia")
    client.post(f"/settings/people/{nadia.pk}/", form(email="n@example.com", role="ops"))
    client.post(f"/settings/people/{nadia.pk}/switch/", {"active": "0"})
    changed = AuditEntry.objects.get(object_id=str(nadia.pk), changes__has_key="E-mail", action="changed")
    assert changed.changes["E-mail"] == ["nadia@example.com", "n@example.com"]
    assert changed.changes["Role"] == [str(ROLE_LABELS["staff"]), str(ROLE_LABELS["ops"])]
    text = words(client, "/settings/audit/")
    assert "3 entries" in text and "Deactivated" in text


# Keys of somebody who goes.


def read_with(secret: str) -> int:
    callers.clear()
    return Client().get("/api/v1/usage", headers={"authorization": f"Bearer {secret}"}).status_code


def test_nobody_reads_on_with_a_key_for_all_whose_maker_is_locked_out(client: Client) -> None:
    petra = with_role("admin", "petra")
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    _key, whole = create_key(name="dashboard", scopes=["read", "ingest", "alerts"], created_by=petra)
    _key, own = create_key(name="shop", scopes=["read"], application=shop, created_by=petra)
    assert (read_with(whole), read_with(own)) == (200, 200)
    client.post(f"/settings/people/{petra.pk}/switch/", {"active": "0"})
    assert (read_with(whole), read_with(own)) == (403, 200)
    sent = Client().post(
        "/api/v1/requests", {"requests": []}, "application/json", headers={"authorization": f"Bearer {whole}"}
    )
    assert sent.status_code == 200  # what a collector sends is not lost
    assert "by petra (deactivated)" in words(client, "/settings/keys/")


def test_a_key_for_all_is_refused_when_its_maker_is_no_admin_any_more(client: Client) -> None:
    petra = with_role("admin", "petra")
    _key, whole = create_key(name="dashboard", scopes=["read"], created_by=petra)
    client.post(f"/settings/people/{petra.pk}/", form(username="petra", role="manager", password=""))
    assert read_with(whole) == 403


def test_locking_out_offers_to_revoke_the_keys_for_all(client: Client) -> None:
    petra = with_role("admin", "petra")
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    create_key(name="dashboard", scopes=["ingest"], created_by=petra)
    own, _secret = create_key(name="shop", scopes=["ingest"], application=shop, created_by=petra)
    assert f'href="/settings/people/{petra.pk}/#keys-h"' in client.get("/settings/people/").content.decode()
    page = words(client, f"/settings/people/{petra.pk}/")
    assert "2 active keys made by this user" in page and "Revoke the key for the whole installation too" in page
    client.post(f"/settings/people/{petra.pk}/switch/", {"active": "0", "keys": "revoke"})
    assert list(Key.objects.live()) == [own]
    assert AuditEntry.objects.filter(object_name__startswith="dashboard").exists()
    assert not User.objects.get(pk=petra.pk).is_active


def test_a_key_for_the_whole_installation_is_an_admins_to_make(client: Client) -> None:
    petra = with_role("ops", "petra")
    petra.user_permissions.add(*Permission.objects.filter(codename__in=("add_key", "change_key", "view_key")))
    theirs = logged_in(User.objects.get(pk=petra.pk))
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    wanted: dict[str, Any] = {"name": "x", "scopes": ["read"]}
    assert theirs.post("/settings/keys/add/", wanted).status_code == 422
    assert theirs.post("/settings/keys/add/", {**wanted, "application": shop.pk}).status_code == 200
    assert client.post("/settings/keys/add/", wanted).status_code == 200
    whole = Key.objects.get(application=None)
    assert theirs.post(f"/settings/keys/{whole.pk}/rotate/", {"hours": "0"}).status_code == 403
    assert theirs.post(f"/settings/keys/{whole.pk}/", {"name": "y"}).status_code == 403
    assert client.post(f"/settings/keys/{whole.pk}/rotate/", {"hours": "0"}).status_code == 200


def test_a_gateways_key_belongs_to_an_application_on_the_page_as_in_the_command(client: Client) -> None:
    refused = client.post("/settings/keys/add/", {"name": "x", "scopes": ["gateway", "read"]})
    assert refused.status_code == 422
    assert "A key for the gateway belongs to an application" in refused.content.decode()
    with pytest.raises(CommandError, match="belongs to an application"):
        call_command("create_key", "gateway")
    assert not Key.objects.exists()


def test_the_command_says_what_a_key_without_application_may(db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("create_key", "read")
    shown = capsys.readouterr()
    assert shown.out.startswith("bk_") and "for the whole installation" in shown.err
