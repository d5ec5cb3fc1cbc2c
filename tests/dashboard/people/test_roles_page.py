"""Settings: what a role may, in words; what it loses is asked about; somebody always may give rights."""

from __future__ import annotations

from threading import Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client

from dashboard.defaults import ensure_defaults
from dashboard.people.forms import admins_locked, role_of
from dashboard.people.queries import permissions_by_label
from dashboard.people.role_forms import offered
from dashboard.people.role_words import GROUPS
from dashboard.people.roles import ROLES
from providers.audit.log import AuditEntry
from tests.dashboard.logins import logged_in, with_role, words
from tests.traffic.gateway_stack import until

URL = "/settings/roles/ops/"
# Roles have these from the start, but no page requires them, so the form does not offer them.
UNASKED = ("costs.view_pricesheet", "alerts.add_rule")


def rights(role: str) -> set[str]:
    rows = Group.objects.get(name=role).permissions.select_related("content_type")
    return {f"{row.content_type.app_label}.{row.codename}" for row in rows}


def ticks(client: Client) -> dict[str, list[str]]:
    """The form as the page shows it."""
    form = client.get(URL).context["form"]
    return {name: list(form[name].initial) for name in form.fields}


@pytest.mark.django_db
def test_a_role_is_not_emptied_without_a_question_that_names_what_it_loses() -> None:
    with_role("ops", "petra")
    client = logged_in(with_role("admin"))
    before = rights("ops")
    asked = client.post(URL, {})
    page = " ".join(asked.content.decode().split())
    assert asked.status_code == 200 and rights("ops") == before
    assert "<b>ops</b> would lose every right" in page and "1 person has this role" in page
    assert "See alerts, rules, channels and mails" in page and "Add accounts with vendors" in page
    answer = client.post(URL, fields_of(asked))
    assert answer.status_code == 302 and rights("ops") <= set(UNASKED)


def fields_of(asked: Any) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in asked.context["fields"]:
        fields.setdefault(name, []).append(value)
    return fields


@pytest.mark.django_db
def test_what_another_admin_gave_since_the_question_is_not_taken_with_it() -> None:
    with_role("ops", "petra")
    client = logged_in(with_role("admin"))
    form = ticks(client)
    form["providers"].remove("providers.add_account")
    answer = fields_of(client.post(URL, form))
    Group.objects.get(name="ops").permissions.add(permissions_by_label()["traffic.view_bodies"])
    again = client.post(URL, answer)
    assert again.status_code == 200 and "Read prompts and answers" in again.content.decode()
    assert {"providers.add_account", "traffic.view_bodies"} <= rights("ops")


@pytest.mark.django_db
def test_a_role_that_only_gains_permissions_is_saved_without_a_question() -> None:
    with_role("ops", "petra")
    client = logged_in(with_role("admin"))
    form = ticks(client)
    form["traffic"].append("traffic.view_bodies")
    assert client.post(URL, form).status_code == 302
    assert "traffic.view_bodies" in rights("ops")
    entry = AuditEntry.objects.get(object_name="ops", action="changed")
    assert "Read prompts and answers" in str(entry.changes["Requests and quality"][1])


@pytest.mark.django_db
def test_every_right_of_a_role_stands_there_in_words_of_the_product() -> None:
    ensure_defaults()
    page = words(logged_in(with_role("admin")), URL)
    assert ">Can " not in page and "Can add" not in page and "Can view" not in page
    there = permissions_by_label()
    given = {label for labels in ROLES.values() for label in labels}
    assert given <= set(offered()) | set(UNASKED) and set(offered()) | set(UNASKED) <= set(there)
    assert len(offered()) == len(set(offered()))
    for title, labels in GROUPS.values():
        assert str(title) in page and all(str(word) in page for word in labels.values())


@pytest.mark.django_db
def test_no_role_can_be_given_the_right_to_give_rights() -> None:
    ensure_defaults()
    client = logged_in(with_role("admin"))
    answer = client.post(URL, {"providers": ["auth.change_group"]})
    assert answer.status_code == 422 and "auth.change_group" not in rights("ops")


# Two admins who take it from each other in the same moment.


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("act", ["role", "switch"])
def test_two_admins_cannot_leave_nobody_who_may_give_rights(act: str) -> None:
    ensure_defaults()
    ann, bea = with_role("admin", "ann"), with_role("admin", "bea")
    client = logged_in(ann)
    client.get("/settings/people/")  # the session is there
    urls = {"role": f"/settings/people/{bea.pk}/", "switch": f"/settings/people/{bea.pk}/switch/"}
    bodies: dict[str, dict[str, str]] = {
        "role": {"username": "bea", "email": "bea@example.com", "role": "staff"}, "switch": {"active": "0"}
    }  # fmt: skip
    statuses: list[int] = []

    def takes_it_from_bea() -> None:
        statuses.append(client.post(urls[act], bodies[act]).status_code)
        connection.close()

    def waits_for_us() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))")
            return bool(cursor.fetchall())

    thread = Thread(target=takes_it_from_bea)
    with transaction.atomic():  # bea takes it from ann, and has not finished when ann takes it from bea
        admins_locked()
        User.objects.filter(pk=ann.pk).update(is_superuser=False)
        thread.start()
        until(lambda: waits_for_us() or not thread.is_alive())
    thread.join(timeout=120)
    bea.refresh_from_db()
    assert statuses and role_of(bea) == "admin" and bea.is_active
