"""The answer cache on pages: set in the form, purged by a button, its savings shown."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
import redis
from django.test import Client

from providers.audit.log import AuditEntry
from tests.traffic.people import application, arrive, logged_in, person, text
from traffic.gateway.answer_cache import keys_of
from traffic.ingest.rows import Tokens
from traffic.models import Application, CacheSaving

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
TODAY = NOW.date()


@pytest.fixture
def admin() -> Client:
    return logged_in(person("root", is_superuser=True))


@pytest.fixture
def shop() -> Application:
    return application("shop")


def save(client: Client, shop: Application, **fields: Any) -> Any:
    form = {"name": shop.name, "redact": [], **fields}
    return client.post(f"/settings/applications/{shop.slug}/", form)


def saving(shop: Application, day: date, **values: Any) -> None:
    row = {"provider": "anthropic", "model": "claude-haiku-4-5", "hits": 40, "unpriced": 0, "tokens": 9_000,
           "cost": Decimal("1.25")}  # fmt: skip
    CacheSaving.objects.create(application=shop, day=day, **{**row, **values})


def test_the_form_turns_the_cache_on_and_off_and_the_audit_log_says_so(admin: Client, shop: Application) -> None:
    assert save(admin, shop, cache_minutes="60", cache_varied="on").status_code == 302
    shop.refresh_from_db()
    assert (shop.cache_minutes, shop.cache_varied) == (60, True)
    assert "Answers are kept for 60 minutes." in text(admin, "/settings/applications/shop/")
    entry = AuditEntry.objects.order_by("-pk")[0]
    assert "Answer cache, in minutes" in str(entry.changes)
    assert save(admin, shop, cache_minutes="10081").status_code == 422
    assert save(admin, shop, cache_minutes="0").status_code == 422
    assert save(admin, shop, cache_minutes="").status_code == 302
    shop.refresh_from_db()
    assert shop.cache_minutes is None
    assert "Purge" not in text(admin, "/settings/applications/shop/")


def test_the_button_forgets_the_answers_of_this_application_alone(
    admin: Client, shop: Application, valkey_url: str, settings: Any
) -> None:
    settings.REDIS_URL = valkey_url
    lab = application("lab")
    with redis.Redis.from_url(valkey_url) as valkey:
        for owner in (shop, lab):
            valkey.hset(keys_of(owner.pk)[0], "a", "x")
        url = "/settings/applications/shop/purge-cache/"
        assert "The answer cache is purged." in admin.post(url, follow=True).content.decode()
        assert not valkey.exists(*keys_of(shop.pk))
        assert valkey.exists(keys_of(lab.pk)[0])
    assert AuditEntry.objects.order_by("-pk")[0].words == "Answer cache purged."
    reader = logged_in(person("reader", "traffic.view_application"))
    assert reader.post(url).status_code == 403


@pytest.mark.parametrize("minutes", ["", "5"])
def test_another_time_forgets_the_answers(
    admin: Client, shop: Application, valkey_url: str, settings: Any, minutes: str
) -> None:
    settings.REDIS_URL = valkey_url
    Application.objects.update(cache_minutes=60)
    with redis.Redis.from_url(valkey_url) as valkey:
        valkey.hset(keys_of(shop.pk)[0], "a", "x")
        assert save(admin, shop, cache_minutes=minutes).status_code == 302
        assert not valkey.exists(*keys_of(shop.pk))


def test_without_valkey_the_button_says_that_the_answers_are_still_there(
    admin: Client, shop: Application, settings: Any
) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    page = admin.post("/settings/applications/shop/purge-cache/", follow=True).content.decode()
    assert "Valkey does not answer. The cached answers are still there." in page
    assert not AuditEntry.objects.filter(message="Answer cache purged.").exists()


@pytest.mark.usefixtures("stopped_clock")
def test_savings_are_on_the_applications_page_on_savings_and_in_the_api(admin: Client, shop: Application) -> None:
    saving(shop, TODAY)
    saving(shop, TODAY, provider="self", model="own", unpriced=10, hits=10, cost=Decimal(0))
    saving(shop, date(2026, 5, 3), hits=1, cost=Decimal("0.25"), tokens=10)
    saving(shop, date(2026, 5, 2), hits=1_000)  # 31 days before
    page = text(admin, "/settings/applications/shop/")
    assert "<b>51 answers</b> from the cache in 30 days saved <b>$1.50</b>." in page
    assert "10 of them are not counted: self-hosted or without a price." in page
    savings = text(admin, "/spend/savings/")
    assert "Answer cache" in savings and ">1.50<" in savings and "10 of them are not counted" in savings
    (entry,) = admin.get("/api/v1/savings").json()["answer_cache"]
    assert entry == {"application": "shop", "hits": 51, "unpriced": 10, "tokens": 18_010, "cost": "1.500000000000"}


def test_a_request_shows_that_its_answer_came_from_the_cache(
    admin: Client, shop: Application, conn: psycopg.Connection
) -> None:
    (first,) = arrive(conn, {"application_id": shop.pk})
    cached = {"tokens": Tokens(), "saved": Tokens(10, 0, 0, 0, 5), "raw": {"cache": {"answer_of": str(first.id)}}}
    (hit,) = arrive(conn, {"application_id": shop.pk, "external_id": "hit", "source": "gateway", **cached})
    assert (hit.cost, hit.cost_reason, hit.id != first.id) == (0, "cached", True)
    page = text(admin, f"/requests/{hit.id}/")
    assert "from the answer cache" in page
    assert f"/requests/{first.id}/" in page
    assert "<b>$0" in page
