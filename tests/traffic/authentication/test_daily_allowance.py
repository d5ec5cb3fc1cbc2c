"""What the keys of one application may store in a day, so that none of them fills the disk."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from tests.traffic.key_limits import request_row, send
from tests.traffic.people import application, logged_in, person, text
from traffic.authentication import allowance
from traffic.authentication.allowance import GB, allowance_of
from traffic.authentication.keys import callers, create_key
from traffic.gateway.snapshot import read_snapshot
from traffic.ingest.batch import size_of
from traffic.ingest.context import clear_cache
from traffic.models import Application, KeyUse


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for clear in (callers.clear, clear_cache, allowance._logged.clear):
        clear()
    yield
    callers.clear()


@pytest.fixture
def shop(db: None) -> Application:
    return application("shop")


def use_up(key: Any, requests: int = 0, size: int = 0, days_ago: int = 0) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    KeyUse.objects.create(key=key, day=day, requests=requests, tokens=0, cost=0, stored_bytes=size)


@pytest.mark.parametrize("used", [{"requests": 5_000_000}, {"size": 20 * GB}])
def test_a_key_without_a_quota_stores_no_more_than_its_applications_day(
    shop: Application, client: Client, conn: psycopg.Connection, used: dict[str, int]
) -> None:
    key, secret = create_key(name="k", scopes=["ingest", "read"], application=shop)
    _other, second = create_key(name="second", scopes=["ingest"], application=shop)
    use_up(key, **used)
    for sender in (secret, second):  # another key of the same application is no new day
        refused = send(client, sender, 1)
        assert refused.status_code == 429
        assert refused.json()["detail"] == (
            "The keys of shop have stored as much as they may in a day (5,000,000 requests and 20 GB a day, by UTC); "
            "an admin can allow more."
        )
        assert 1 <= int(refused["Retry-After"]) <= 86_400
    assert client.get("/api/v1/usage", headers={"authorization": f"Bearer {secret}"}).status_code == 200


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics", "/ingest/litellm", "/api/v1/requests"])
def test_every_way_in_is_held_to_the_day(shop: Application, client: Client, path: str) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    use_up(key, requests=5_000_000)
    answer = client.post(path, "{}", content_type="application/json", headers={"authorization": f"Bearer {secret}"})
    assert answer.status_code == 429 and int(answer["Retry-After"]) >= 1


def test_yesterday_and_other_applications_are_nothing_to_it(shop: Application, client: Client) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    use_up(key, requests=5_000_000, days_ago=1)
    other, _secret = create_key(name="other", scopes=["ingest"], application=application("other"))
    use_up(other, requests=5_000_000)
    collector, _secret = create_key(name="collector", scopes=["ingest"])
    use_up(collector, requests=5_000_000)
    assert send(client, secret, 1).json()["accepted"] == 1


def test_what_is_stored_is_counted_with_its_bytes(
    shop: Application, client: Client, conn: psycopg.Connection, price: TokenPrice
) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    ask: dict[str, Any] = {"content_type": "application/json", "headers": {"authorization": f"Bearer {secret}"}}
    client.post("/api/v1/requests", {"requests": [request_row(1)]}, **ask)
    plain = KeyUse.objects.get(key=key).stored_bytes
    assert 100 < plain < 2_000
    longer = {**request_row(2), "prompt": "\N{SNOWMAN}" * 1_000, "answer": "x" * 500}
    client.post("/api/v1/requests", {"requests": [longer]}, **ask)
    used = KeyUse.objects.get(key=key)
    assert used.requests == 2 and 3_500 < used.stored_bytes - plain < 3_500 + 2 * plain
    assert allowance_of(shop, timezone.now()).used_bytes == used.stored_bytes


def test_a_text_that_a_stored_row_gets_later_counts(
    shop: Application, client: Client, conn: psycopg.Connection, price: TokenPrice
) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    ask: dict[str, Any] = {"content_type": "application/json", "headers": {"authorization": f"Bearer {secret}"}}
    first = request_row(1)
    for prompt in (None, "x" * 10_000):
        client.post("/api/v1/requests", {"requests": [{**first, "prompt": prompt}]}, **ask)
    used = KeyUse.objects.get(key=key)
    assert used.requests == 1 and used.stored_bytes > 10_000


def test_bytes_are_those_of_the_encoding() -> None:
    assert size_of(["abc", None, "", "\N{SNOWMAN}", "\ud800"]) == 3 + 3 + 1


def test_the_gateway_is_never_refused_for_it(shop: Application, conn: psycopg.Connection) -> None:
    key, _secret = create_key(name="k", scopes=["ingest", "gateway"], application=shop)
    use_up(key, requests=50_000_000, size=500 * GB)
    assert [row.spent_until for row in read_snapshot(conn, "").keys.values()] == [None]


def test_it_is_logged_once_however_much_is_refused(
    shop: Application, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    use_up(key, requests=5_000_000)
    for _ in range(5):
        callers.clear()  # as five seconds later
        headers = {"authorization": f"Bearer {secret}"}
        assert client.post("/v1/traces", "{}", content_type="application/json", headers=headers).status_code == 429
    events = [record.getMessage() for record in caplog.records]
    assert [event for event in events if event.startswith("allowance_used_up")] == [
        "allowance_used_up application=shop requests=5000000 bytes=0"
    ]
    refused = [event for event in events if event.startswith("batch_refused")]
    assert len(refused) == 1 and f"status=429 application=shop key_id={key.pk}" in refused[0]


def test_an_admin_allows_more_on_the_applications_page(shop: Application, client: Client) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    use_up(key, requests=5_000_000)
    assert send(client, secret, 1).status_code == 429
    admin, url = logged_in(person("root", is_superuser=True)), "/settings/applications/shop/"
    page = text(admin, url)
    assert "100 % of 5,000,000 requests and 20 GB a day" in page and "more is refused" in page
    form = {"name": "Shop", "daily_requests": "6000000", "daily_gb": ""}
    assert admin.post(url, {**form, "daily_gb": "0"}).status_code == 422
    assert admin.post(url, form).status_code == 302
    assert "Requests a day" in AuditEntry.objects.latest("pk").words
    assert send(client, secret, 1).json()["accepted"] == 1
    assert "83 % of 6,000,000 requests and 20 GB a day" in text(admin, url)
    looker = logged_in(person("looker", "traffic.view_application"))
    assert looker.post(url, {**form, "daily_requests": "9000000"}).status_code == 403


def test_what_holds_for_all_is_a_setting(shop: Application, client: Client, settings: Any) -> None:
    settings.DAILY_REQUESTS = 2
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    assert send(client, secret, 1, 2).json()["accepted"] == 2
    callers.clear()
    assert send(client, secret, 3).status_code == 429
    assert KeyUse.objects.values_list("requests", "cost").get() == (2, Decimal(0))
