"""Keys: how often and how much may come with one, replacing one without a gap, and which are about to end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from tests.pages import html_of
from tests.traffic.key_limits import request_row, send
from tests.traffic.people import application, logged_in, person, text
from traffic.authentication.keys import CACHE_S, TooManyUnknown, buckets, callers, create_key, expiring_keys, rotate_key
from traffic.authentication.limits import Buckets, UnknownKeys, period_end
from traffic.gateway.snapshot import read_snapshot
from traffic.ingest.context import clear_cache
from traffic.models import Application, Key, KeyUse
from traffic.usage.rebuild import rebuild

KEYS = "/settings/keys/"
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    callers.clear()
    buckets.clear()
    clear_cache()
    yield
    callers.clear()
    buckets.clear()


@pytest.fixture
def admin(db: None) -> Client:
    return logged_in(person("root", is_superuser=True))


@pytest.fixture
def shop(db: None) -> Application:
    return application("shop", captures=False)


# The bucket.


def test_a_minutes_worth_may_come_at_once_and_then_one_by_one() -> None:
    clock = [1_000.0]
    bucket = Buckets(lambda: clock[0])
    assert [bucket.take(1, 3) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(1, 3) == 20
    assert bucket.take(2, 3) == 0  # another key has a bucket of its own
    clock[0] += 19
    assert bucket.take(1, 3) == 1
    clock[0] += 1
    assert bucket.take(1, 3) == 0
    assert bucket.take(1, 3) == 20
    clock[0] += 600
    assert [bucket.take(1, 3) for _ in range(4)] == [0, 0, 0, 20]


@pytest.mark.parametrize(
    ("period", "now", "end"),
    [
        ("day", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("month", datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_quota_begins_anew_by_utc(period: str, now: datetime, end: datetime) -> None:
    assert period_end(period, now) == end


# Keys that nobody knows.


def test_made_up_keys_are_looked_up_so_often_and_no_more() -> None:
    clock = [1_000.0]
    guesses = UnknownKeys(lambda: clock[0])
    assert [guesses.take("10.0.0.1") for _ in range(61)] == [*[0] * 60, 1]
    assert guesses.take("10.0.0.2") == 0
    assert guesses.take("2001:db8:1:2:3::4") == 0
    assert [guesses.take("2001:db8:1:2::9") for _ in range(60)][-1] == 1  # the same household
    clock[0] += 1
    assert (guesses.take("10.0.0.1"), guesses.take("10.0.0.1")) == (0, 1)
    refused = [guesses.take(f"10.1.{number // 250}.{number % 250}") for number in range(1_000)]
    assert refused.count(0) < 600 and refused[-1] == 1  # of all addresses together


def test_made_up_keys_leave_live_ones_alone(shop: Application, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callers, "_guesses", UnknownKeys(lambda: 1_000.0))
    _key, secret = create_key(name="k", scopes=["read"], application=shop)
    caller = callers.find(secret, "10.0.0.1")
    assert caller is not None
    for number in range(60):
        assert callers.find(f"made up {number}", "10.0.0.1") is None
    for number in range(60, 11_000):
        with pytest.raises(TooManyUnknown):
            callers.find(f"made up {number}", "10.0.0.1")
    with time_machine.travel(timezone.now() + timedelta(seconds=CACHE_S + 1)):
        again = callers.find(secret, "10.0.0.1")  # read anew, whatever came from there
    assert again == caller
    for _ in range(2):
        answer = client.get("/api/v1/usage", headers={"authorization": "Bearer new guess"}, REMOTE_ADDR="10.0.0.1")
        assert (answer.status_code, answer["Retry-After"]) == (429, "1")
    assert client.get("/api/v1/usage", headers={"authorization": "Bearer new guess"}).status_code == 401


# At the ways in.


@pytest.mark.parametrize(
    ("path", "sent", "kind", "success"),
    [
        ("/api/v1/requests", '{"requests": []}', "application/json", 200),
        ("/ingest/litellm", "[]", "application/json", 200),
        ("/v1/traces", "{}", "application/json", 200),
        ("/v1/traces", "", "application/x-protobuf", 200),
    ],
)
def test_every_way_in_holds_a_key_to_its_calls_a_minute(
    shop: Application, client: Client, path: str, sent: str, kind: str, success: int, conn: psycopg.Connection
) -> None:
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop, per_minute=2)
    headers = {"authorization": f"Bearer {secret}"}
    answers = [client.post(path, sent, content_type=kind, headers=headers) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [success, success, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 30
    if kind == "application/json":
        assert answers[2].json()["detail"] == "This key may call 2 times a minute."


def test_reading_is_held_to_the_rate_too_and_no_key_to_anothers(shop: Application, client: Client) -> None:
    _key, secret = create_key(name="k", scopes=["read"], per_minute=1)
    _other, free = create_key(name="free", scopes=["read"])
    ask = {"authorization": f"Bearer {secret}"}
    assert client.get("/api/v1/usage", headers=ask).status_code == 200
    assert client.get("/api/v1/usage", headers=ask).status_code == 429
    assert client.get("/api/v1/usage", headers={"authorization": f"Bearer {free}"}).status_code == 200


# Two rows are 2 requests, 2,200 tokens and 2 x (100 x $3 + 1,000 x $15) a million = $0.0306.
@pytest.mark.parametrize(("unit", "quota"), [("requests", "2"), ("tokens", "2200"), ("usd", "0.03")])
def test_a_quota_is_held_against_what_is_stored(
    shop: Application, client: Client, price: TokenPrice, conn: psycopg.Connection, unit: str, quota: str
) -> None:
    limits: dict[str, Any] = {"quota": Decimal(quota), "quota_unit": unit, "quota_period": "day"}
    key, secret = create_key(name="k", scopes=["ingest", "read"], application=shop, **limits)
    assert send(client, secret, 1).json()["accepted"] == 1
    assert send(client, secret, 1).json()["duplicates"] == 1  # the same again counts once
    callers.clear()
    assert send(client, secret, 2).status_code == 200
    callers.clear()  # as five seconds later
    refused = send(client, secret, 3)
    assert refused.status_code == 429
    assert "is used up" in refused.json()["detail"]
    assert 1 <= int(refused["Retry-After"]) <= 86_400
    assert client.get("/api/v1/usage", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    used = KeyUse.objects.get()
    assert (used.key, used.requests, used.tokens, used.cost) == (key, 2, 2_200, Decimal("0.0306"))


@pytest.mark.parametrize(("unit", "quota"), [("tokens", "2200"), ("usd", "0.03")])
def test_what_is_estimated_counts_for_a_quota(admin: Client, shop: Application, unit: str, quota: str) -> None:
    limits: dict[str, Any] = {"quota": Decimal(quota), "quota_unit": unit, "quota_period": "day"}
    key, secret = create_key(name="k", scopes=["ingest"], application=shop, **limits)
    KeyUse.objects.create(
        key=key, day=timezone.now().date(), requests=1, tokens=1_100, cost=Decimal("0.01"),
        estimated_tokens=1_100, estimated_cost=Decimal("0.02"),
    )  # fmt: skip
    caller = callers.find(secret)
    assert caller is not None and caller.spent_until is not None
    page = text(admin, f"{KEYS}{key.pk}/")
    assert "100 % of" in page
    assert re.search(r"<dt>Tokens</dt><dd>1,100</dd>", page) and re.search(r"Measured cost</dt><dd>.{0,80}?0\.01", page)
    assert re.search(r"Estimated in addition, for the quota only</dt>\s*<dd>1,100 tokens, .{0,80}?0\.02", page)


def test_usage_that_comes_later_is_counted_then(
    shop: Application, client: Client, price: TokenPrice, conn: psycopg.Connection
) -> None:
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    first = {**request_row(1), "tokens": None}
    ask: dict[str, Any] = {"content_type": "application/json", "headers": {"authorization": f"Bearer {secret}"}}
    client.post("/api/v1/requests", json.dumps({"requests": [first]}), **ask)
    assert KeyUse.objects.values_list("requests", "tokens").get() == (1, 0)
    client.post(
        "/api/v1/requests", json.dumps({"requests": [{**request_row(1), "started_at": first["started_at"]}]}), **ask
    )
    assert KeyUse.objects.values_list("requests", "tokens").get() == (1, 1_100)


def test_a_quota_of_an_earlier_period_is_forgotten(shop: Application, client: Client) -> None:
    key, secret = create_key(name="k", scopes=["ingest"], application=shop, quota=Decimal(5), quota_period="day")
    use = KeyUse.objects.create(key=key, day=timezone.now().date() - timedelta(days=1), requests=9, tokens=0, cost=0)
    assert send(client, secret).status_code == 200
    KeyUse.objects.filter(pk=use.pk).update(day=timezone.now().date())
    callers.clear()
    assert send(client, secret).status_code == 429


# Replacing.


def test_the_new_key_works_now_and_the_old_one_until_then(admin: Client, shop: Application) -> None:
    old, secret = create_key(name="worker", scopes=["ingest"], application=shop, per_minute=100, quota=Decimal(7))
    response = admin.post(f"{KEYS}{old.pk}/rotate/", {"hours": "24"})
    assert "valid until" in text(admin, f"{KEYS}{old.pk}/")
    assert response.status_code == 200 and "no-store" in response["Cache-Control"]
    page = html_of(response)
    assert "valid until" in page
    found = re.search(r'<pre id="secret">(bk_[\w-]+)</pre>', page)
    assert found is not None
    new = Key.objects.get(replaces=old)
    assert (new.name, new.scopes, new.application, new.per_minute, new.quota) == (
        "worker",
        ["ingest"],
        shop,
        100,
        Decimal(7),
    )
    assert callers.find(secret) is not None and callers.find(found[1]) is not None
    old.refresh_from_db()
    assert old.expires_at is not None and timedelta(hours=23) < old.expires_at - timezone.now() <= timedelta(hours=24)
    entries = [(entry.action, entry.message) for entry in AuditEntry.objects.order_by("pk")]
    assert entries == [("changed", "Replaced by a new key."), ("added", "")]
    assert found[1] not in "".join(entry.message + entry.object_name for entry in AuditEntry.objects.all())


def test_a_new_key_is_no_new_quota(shop: Application, client: Client, conn: psycopg.Connection) -> None:
    old, first = create_key(name="k", scopes=["ingest", "gateway"], application=shop, quota=Decimal(3))
    assert send(client, first, 1, 2).json()["accepted"] == 2
    middle, _secret = rotate_key(key=old, overlap=timedelta(hours=1), now=timezone.now())
    new, second = rotate_key(key=middle, overlap=timedelta(hours=1), now=timezone.now())
    assert new.line == middle.line == old.pk
    assert send(client, second, 3).json()["accepted"] == 1
    callers.clear()
    assert [send(client, secret, 4).status_code for secret in (first, second)] == [429, 429]
    spent = {key.id: key.spent_until is not None for key in read_snapshot(conn, "").keys.values()}
    assert spent == {old.pk: True, middle.pk: True, new.pk: True}
    page = text(logged_in(person("root", is_superuser=True)), f"{KEYS}{new.pk}/")
    assert "has used <b>100 % of 3 requests a month</b>" in page and "includes the keys that it replaced" in page


def test_a_new_key_is_no_new_rate(shop: Application, client: Client, conn: psycopg.Connection) -> None:
    old, first = create_key(name="k", scopes=["read", "gateway"], application=shop, per_minute=2)
    _new, second = rotate_key(key=old, overlap=timedelta(hours=1), now=timezone.now())
    asked = [{"authorization": f"Bearer {secret}"} for secret in (first, second, first, second)]
    assert [client.get("/api/v1/usage", headers=one).status_code for one in asked] == [200, 200, 429, 429]
    assert {key.line for key in read_snapshot(conn, "").keys.values()} == {old.pk}


def test_making_the_rollups_again_counts_nothing_for_a_quota(
    shop: Application, client: Client, price: TokenPrice, conn: psycopg.Connection
) -> None:
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop, quota=Decimal(9))
    send(client, secret, 1, 2)
    before = list(KeyUse.objects.values_list("day", "requests", "tokens", "cost"))
    conn.execute("DELETE FROM traffic_usage_day")
    assert sum(one.mended for one in rebuild(conn)) > 0
    assert list(KeyUse.objects.values_list("day", "requests", "tokens", "cost")) == before


def test_rotating_never_lengthens_a_life_and_a_dead_key_has_no_successor(shop: Application) -> None:
    key, secret = create_key(
        name="k", scopes=["read"], application=shop, expires_at=timezone.now() + timedelta(hours=1)
    )
    ends = key.expires_at
    made, _secret = rotate_key(key=key, overlap=timedelta(days=30), now=timezone.now())
    key.refresh_from_db()
    assert key.expires_at == ends
    assert made.expires_at is not None and made.expires_at > timezone.now()
    rotate_key(key=made, overlap=timedelta(0), now=timezone.now())
    with pytest.raises(ValueError, match="does not work any more"):
        rotate_key(key=made, overlap=timedelta(0), now=timezone.now() + timedelta(seconds=1))
    callers.clear()
    assert callers.find(secret) is not None


@pytest.mark.parametrize("given", [{}, {"hours": "5000"}, {"hours": "x"}])
def test_a_wrong_overlap_makes_no_key(admin: Client, shop: Application, given: dict[str, Any]) -> None:
    key, _secret = create_key(name="k", scopes=["read"], application=shop)
    assert admin.post(f"{KEYS}{key.pk}/rotate/", given).status_code == 302
    assert Key.objects.count() == 1


# Pages.


def test_limits_are_set_shown_and_taken_away(admin: Client, shop: Application) -> None:
    key, secret = create_key(name="worker", scopes=["ingest"], application=shop)
    given = {"name": "worker", "per_minute": "60", "quota": "1000", "quota_unit": "tokens", "quota_period": "day"}
    assert admin.post(f"{KEYS}{key.pk}/", given).status_code == 302
    caller = callers.find(secret)
    assert caller is not None and caller.per_minute == 60
    KeyUse.objects.create(key=key, day=timezone.now().date(), requests=3, tokens=250, cost=Decimal("0.5"))
    page = text(admin, f"{KEYS}{key.pk}/")
    assert "has used <b>25 % of 1,000 tokens a day</b>" in page
    listed = text(admin, KEYS)
    assert "60 calls a minute" in listed and "25 % of 1,000 tokens a day" in listed
    assert "Calls a minute" in AuditEntry.objects.get().words
    admin.post(f"{KEYS}{key.pk}/", {**given, "per_minute": "", "quota": ""})
    key.refresh_from_db()
    assert (key.per_minute, key.quota) == (None, None)


@pytest.mark.parametrize(
    "wrong", [{"per_minute": "0"}, {"per_minute": "-1"}, {"quota": "0"}, {"quota": "x"}, {"quota_unit": "euros"}]
)
def test_a_limit_that_makes_no_sense_is_refused(admin: Client, shop: Application, wrong: dict[str, Any]) -> None:
    key, _secret = create_key(name="k", scopes=["read"], application=shop)
    given = {"name": "k", "quota_unit": "requests", "quota_period": "month", **wrong}
    refused = admin.post(f"{KEYS}{key.pk}/", {**given, "name": "renamed"})
    assert (
        refused.status_code == 422 and "<b>k</b> is valid" in refused.content.decode()
    )  # what holds, not what was sent
    assert admin.post(f"{KEYS}add/", {"scopes": ["read"], **given}).status_code == 422
    assert Key.objects.count() == 1


def test_only_an_admin_replaces_a_key(shop: Application) -> None:
    key, _secret = create_key(name="k", scopes=["read"], application=shop)
    looker = logged_in(person("looker", "traffic.view_key"))
    for url in (f"{KEYS}{key.pk}/", f"{KEYS}{key.pk}/rotate/"):
        assert looker.post(url, {"hours": "1"}).status_code == 403
        assert Client().post(url)["Location"].startswith("/login/")
    assert Key.objects.count() == 1


# For the alert.


def test_keys_about_to_end_are_found_unless_they_have_a_successor(shop: Application) -> None:
    def key(name: str, ends: datetime | None, **more: Any) -> Key:
        return create_key(name=name, scopes=["read"], application=shop, expires_at=ends, **more)[0]

    later, soon = key("later", NOW + timedelta(days=6)), key("soon", NOW + timedelta(days=1))
    key("over", NOW - timedelta(seconds=1))
    key("far", NOW + timedelta(days=8))
    key("endless", None)
    key("revoked", NOW + timedelta(days=1), revoked_at=NOW)
    replaced = key("replaced", NOW + timedelta(days=1))
    successor = key("successor", None, replaces=replaced)
    assert list(expiring_keys(NOW, timedelta(days=7))) == [soon, later]
    successor.revoked_at = NOW
    successor.save()
    assert replaced in expiring_keys(NOW, timedelta(days=7))
