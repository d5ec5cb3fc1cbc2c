"""`GET /api/v1/alerts`, to the contract."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from alerts.models import Delivery
from tests.alerts.conftest import Scene
from traffic.keys import create_key


@pytest.fixture
def client(db: Any) -> Client:
    _key, secret = create_key(name="reader", scopes=["read"])
    return Client(headers={"authorization": f"Bearer {secret}"})


def items(client: Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/alerts", query)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_an_alert_has_the_contracts_fields(client: Client, scene: Scene, ops: Any) -> None:
    scene.set("deployment:mistral-7b", True, title="Down: mistral-7b, for 2 min so far")
    scene.look()
    [alert] = items(client, state="open")
    assert alert["rule"] == "outage"
    assert alert["kind"].startswith("outage")
    assert (alert["state"], alert["severity"]) == ("open", "critical")
    assert "mistral-7b" in alert["title"]
    assert (alert["value"], alert["threshold"]) == ("12.50", "10")
    assert alert["opened_at"] == "2026-11-24T09:00:15Z"
    assert alert["resolved_at"] is None
    [delivery] = alert["deliveries"]
    assert (delivery["channel"], delivery["recipient"], delivery["state"]) == ("email", "olga@example.com", "waiting")
    assert delivery["accepted_at"] is None
    assert Delivery.objects.get().pk


def test_states_filter_and_a_wrong_one_is_refused(client: Client, scene: Scene, ops: Any) -> None:
    scene.set("a", True)
    scene.look()
    assert items(client, state="resolved") == []
    refused = client.get("/api/v1/alerts", {"state": "happy"})
    assert refused.status_code == 422
    assert refused.json()["errors"]


def test_pages_hold_everything_once_newest_first(client: Client, scene: Scene, ops: Any) -> None:
    for n in range(7):
        scene.set(f"d{n}", True)
    scene.look()
    seen: list[int] = []
    cursor = None
    while True:
        page = client.get("/api/v1/alerts", {"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [alert["id"] for alert in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)
    assert client.get("/api/v1/alerts", {"cursor": "nonsense"}).status_code == 422


def test_filters_find_what_an_alert_is_about(client: Client, scene: Scene, ops: Any) -> None:
    for subject in ("deployment:m7", "provider:runpod", "phase:x:2026-11"):
        scene.set(subject, True)
    scene.set("model:gpt-9", True, words={"providers": ["azure", "openai"]})
    scene.look()
    for query, subjects in (
        ({"deployment": "m7"}, {"deployment:m7"}),
        ({"provider": ["runpod", "openai"]}, {"provider:runpod", "model:gpt-9"}),
        ({"model": "gpt-9"}, {"model:gpt-9"}),
        ({"task": "rag"}, set()),
    ):
        assert {alert["subject"] for alert in items(client, **query)} == subjects, query


def test_it_asks_for_a_key_that_may_read(client: Client, scene: Scene) -> None:
    assert Client().get("/api/v1/alerts").status_code == 401
    _key, secret = create_key(name="writer", scopes=["ingest"])
    assert Client(headers={"authorization": f"Bearer {secret}"}).get("/api/v1/alerts").status_code == 403


def test_the_list_reads_few_queries_whatever_it_holds(
    client: Client, scene: Scene, ops: Any, django_assert_max_num_queries: Any
) -> None:
    for n in range(20):
        scene.set(f"d{n}", True)
    scene.look()
    items(client)
    with django_assert_max_num_queries(5):
        items(client)
