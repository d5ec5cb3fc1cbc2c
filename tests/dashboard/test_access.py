"""Every address of the URL conf, tried by everyone: who may, who may not, and who must not know that it is there."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.http.response import HttpResponseBase
from django.test import Client, override_settings

from dashboard.access import ACCESS, ALL, Access
from tests.dashboard.addresses import PEOPLES, addresses
from tests.dashboard.beginnings import dull
from tests.dashboard.logins import ROLES, logged_in, with_role
from tests.dashboard.samples import Samples, samples
from traffic.authentication.keys import callers, create_key

pytestmark = pytest.mark.django_db  # each test undoes what it did; the samples are made once

Method = str
LOGIN = "/login/"


NAMES = [name for name, _pattern in addresses()]
OURS = list(NAMES)
KEYED = [name for name in ACCESS if ACCESS[name].scope]


def undeclared(names: list[str]) -> set[str]:
    return set(names) - set(ACCESS)


def test_every_address_is_declared_and_nothing_else() -> None:
    assert undeclared(OURS) == set(), "say in dashboard/access.py who may open these"
    assert set(ACCESS) - set(OURS) == set(), "these are no longer in the URL conf"


def test_an_address_that_nobody_declared_is_found() -> None:
    assert undeclared([*OURS, "costs:something-new"]) == {"costs:something-new"}


@pytest.fixture(scope="module")
def sessions(things: Samples) -> dict[str, str]:
    """The key of a session for each role."""
    people = {role: logged_in(User.objects.get(username=role)) for role in ROLES}
    return {role: client.cookies[settings.SESSION_COOKIE_NAME].value for role, client in people.items()}


@pytest.fixture
def everyone(sessions: dict[str, str]) -> dict[str, Client]:
    """A browser of a stranger, and one of each role."""
    browsers = {"anonymous": Client()}
    for role, key in sessions.items():
        browsers[role] = Client()
        browsers[role].cookies[settings.SESSION_COOKIE_NAME] = key
    return browsers


@pytest.fixture(scope="module")
def things(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Samples]:
    """One of everything that an address may name, the demo's mailbox too; made once, and undone at the end."""
    folder = tmp_path_factory.mktemp("data")
    with django_db_blocker.unblock(), override_settings(DEMO=True, DATA_DIR=folder), transaction.atomic():
        for role in ROLES:
            with_role(role)
        yield samples(folder)
        transaction.set_rollback(True)


def ask(client: Client, method: Method, url: str, sent: dict[str, Any] | None = None) -> HttpResponseBase:
    """One call, undone afterwards: the next person finds everything as it was."""
    with transaction.atomic():
        response: Any = client.get(url) if method == "GET" else client.post(url, sent or {})
        transaction.set_rollback(True)
    assert isinstance(response, HttpResponseBase)
    return response


def refused(response: HttpResponseBase, who: str) -> bool:
    """Anonymous people are asked to sign in, the others told that they may not."""
    if who == "anonymous":
        return response.status_code == 302 and response["Location"].startswith(LOGIN)
    return response.status_code == 403


def let_in(response: HttpResponseBase) -> bool:
    """Whatever a view answers to somebody who may: a page, a form with errors, a way back; never to the login."""
    if response.status_code == 302:
        return not response["Location"].startswith(LOGIN)
    return response.status_code in (200, 204, 400, 409, 422)


@pytest.mark.parametrize("name", PEOPLES)
def test_those_who_may_are_let_in_and_all_others_refused(
    name: str, things: Samples, everyone: dict[str, Client]
) -> None:
    """Whatever page answers them, a refusal too, begins with a sentence."""
    access, url = ACCESS[name], things.url(name)
    for method, may in (("GET", access.reads), ("POST", access.writes)):
        for who, client in everyone.items():
            response = ask(client, method, url, things.sent.get(name))
            told = f"{who} {method} {url}: {response.status_code}"
            assert method == "POST" or may is None or dull(response) is None, f"{told} begins with {dull(response)}"
            if who == "anonymous" or who not in (may if may is not None else reach(access)):
                assert refused(response, who) or (may is None and response.status_code == 405), told
            elif may is None:
                assert response.status_code == 405, told
            elif who in access.theirs:
                assert response.status_code == 404, told
            else:
                assert let_in(response), told


def reach(access: Access) -> tuple[str, ...]:
    """Those who may do anything there: of a method that does not exist they are told so."""
    return (*(access.reads or ()), *(access.writes or ()))


@pytest.mark.parametrize("name", [name for name in ACCESS if ACCESS[name].open])
def test_open_addresses_answer_strangers_and_people_alike(
    name: str, things: Samples, everyone: dict[str, Client]
) -> None:
    access, url = ACCESS[name], things.url(name)
    for method, may in (("GET", access.reads), ("POST", access.writes)):
        for who in ("anonymous", "staff"):
            response = ask(everyone[who], method, url, things.sent.get(name))
            # The suite has no queue, and `readyz` may say so; ninja answers its schema to any method.
            good = response.status_code in ((405,) if may is None else (200, 302, 303, 503))
            good = good or (name == "api:openapi-json" and response.status_code == 200)
            assert good, f"{who} {method} {url}: {response.status_code}"


@pytest.mark.parametrize("name", KEYED)
def test_the_api_asks_for_a_key_with_its_scope_and_for_nothing_else(
    name: str, things: Samples, everyone: dict[str, Client]
) -> None:
    access, url = ACCESS[name], things.url(name)
    method, by_session = ("GET", access.reads) if access.reads is not None else ("POST", access.writes or ())
    for who in ("anonymous", *ROLES):
        status = ask(everyone[who], method, url).status_code
        if who in by_session:
            assert status == 200, f"{who} {url}: {status}"
        else:
            assert status in ((401, 403) if by_session else (401,)), f"{who} {url}: {status}"
    scope = str(access.scope)
    callers.clear()
    call = Client().get if method == "GET" else Client().post
    body: dict[str, Any] = {} if method == "GET" else {"data": b"{}", "content_type": "application/json"}
    others: list[str] = [other for other in ("ingest", "read", "gateway", "rate", "alerts") if other != scope]
    for scopes, expected in ((others, 403), ([scope], None)):
        _key, secret = create_key(name="test", scopes=scopes)
        response = call(url, headers={"authorization": f"Bearer {secret}"}, **body)
        if expected:
            assert response.status_code == expected, f"{scopes} {url}"
        else:
            assert response.status_code not in (401, 403, 404, 405) and response.status_code < 500, url


def test_there_is_no_admin_site(everyone: dict[str, Client]) -> None:
    for url in ("/admin/", "/admin/login/", "/admin/auth/user/"):
        assert {client.get(url).status_code for client in everyone.values()} == {404}


def test_the_root_of_the_api_is_not_found(everyone: dict[str, Client]) -> None:
    assert {client.get("/api/v1/").status_code for client in everyone.values()} == {404}


# --- who must not know that it is there ---


def test_a_request_of_a_strangers_application_is_not_there_for_staff(
    things: Samples, everyone: dict[str, Client]
) -> None:
    there, nowhere = things.url("traffic:request"), f"/requests/{uuid.UUID(int=things.request.int + 1)}/"
    for client in (everyone["staff"],):
        assert client.get(there).status_code == client.get(nowhere).status_code == 404
        assert client.get(there).content == client.get(nowhere).content
    assert everyone["manager"].get(there).status_code == 200
    things.application.members.add(User.objects.get(username="staff"))
    assert everyone["staff"].get(there).status_code == 200


def test_someone_elses_rating_cannot_be_taken_back_by_anyone(things: Samples, everyone: dict[str, Client]) -> None:
    for role in ROLES:
        assert everyone[role].post(things.url("traffic:rating-undo")).status_code == 404


@pytest.mark.parametrize("name", [name for name in ACCESS if "mail" in name and name.startswith("alerts:")])
def test_without_the_demo_there_is_no_mailbox(name: str, things: Samples, everyone: dict[str, Client]) -> None:
    with override_settings(DEMO=False):
        assert everyone["admin"].get(things.url(name)).status_code == 404


@pytest.mark.parametrize("who", ALL)
def test_what_nobody_has_is_404_for_those_who_might_see_it(who: str, everyone: dict[str, Client]) -> None:
    for url in ("/alerts/999999/", "/settings/accounts/nobody/", "/settings/people/999999/", "/nothing/at/all/"):
        assert everyone[who].get(url).status_code in (404, 403)
    assert everyone["admin"].get("/settings/people/999999/").status_code == 404
