"""A new key's page has the lines for a program, and turns to the request as soon as it is stored."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.factories import ApplicationFactory
from tests.pages import html_of
from tests.traffic.people import logged_in, person, text
from traffic.authentication.keys import callers, create_key
from traffic.clients.page import WATCHED_FOR, can_send, first_request
from traffic.ingest.context import clear_cache
from traffic.models import Application, Key


@pytest.fixture
def admin(db: None) -> Client:
    clear_cache()
    callers.clear()
    return logged_in(User.objects.create_superuser("root"))


@pytest.fixture
def shop(db: None) -> Application:
    return ApplicationFactory.create(slug="shop", name="Shop")


def send(secret: str, model: str = "claude-haiku-4-5") -> None:
    row = {"started_at": timezone.now().isoformat(), "provider": "anthropic", "model": model,
           "tokens": {"uncached_input": 1200, "output": 200}}  # fmt: skip
    answer = Client().post(
        "/api/v1/requests",
        json.dumps({"requests": [row]}),
        "application/json",
        headers={"authorization": f"Bearer {secret}"},
    )
    assert answer.json()["accepted"] == 1


def test_the_page_of_a_new_key_has_the_lines_with_its_secret(admin: Client, shop: Application) -> None:
    answer = admin.post(
        "/settings/keys/add/", {"name": "laptop", "scopes": ["ingest", "gateway"], "application": shop.pk}
    )
    page = html_of(answer)
    (secret,) = re.findall(r'<pre id="secret">([\w-]+)</pre>', page)
    assert page.count(secret) == 10  # the secret itself, and nine ways in
    assert "Waiting for the first request with this key" in page
    assert answer.headers["Cache-Control"].startswith("max-age=0")


def test_a_new_key_may_use_the_gateway_unless_another_right_is_chosen(admin: Client, shop: Application) -> None:
    page = html_of(admin.get("/settings/keys/add/"))
    assert re.findall(r'name="scopes" value="(\w+)"[^>]* checked>', page) == ["gateway"]
    assert 'href="/settings/applications/add/"' in page
    refused = html_of(admin.post("/settings/keys/add/", {"name": "laptop", "application": shop.pk}))
    assert "Choose at least one right." in refused


def test_a_key_that_only_reads_has_no_lines(admin: Client, shop: Application) -> None:
    page = html_of(admin.post("/settings/keys/add/", {"name": "board", "scopes": ["read"], "application": shop.pk}))
    assert "way-native" not in page and "Waiting" not in page
    assert not can_send(["read", "rate", "alerts"])


@pytest.mark.django_db(transaction=True)
def test_waiting_turns_into_the_row(conn: psycopg.Connection, admin: Client, shop: Application) -> None:
    key, secret = create_key(name="laptop", scopes=["ingest"], application=shop)
    url = f"/settings/keys/{key.pk}/first-request/"
    assert 'hx-trigger="every 2s"' in text(admin, url)
    _other, other_secret = create_key(name="other", scopes=["ingest"], application=shop)
    send(other_secret, "gpt-5-mini")
    assert "Waiting" in text(admin, url)  # what came with another key is not this one's
    send(secret)
    page = text(admin, url)
    assert "The first request has arrived." in page and "claude-haiku-4-5" in page
    assert "Newest request of Shop:" in page
    assert "hx-trigger" not in page.partition('id="first-request"')[2].partition("</section>")[0]


def test_a_key_that_was_used_in_vain_says_so(shop: Application) -> None:
    key, _secret = create_key(name="laptop", scopes=["ingest"], application=shop)
    now = timezone.now()
    assert first_request(key, now).watched
    key.last_used_at = now - timedelta(seconds=30)
    tried = first_request(key, now)
    assert "no request is stored yet" in tried.headline() and tried.advice()


def test_an_old_key_is_not_watched(shop: Application) -> None:
    key, _secret = create_key(name="laptop", scopes=["ingest"], application=shop)
    later = first_request(Key.objects.get(pk=key.pk), key.created_at + WATCHED_FOR)
    assert not later.watched
    assert later.headline() == "No requests with this key yet."


def test_everyone_finds_the_ways_in_and_no_secret(db: None) -> None:
    page = text(logged_in(person("tilda")), "/settings/send-requests/")
    assert page.count("YOUR_KEY") == 9
    assert 'href="/settings/keys/"' not in page  # a manager may not open the list of keys
    assert "http://127.0.0.1:8001" in page
