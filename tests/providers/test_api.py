"""The providers' part of the JSON API, through the address that programs use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from providers.models import CheckHour, OfferDay, OfferWatch, Throughput
from tests.factories import LeaseSpanFactory, OutageFactory
from tests.providers.people import account, deployment, lease, offer
from traffic.authentication.keys import create_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    secret = "bk_" + "r" * 30
    create_key(name="reader", scopes=["read"], application=None, created_by=None, secret=secret)
    return secret


def get(key: str, path: str, status: int = 200, **query: Any) -> Any:
    response = Client().get(f"/api/v1/{path}", query, headers={"authorization": f"Bearer {key}"})
    assert response.status_code == status, response.content[:400]
    return response.json()


def everything(key: str, path: str, **query: Any) -> list[Any]:
    """Every item of a list, page by page."""
    found, cursor = [], None
    while True:
        page = get(key, path, **query, **({"cursor": cursor} if cursor else {}))
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("path", ["offers", "offers/history", "offers/watches", "leases", "uptime"])
def test_only_a_key_that_may_read_is_answered(path: str) -> None:
    assert Client().get(f"/api/v1/{path}").status_code == 401
    create_key(name="writer", scopes=["ingest"], application=None, created_by=None, secret="bk_" + "w" * 30)
    get("bk_" + "w" * 30, path, 403)


def test_an_offer_has_the_fields_of_the_contract(key: str) -> None:
    offer(region="EU", reliability=0.99)
    (item,) = get(key, "offers")["items"]
    assert {
        name: item[name] for name in ("provider", "gpu", "gpu_count", "memory_gb", "kind", "region", "available")
    } == {
        "provider": "runpod",
        "gpu": "RTX 4090",
        "gpu_count": 1,
        "memory_gb": 24.0,
        "kind": "on_demand",
        "region": "EU",
        "available": True,
    }
    assert item["price_per_gpu_hour"] == "0.340000000000"
    assert datetime.fromisoformat(item["seen_at"]).tzinfo is not None


@pytest.mark.parametrize(
    "sort",
    ["price", "-price", "memory", "-memory", "seen", "-seen", "per_gb", "reliability", "gpu", "kind", "where", "month"],
)
def test_every_order_pages_through_all_offers_once(key: str, sort: str) -> None:
    now = timezone.now()
    for n in range(25):
        offer(
            n,
            gpu=f"GPU {n % 4}",
            price_per_gpu_hour=Decimal(n % 5 + 1),
            memory_gb=Decimal(24 + n % 3) if n % 6 else None,
            reliability=0.9 + n / 1000 if n % 2 else None,
            seen_at=now - timedelta(minutes=n % 7),
        )
    found = everything(key, "offers", sort=sort, limit=4)
    assert len(found) == 25
    name = {"price": "price_per_gpu_hour", "memory": "memory_gb", "seen": "seen_at", "gpu": "gpu"}.get(
        sort.removeprefix("-")
    )
    if name:
        known = [item[name] for item in found if item[name] is not None]
        assert known == sorted(known, reverse=sort.startswith("-"))


def test_offers_are_filtered_by_what_people_write(key: str) -> None:
    offer(1)
    offer(2, gpu="A100 80GB", memory_gb=Decimal(80), kind="spot", provider="vast")
    offer(3, gpu="A100 40GB", memory_gb=Decimal(40), available=False)

    def gpus(**query: Any) -> list[str]:
        return sorted(item["gpu"] for item in get(key, "offers", **query)["items"])

    assert gpus(gpu="rtx4090") == ["RTX 4090"]
    assert gpus(gpu="a100") == ["A100 40GB", "A100 80GB"]
    assert gpus(gpu="A10") == []
    assert gpus(min_memory_gb=48) == ["A100 80GB"]
    assert gpus(kind="spot") == gpus(provider="vast") == ["A100 80GB"]
    assert gpus(provider=["vast", "runpod"], available="true") == ["A100 80GB", "RTX 4090"]


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "rented"},
        {"model": "nobody-knows-it"},
        {"sort": "name"},
        {"limit": 501},
        {"min_memory_gb": -1},
        {"cursor": "?"},
    ],
)
def test_what_the_schema_does_not_know_is_422(key: str, query: dict[str, Any]) -> None:
    assert get(key, "offers", 422, **query)["errors"] is not None


@pytest.mark.parametrize("value", ["NaN", "1e999", "", "x", "-Infinity"])
def test_a_forged_cursor_is_422_and_never_500(key: str, value: str) -> None:
    from lib.paging import encode_cursor

    offer()
    for sort in ("price", "seen", "reliability"):
        get(key, "offers", 422, sort=sort, cursor=encode_cursor(sort, value, 1))
    get(key, "offers", 422, sort="price", cursor=encode_cursor("price", "1", 2**70))
    get(key, "offers", 422, sort="price", cursor=encode_cursor("memory", "1", 1))
    get(key, "leases", 422, cursor=encode_cursor(value, 1))


def test_an_offer_tells_what_a_month_a_gb_and_a_million_tokens_cost(key: str) -> None:
    offer(1, price_per_gpu_hour=Decimal("0.36"))
    offer(2, gpu="T4", price_per_gpu_hour=Decimal("0.12"), memory_gb=None)
    Throughput.objects.create(
        model="mistral-7b", name="Mistral 7B", gpu="RTX 4090", engine="vllm", low=80, high=90, basis="single_stream",
        source="A benchmark",
    )  # fmt: skip
    found = get(key, "offers", model="mistral-7b", sort="per_million")["items"]
    names = ("price_per_month", "price_per_gb_hour", "price_per_million_tokens")
    assert [Decimal(found[0][name]) for name in names] == [Decimal("262.8"), Decimal("0.015"), Decimal("1.25")]
    assert (found[0]["tokens_per_second"], found[0]["tokens_source"]) == (80.0, "A benchmark, vllm")
    unknown = ("price_per_gb_hour", "price_per_million_tokens", "tokens_per_second", "tokens_source")
    assert [found[1][name] for name in unknown] == [None] * 4
    assert get(key, "offers")["items"][1]["price_per_million_tokens"] is None


def test_price_history_is_told_by_day_page_by_page(key: str) -> None:
    today = timezone.now().astimezone(UTC).date()
    for ago in range(100):
        for gpu in ("H100", "L4"):
            OfferDay.objects.create(
                provider="vast",
                gpu=gpu,
                kind="spot",
                day=today - timedelta(days=ago),
                low=1,
                median=2,
                high=3,
                offers=4,
            )
    found = everything(key, "offers/history", gpu="h100", limit=40)
    assert len(found) == 90
    assert found[0] == {
        "provider": "vast", "gpu": "H100", "kind": "spot", "day": today.isoformat(), "offers": 4,
        "low": "1.000000000000", "median": "2.000000000000", "high": "3.000000000000", "estimated": False,
    }  # fmt: skip
    assert [one["day"] for one in found] == sorted((one["day"] for one in found), reverse=True)
    assert len(everything(key, "offers/history", days=3)) == 6
    assert everything(key, "offers/history", kind="on_demand") == everything(key, "offers/history", provider="x") == []


def test_watches_are_told_with_what_is_cheapest_now(key: str) -> None:
    account()
    offer(price_per_gpu_hour=Decimal("0.25"))
    OfferWatch.objects.create(gpu="RTX 4090", price=Decimal("0.30"))
    OfferWatch.objects.create(gpu="H100", kind="spot", price=Decimal(1))
    OfferWatch.objects.create(gpu="L4", price=Decimal(1), deleted_at=timezone.now())
    waiting, there = get(key, "offers/watches")["watches"]
    assert (waiting["gpu"], waiting["kind"], waiting["below"], waiting["lowest"]) == ("H100", "spot", False, None)
    assert (there["price"], there["below"]) == ("0.300000000000", True)
    assert there["lowest"]["price_per_gpu_hour"] == "0.250000000000"


def test_a_lease_tells_hours_and_cost_as_they_were_observed(key: str) -> None:
    pod = lease(account(), hours=10)
    deployment("mistral", lease=pod)
    span = pod.spans.get()
    span.ends_at = pod.started_at + timedelta(hours=4)
    span.save()
    LeaseSpanFactory.create(
        lease=pod,
        starts_at=span.ends_at,
        ends_at=span.ends_at + timedelta(hours=6),
        state="stopped",
        price_per_hour=Decimal("0.01"),
    )
    (item,) = get(key, "leases", active="true")["items"]
    assert (item["hours"], Decimal(item["cost"])) == (10.0, Decimal("1.66"))
    assert (item["provider"], item["gpu"], item["gpu_count"], item["kind"]) == ("runpod", "RTX 4090", 1, "on_demand")
    assert (item["state"], item["ended_at"], item["utilisation"], item["deployments"]) == (
        "running",
        None,
        None,
        ["mistral"],
    )
    assert get(key, "leases", active="false")["items"] == []


def test_leases_page_newest_first(key: str) -> None:
    where = account()
    for n in range(7):
        lease(where, n, hours=n % 3 + 1, ended_at=timezone.now() if n % 2 else None)
    found = everything(key, "leases", limit=2)
    assert len({item["id"] for item in found}) == 7
    assert [item["started_at"] for item in found] == sorted((item["started_at"] for item in found), reverse=True)
    assert len(everything(key, "leases", active="true")) == 4


def test_leases_take_as_many_statements_for_ten_as_for_one(key: str) -> None:
    where = account()
    lease(where, 1)
    get(key, "leases")
    with CaptureQueriesContext(connection) as one:
        get(key, "leases")
    for n in range(2, 11):
        lease(where, n)
    with CaptureQueriesContext(connection) as ten:
        get(key, "leases")
    assert len(ten) == len(one)


def test_uptime_is_what_was_observed_and_null_where_nothing_was(key: str) -> None:
    watched, new = deployment("watched"), deployment("new", state="unknown", last_check_at=None)
    hour = datetime(2026, 11, 10, 12, tzinfo=UTC)
    CheckHour.objects.create(
        deployment=watched, hour=hour, checks=120, failed=60, observed_s=3600, latency_sum_ms=600.0
    )
    half = timedelta(minutes=30)
    OutageFactory.create(
        deployment=watched, started_at=hour, confirmed_at=hour, ended_at=hour + half, cause="It was away."
    )
    query: dict[str, Any] = {"from": "2026-11-10", "to": "2026-11-11"}
    first, second = sorted(
        get(key, "uptime", **query)["deployments"], key=lambda entry: str(entry["slug"]), reverse=True
    )
    assert (first["slug"], first["uptime"], first["checks"], first["failed"]) == ("watched", 0.5, 120, 60)
    assert first["outages"] == [
        {
            "started_at": "2026-11-10T12:00:00Z", "ended_at": "2026-11-10T12:30:00Z", "cause": "It was away.",
            "requests_failed": None, "requests_rerouted": None, "rent": None,
        }
    ]  # fmt: skip
    assert first["uptime_with_maintenance"] == 0.5
    assert (second["slug"], second["uptime"], second["state"]) == (new.slug, None, "unknown")
    assert [entry["slug"] for entry in get(key, "uptime", deployment="new")["deployments"]] == ["new"]
    assert get(key, "uptime", model="other")["deployments"] == []


def test_a_period_ahead_of_us_has_no_uptime(key: str) -> None:
    deployment("one")
    ahead: dict[str, Any] = {"from": "2100-01-01", "to": "2100-02-01"}
    (entry,) = get(key, "uptime", **ahead)["deployments"]
    assert (entry["uptime"], entry["checks"], entry["outages"]) == (None, 0, [])
