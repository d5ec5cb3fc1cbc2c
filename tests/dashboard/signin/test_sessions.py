"""Sessions: how long they last, what people see and end of them, and the password that is asked again."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from dashboard.access import ACCESS
from dashboard.defaults import ensure_defaults
from dashboard.models import BEGAN, CONFIRMED, SEEN, Session
from dashboard.tasks import mail_link
from providers.audit.counts import counts
from providers.audit.log import AuditEntry
from tests.dashboard.logins import logged_in, with_role, words
from traffic.authentication.keys import callers, create_key

pytestmark = pytest.mark.django_db
GOOD = "a long password"


def signed_in(name: str, agent: str = "Mozilla/5.0 (X11; Linux x86_64) Firefox/130.0", **more: Any) -> Client:
    client = Client(headers={"user-agent": agent}, **more)
    assert client.post("/login/", {"username": name, "password": GOOD}).status_code == 302
    return client


def aged(client: Client, field: str, seconds: float) -> None:
    session = client.session
    session[field] -= seconds
    session.save()


# Limits.


def test_a_session_ends_after_twelve_hours_without_a_click_and_after_seven_days_in_any_case() -> None:
    with_role("ops", "petra")
    client = signed_in("petra")
    aged(client, SEEN, 11 * 3_600)
    assert client.get("/settings/").status_code == 200
    aged(client, SEEN, 12 * 3_600 + 61)
    assert client.get("/settings/").status_code == 302
    client = signed_in("petra")
    aged(client, BEGAN, 7 * 86_400 + 1)
    assert client.get("/settings/").status_code == 302


def test_a_page_that_renews_itself_keeps_no_session_alive() -> None:
    with_role("ops", "petra")
    client = signed_in("petra")
    aged(client, SEEN, 3_600)
    seen = client.session[SEEN]
    client.get("/", headers={"hx-request": "true", "hx-trigger": "overview"})
    assert client.session[SEEN] == seen
    client.get("/")
    assert client.session[SEEN] > seen


# One's own sessions.


def test_people_see_their_sessions_and_end_one_or_all_others() -> None:
    with_role("staff", "nadia")
    here = signed_in("nadia")
    phone = signed_in("nadia", "Mozilla/5.0 (iPhone; CPU iPhone OS 17) Safari/604.1", REMOTE_ADDR="198.51.100.9")
    third = signed_in("nadia")
    text = words(here, "/account/")
    assert "3 places" in text and "Safari on iPhone" in text and "198.51.100.9" in text and "Firefox on Linux" in text
    assert all(session.session_key not in text for session in Session.objects.all())
    marks = re.findall(r'name="session" value="(\w+)"', text)
    assert len(marks) == 2
    here.post("/account/end/", {"session": re.findall(r'value="(\w{24})"', text.split("iPhone", 1)[1])[0]})
    assert phone.get("/settings/").status_code == 302 and third.get("/settings/").status_code == 200
    here.post("/account/end/")
    assert third.get("/settings/").status_code == 302 and here.get("/settings/").status_code == 200
    assert AuditEntry.objects.filter(action="session", actor="nadia").count() == 2


def test_nobody_ends_a_session_of_somebody_else() -> None:
    with_role("staff", "nadia")
    with_role("staff", "max")
    theirs = signed_in("nadia")
    mark = re.findall(r'name="session" value="(\w+)"', words(signed_in("nadia"), "/account/"))[0]
    signed_in("max").post("/account/end/", {"session": mark})
    assert theirs.get("/settings/").status_code == 200


def test_an_admin_ends_somebodys_sessions() -> None:
    person = with_role("ops", "petra")
    theirs = signed_in("petra")
    logged_in(with_role("admin")).post(f"/settings/people/{person.pk}/sessions/")
    assert theirs.get("/settings/").status_code == 302


def test_a_new_password_ends_the_other_sessions_and_is_on_record() -> None:
    with_role("staff", "nadia")
    here, other = signed_in("nadia"), signed_in("nadia")
    new = {"old_password": GOOD, "new_password1": "correct horse battery", "new_password2": "correct horse battery"}
    assert here.post("/password/", {**new, "old_password": "wrong"}).status_code == 422
    assert here.post("/password/", new).status_code == 302
    assert here.get("/settings/").status_code == 200 and other.get("/settings/").status_code == 302
    assert AuditEntry.objects.get(action="password").actor == "nadia"


def test_the_old_password_cannot_be_guessed_there_either() -> None:
    with_role("staff", "nadia")
    here = logged_in(User.objects.get())
    form = {"old_password": "wrong", "new_password1": "correct horse battery", "new_password2": "correct horse battery"}
    assert [here.post("/password/", form).status_code for _n in range(6)] == [422] * 5 + [429]


# The password again.


def test_keys_roles_and_people_change_only_after_the_password_was_asked_again() -> None:
    admin = with_role("admin")
    with_role("ops", "petra")
    client = logged_in(admin)
    aged(client, CONFIRMED, 15 * 60 + 1)
    for url in (
        "/settings/people/add/",
        "/settings/keys/add/",
        "/settings/roles/ops/",
        f"/settings/people/{admin.pk}/",
    ):
        answer = client.get(url)
        assert (answer.status_code, answer["Location"]) == (302, f"/confirm/?next={url.replace('/', '%2F')}")
    client.post("/settings/people/add/", {"username": "backdoor", "email": "b@example.com", "role": "admin"})
    assert not User.objects.filter(username="backdoor").exists()
    assert client.post("/confirm/", {"password": "wrong", "next": "/settings/keys/add/"}).status_code == 422
    answer = client.post("/confirm/", {"password": GOOD, "next": "/settings/keys/add/"})
    assert answer["Location"] == "/settings/keys/add/"
    assert client.get("/settings/keys/add/").status_code == 200


def test_the_confirmation_page_does_not_redirect_to_another_site() -> None:
    client = logged_in(with_role("admin"))
    assert client.post("/confirm/", {"password": GOOD, "next": "https://evil.example/"})["Location"] == "/"


def test_every_address_that_changes_keys_roles_or_people_asks() -> None:
    words_of = ("key-", "person-", "role", "traffic:key", "person")
    changing = [name for name, access in ACCESS.items() if access.writes == ("admin",) and name.startswith(words_of)]
    changing += [name for name in ACCESS if name.startswith("traffic:key") and ACCESS[name].writes]
    assert changing and all(ACCESS[name].confirm for name in changing), changing


# Getting in for the first time, and again.


def test_a_new_person_sets_their_password_by_a_link_that_works_once() -> None:
    with_role("ops")  # makes the groups
    admin = logged_in(with_role("admin"))
    form = {"username": "nadia", "email": "nadia@example.com", "role": "staff"}
    page = admin.post("/settings/people/add/", form)
    link = re.findall(r"/password/new/[\w/-]+", page.content.decode())[0]
    assert not User.objects.get(username="nadia").has_usable_password()
    browser = Client()
    first = browser.get(link)
    assert first.status_code == 302, "the token leaves the address before a page can hand it on"
    there = first["Location"]
    short = {"new_password1": "short", "new_password2": "short"}
    assert "too short" in browser.post(there, short).content.decode()
    good = {"new_password1": "correct horse battery", "new_password2": "correct horse battery"}
    assert browser.post(there, good)["Location"] == "/login/"
    assert Client().post("/login/", {"username": "nadia", "password": "correct horse battery"}).status_code == 302
    assert Client().get(link).status_code == 410
    assert AuditEntry.objects.filter(action="password", actor="nadia", message="by a one-time link").exists()


@override_settings(EMAIL_BACKEND="django.core.mail.backends.locmem.EmailBackend")
def test_a_link_by_mail_goes_to_who_exists_and_nobody_learns_who_does(monkeypatch: pytest.MonkeyPatch) -> None:
    with_role("staff", "nadia")
    sent: list[str] = []
    monkeypatch.setattr(mail_link, "delay", sent.append)
    pages = set()
    for address in ("nadia@example.com", "nobody@example.com"):
        answer = Client().post("/password/forgotten/", {"email": address})
        pages.add(re.sub(r'value="\w{64}"', "", answer.content.decode()))
        mail_link(address)
    assert len(pages) == 1 and sent == ["nadia@example.com", "nobody@example.com"]
    assert [message.to for message in mail.outbox] == [["nadia@example.com"]]
    assert "/password/new/" in str(mail.outbox[0].body)
    statuses = [Client().post("/password/forgotten/", {"email": "nadia@example.com"}).status_code for _n in range(3)]
    assert statuses == [200, 200, 429]


def test_without_mail_the_page_says_whom_to_ask() -> None:
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend"):
        assert "sends no mail" in Client().get("/password/forgotten/").content.decode()


# Roles.


def test_what_an_admin_takes_from_a_role_stays_taken_and_is_on_record() -> None:
    client = logged_in(with_role("admin"))
    with_role("ops", "petra")
    page = client.get("/settings/roles/ops/")
    form = {name: list(page.context["form"][name].initial) for name in page.context["form"].fields}
    form["providers"].remove("providers.add_account")
    client.post("/settings/roles/ops/", form | {"lost": ["providers.add_account"]})
    ensure_defaults()
    assert not User.objects.get(username="petra").has_perm("providers.add_account")
    assert User.objects.get(username="petra").has_perm("providers.change_account")
    entry = AuditEntry.objects.get(object_name="ops", action="changed")
    ((before, after),) = entry.changes.values()
    assert "Add accounts" in str(before) and "Add accounts" not in str(after)


def test_what_is_new_with_a_version_comes_to_the_roles(monkeypatch: pytest.MonkeyPatch) -> None:
    ensure_defaults()
    monkeypatch.setattr("dashboard.defaults.ROLES", {"staff": ("traffic.view_quality", "traffic.view_route")})
    ensure_defaults()
    staff = Group.objects.get(name="staff")
    assert staff.permissions.filter(codename="view_route").exists()


# Refusals and dead keys.


def test_refusals_and_downloads_are_on_record() -> None:
    manager = logged_in(with_role("manager"))
    for _n in range(3):
        assert manager.get("/settings/people/").status_code == 403
    assert Client().get("/api/v1/spend").status_code == 401
    manager.get(reverse("traffic:requests-export", args=["csv"]))
    counts.flush()
    entries = AuditEntry.objects.filter(action__in=["refused", "export"]).order_by("pk")
    rows = {(entry.action, entry.actor, entry.object_name, entry.count) for entry in entries}
    assert ("refused", "manager", "people", 3) in rows
    assert ("refused", "", "api:get_spend", 1) in rows
    assert any(action == "export" and actor == "manager" for action, actor, _name, _count in rows), rows


def test_the_use_of_a_revoked_key_is_on_record_by_its_name() -> None:
    key, secret = create_key(name="old worker", scopes=["read"])
    type(key).objects.filter(pk=key.pk).update(revoked_at=timezone.now())
    callers.clear()
    for _n in range(2):
        Client().get("/api/v1/spend", headers={"authorization": f"Bearer {secret}"})
    counts.flush()
    entry = AuditEntry.objects.get(action="revoked-key")
    assert (entry.actor, entry.actor_kind, entry.count, entry.message) == ("old worker", "key", 2, "revoked")
    assert secret not in str(list(AuditEntry.objects.values()))


def test_sessions_that_ended_are_cleared() -> None:
    from dashboard.tasks import clear_sessions

    with_role("staff", "nadia")
    signed_in("nadia")
    Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
    clear_sessions()
    assert not Session.objects.exists()
