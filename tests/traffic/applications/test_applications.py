"""Settings of traffic: applications, keys and routes; who may open and change them, and what the audit log keeps."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from providers.audit.log import AuditEntry
from tests.query_ceilings import ceiling
from tests.traffic.people import application, logged_in, person, text
from traffic.authentication.keys import callers, create_key, hash_of
from traffic.defaults import ensure_defaults
from traffic.models import Application, Key, Route
from traffic.routes.page import conditions

APPLICATIONS, KEYS, ROUTES = "/settings/applications/", "/settings/keys/", "/settings/routes/"


@pytest.fixture
def admin(db: None) -> Client:
    callers.clear()
    return logged_in(person("root", is_superuser=True))


@pytest.fixture
def shop(db: None) -> Application:
    return application("shop", captures=False)


@pytest.fixture
def routes(db: None) -> list[Route]:
    Route.objects.all().delete()
    ensure_defaults()
    return list(Route.objects.all())


def said(client: Client) -> list[str]:
    return [f"{entry.object_type}: {entry.object_name} {entry.words}" for entry in AuditEntry.objects.all()]


# Access.

PAGES = {
    APPLICATIONS: "view_application",
    f"{APPLICATIONS}add/": "add_application",
    f"{APPLICATIONS}shop/": "view_application",
    KEYS: "view_key",
    f"{KEYS}add/": "add_key",
    ROUTES: "view_route",
    f"{ROUTES}hard/": "change_route",
}


@pytest.mark.parametrize(("url", "permission"), PAGES.items())
def test_each_page_asks_its_permission(shop: Application, routes: list[Route], url: str, permission: str) -> None:
    assert Client().get(url)["Location"].startswith("/login/")
    others = [f"traffic.{other}" for other in {*PAGES.values(), "view_request"} - {permission}]
    assert logged_in(person("other", *others)).get(url).status_code == 403
    assert logged_in(person("right", f"traffic.{permission}")).get(url).status_code == 200


def test_writes_ask_their_permission(shop: Application, routes: list[Route]) -> None:
    key, _secret = create_key(name="k", scopes=["read"], application=shop)
    looker = logged_in(person("looker", *(f"traffic.view_{name}" for name in ("application", "key", "route"))))
    for url, data in {
        f"{APPLICATIONS}add/": {"slug": "x", "name": "X"},
        f"{APPLICATIONS}shop/": {"name": "Other"},
        f"{KEYS}add/": {"name": "x", "scopes": ["read"]},
        f"{KEYS}{key.pk}/revoke/": {},
        f"{ROUTES}hard/": {"name": "x", "to_provider": "self"},
        f"{ROUTES}hard/switch/": {"enabled": "0"},
        f"{ROUTES}hard/move/": {"way": "up"},
    }.items():
        assert Client().post(url, data)["Location"].startswith("/login/")
        assert looker.post(url, data).status_code == 403, url
    assert not AuditEntry.objects.exists()
    assert Key.objects.get().revoked_at is None


@pytest.mark.parametrize("url", [f"{KEYS}1/revoke/", f"{ROUTES}hard/switch/", f"{ROUTES}hard/move/"])
def test_a_link_changes_nothing(admin: Client, routes: list[Route], url: str) -> None:
    assert admin.get(url).status_code == 405


# Applications.


def test_the_list_says_who_sends_and_what_is_kept(admin: Client) -> None:
    assert "No applications yet" in text(admin, APPLICATIONS)
    application("docs", owner=person("ann", first_name="Ann", last_name="Lee"))
    application("shop", captures=False)
    page = text(admin, APPLICATIONS)
    assert "<b>0 of 2 applications</b> have sent <b>0 requests</b> in 30 days." in page
    assert "Ann Lee" in page and "1 keeps prompts and answers" in page


def test_an_application_is_added_and_changed_and_the_log_says_by_whom(admin: Client) -> None:
    ann = person("ann")
    response = admin.post(f"{APPLICATIONS}add/", {"slug": "docs", "name": "Docs", "members": [ann.pk]})
    assert response["Location"] == f"{APPLICATIONS}docs/"
    made = Application.objects.get(slug="docs")
    assert list(made.members.all()) == [ann]
    given = {"name": "Docs", "owner": ann.pk, "capture_bodies": "on", "slug": "other"}
    assert admin.post(f"{APPLICATIONS}docs/", given).status_code == 302
    made.refresh_from_db()
    assert (made.slug, made.owner, made.capture_bodies, made.members.count()) == ("docs", ann, True, 0)
    changed, added = AuditEntry.objects.all()
    assert (added.actor, added.action) == ("root", "added")
    assert "Owner" in changed.words and "Keep prompts" in changed.words


def test_an_application_that_only_tests_is_left_out_of_the_comparison_and_the_log_says_so(admin: Client) -> None:
    admin.post(f"{APPLICATIONS}add/", {"slug": "docs", "name": "Docs"})
    assert not Application.objects.get(slug="docs").test_only
    admin.post(f"{APPLICATIONS}docs/", {"name": "Docs", "test_only": "on"})
    assert Application.objects.get(slug="docs").test_only
    assert "It only tests" in AuditEntry.objects.all()[0].words


def test_an_empty_short_name_is_made_from_the_name(admin: Client, shop: Application) -> None:
    for name, slug in (
        ("Shop", "shop-2"),
        ("Answers für Kunden!", "answers-fur-kunden"),
        ("Add", "add-2"),
        ("東京", "application"),
    ):
        assert admin.post(f"{APPLICATIONS}add/", {"slug": "", "name": name}).status_code == 302
        assert Application.objects.get(slug=slug).name == name
    refused = admin.post(f"{APPLICATIONS}add/", {"slug": "", "name": ""})
    assert refused.status_code == 422 and Application.objects.count() == 5


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"slug": "shop", "name": "Again"}, "already exists"),
        ({"slug": "a b", "name": "Spaces"}, "letters, numbers"),
        ({"slug": "add", "name": "Add"}, "A page has this name"),
        ({"slug": "x", "name": ""}, "required"),
        ({"slug": "x", "name": "X", "owner": "999"}, "valid choice"),
    ],
)
def test_a_wrong_application_is_refused_at_its_field(
    admin: Client, shop: Application, given: dict[str, Any], problem: str
) -> None:
    response = admin.post(f"{APPLICATIONS}add/", given)
    assert response.status_code == 422
    assert problem in response.content.decode()
    assert Application.objects.count() == 1


def test_the_sentence_of_a_refused_change_is_about_what_holds(admin: Client, shop: Application) -> None:
    response = admin.post(f"{APPLICATIONS}shop/", {"name": "Other", "capture_bodies": "on", "redact_patterns": "(?=C)"})
    page = response.content.decode()
    assert response.status_code == 422 and 'value="Other"' in page
    assert f"<b>{shop.name}</b> has no owner yet." in page and "prompts and answers are not kept" in page


def test_who_may_only_look_sees_no_form_and_no_keys(shop: Application) -> None:
    create_key(name="secret thing", scopes=["read"], application=shop)
    page = text(logged_in(person("tilda", "traffic.view_application")), f"{APPLICATIONS}shop/")
    assert ">Save application</button>" not in page and "secret thing" not in page
    assert logged_in(person("x", "traffic.view_application")).get(f"{APPLICATIONS}nothing/").status_code == 404


def test_the_lists_take_a_fixed_number_of_statements(admin: Client, shop: Application) -> None:
    counts = []
    for round_ in range(2):
        create_key(name="k", scopes=["read"], application=shop, created_by=User.objects.get(username="root"))
        with CaptureQueriesContext(connection) as queries:
            text(admin, APPLICATIONS)
            text(admin, KEYS)
        counts.append(len(queries))
        for n in range(5):
            made = application(f"a{round_}{n}", owner=person(f"u{round_}{n}"))
            create_key(name="k", scopes=["read"], application=made, created_by=made.owner)
    assert counts[0] == counts[1] <= ceiling("/settings/applications/ and /settings/keys/ together")


# Keys.


def test_a_secret_is_shown_once_and_works(admin: Client, shop: Application) -> None:
    assert f'<option value="{shop.pk}" selected>Shop</option>' in text(admin, f"{KEYS}add/", application="shop")
    response = admin.post(f"{KEYS}add/", {"name": "worker", "application": shop.pk, "scopes": ["ingest", "rate"]})
    assert response.status_code == 200
    assert "no-store" in response["Cache-Control"]
    found = re.search(r'<pre id="secret">(bk_[\w-]+)</pre>', response.content.decode())
    assert found is not None
    key = Key.objects.get()
    assert (bytes(key.hash), key.scopes, key.application) == (hash_of(found[1]), ["ingest", "rate"], shop)
    caller = callers.find(found[1])
    assert caller is not None and caller.application == "shop"
    page = text(admin, KEYS)
    assert found[1] not in page and key.hint in page
    assert found[1] not in "".join(said(admin))
    assert AuditEntry.objects.get().object_name.startswith("worker")


@pytest.mark.parametrize(
    "given",
    [
        {"name": "x"},
        {"name": "", "scopes": ["read"]},
        {"name": "x", "scopes": ["everything"]},
        {"name": "x", "scopes": ["read"], "expires_on": "2020-01-01"},
        {"name": "x", "scopes": ["read"], "application": "77"},
    ],
)
def test_a_wrong_key_is_refused(admin: Client, given: dict[str, Any]) -> None:
    assert admin.post(f"{KEYS}add/", given).status_code == 422
    assert not Key.objects.exists()


def test_a_key_ends_with_its_last_day(admin: Client) -> None:
    admin.post(f"{KEYS}add/", {"name": "x", "scopes": ["read"], "expires_on": "2099-12-31"})
    expires = Key.objects.get().expires_at
    assert expires is not None and f"{expires:%Y-%m-%d %H:%M}" == "2099-12-31 23:59"


def test_a_revoked_key_stops_and_stays_in_the_list(admin: Client, shop: Application) -> None:
    key, secret = create_key(name="old", scopes=["read"], application=shop)
    assert callers.find(secret) is not None
    for _ in range(2):
        assert admin.post(f"{KEYS}{key.pk}/revoke/").status_code == 302
    assert callers.find(secret) is None
    assert AuditEntry.objects.count() == 1
    page = text(admin, KEYS)
    assert "No valid keys" in page and "revoked" in page


# Routes.


def test_the_routes_stand_in_their_order_with_their_conditions(admin: Client, routes: list[Route]) -> None:
    page = text(admin, ROUTES)
    assert f"<b>{len(routes)}</b> of {len(routes)} routes are enabled" in page
    assert "it is longer than 100,000 tokens or than self-hosted deployments accept" in page
    places = [page.index(f'id="{route.slug}"') for route in routes]
    assert places == sorted(places)


def test_conditions_are_said_in_words(db: None) -> None:
    route = Route.objects.create(
        order=1, slug="a", tasks=["code", "qa"], private=True, percent=30, requested_models=["claude-*"]
    )
    route.applications.add(application("shop"))
    assert conditions(route) == [
        "its task is code or simple QA",
        "it is sent by Shop",
        "its model is claude-*",
        "it is marked private",
        "it is in 30 % of conversations",
    ]
    assert conditions(Route.objects.create(order=2, slug="b")) == []


def test_a_rule_is_switched_by_saying_what_it_shall_be(admin: Client, routes: list[Route]) -> None:
    for _ in range(2):
        admin.post(f"{ROUTES}hard/switch/", {"enabled": "0"})
    assert not Route.objects.get(slug="hard").enabled
    assert AuditEntry.objects.count() == 1
    assert "<b>6</b> of 7 routes are enabled" in text(admin, ROUTES)
    admin.post(f"{ROUTES}hard/switch/", {"enabled": "1"})
    assert Route.objects.get(slug="hard").enabled


def test_a_rule_and_its_neighbour_change_places(admin: Client, routes: list[Route]) -> None:
    slugs = [route.slug for route in routes]
    admin.post(f"{ROUTES}{slugs[1]}/move/", {"way": "up"})
    admin.post(f"{ROUTES}{slugs[1]}/move/", {"way": "up"})  # it is the first already
    admin.post(f"{ROUTES}{slugs[-1]}/move/", {"way": "down"})  # and the last stays the last
    now = list(Route.objects.values_list("slug", flat=True))
    assert now == [slugs[1], slugs[0], *slugs[2:]]


def test_a_rule_is_changed_and_its_place_and_short_name_stay(admin: Client, routes: list[Route]) -> None:
    before = Route.objects.get(slug="long-prompt")
    given = {"name": "Long ones", "enabled": "on", "over_tokens": "50000", "over_context": "on"}
    hidden = {"slug": "other", "order": "99"}  # no fields of the form of a rule that exists
    assert admin.post(f"{ROUTES}long-prompt/", {**given, **hidden, "to_provider": "anthropic"}).status_code == 302
    route = Route.objects.get(pk=before.pk)
    assert (route.slug, route.order) == ("long-prompt", before.order)
    assert (route.name, route.over_tokens, route.over_context, route.falls_back) == ("Long ones", 50_000, True, False)
    assert AuditEntry.objects.get().object_name == "Long ones"


@pytest.mark.parametrize(
    "wrong", [{"to_provider": ""}, {"percent": "0"}, {"percent": "101"}, {"tasks": ["poetry"]}, {"over_tokens": "-1"}]
)
def test_a_rule_that_cannot_work_is_refused(admin: Client, routes: list[Route], wrong: dict[str, Any]) -> None:
    given = {"name": "x", "enabled": "on", "to_provider": "anthropic", **wrong}
    assert admin.post(f"{ROUTES}hard/", given).status_code == 422
    assert Route.objects.get(slug="hard").name == "Code and reasoning"


def test_the_playground_only_tests_from_the_update_on(db: None) -> None:
    application("playground")
    application("docs")
    import_module("traffic.migrations.0004_application_test_only").leave_out_playground(apps, None)
    assert list(Application.objects.filter(test_only=True).values_list("slug", flat=True)) == ["playground"]


def test_an_application_gets_names_of_its_own_for_models(admin: Client, shop: Application) -> None:
    url = f"{APPLICATIONS}shop/"
    sent = {"name": "Shop", "model_aliases": "gpt-4o = claude-sonnet-5-5\r\n\r\nbest=openai/gpt-5"}
    assert admin.post(url, sent).status_code == 302
    shop.refresh_from_db()
    assert shop.model_aliases == {"gpt-4o": "claude-sonnet-5-5", "best": "openai/gpt-5"}
    assert "gpt-4o = claude-sonnet-5-5" in admin.get(url).content.decode()
    for wrong in ("ok = m\nno model", f"{'x' * 201} = m", "= m"):
        refused = admin.post(url, {**sent, "model_aliases": wrong})
        assert refused.status_code == 422
        assert "write a name, an equals sign and a model" in refused.content.decode()
