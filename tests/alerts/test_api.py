"""`GET /api/v1/alerts`, to the contract."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from alerts.models import Delivery
from providers.models import AuditEntry
from tests.alerts.conftest import Scene
from tests.query_ceilings import ceiling
from traffic.authentication.keys import create_key
from traffic.models import Key


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
    with django_assert_max_num_queries(ceiling("/api/v1/alerts")):
        items(client)


@pytest.fixture
def actor(db: Any, ops: Any) -> Client:
    # A key for the whole installation works as long as its maker may make such keys.
    ops.user_permissions.add(*Permission.objects.filter(codename__in=("change_alert", "add_key_for_all")))
    _key, secret = create_key(name="pager", scopes=["alerts"], created_by=ops)
    return Client(headers={"authorization": f"Bearer {secret}"})


def send(client: Client, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/api/v1/{path}", body, content_type="application/json")
    return answer.status_code, answer.json()


def test_a_program_takes_the_steps_that_people_take_and_the_timeline_says_which(actor: Client, scene: Scene) -> None:
    scene.now = timezone.now() - timedelta(minutes=1)
    scene.set("a", True)
    scene.look()
    path = f"alerts/{scene.alert().pk}"
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    assert send(actor, f"{path}/snooze", until=until)[1]["snoozed_until"]
    assert send(actor, f"{path}/assign", to="olga")[1]["assigned_to"] == "olga"
    assert send(actor, f"{path}/note", note="disk full")[0] == 200
    assert send(actor, f"{path}/acknowledge")[1]["state"] == "acknowledged"
    assert send(actor, f"{path}/acknowledge")[0] == 409
    rows = scene.alert().transitions.filter(by__username="olga")
    assert [row.note for row in rows] == ["key pager", "olga: key pager", "disk full (key pager)", "key pager"]


def test_a_program_takes_its_steps_back(actor: Client, scene: Scene) -> None:
    scene.now = timezone.now() - timedelta(minutes=1)
    scene.set("a", True)
    scene.look()
    path = f"alerts/{scene.alert().pk}"
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    assert send(actor, f"{path}/unacknowledge")[0] == 409
    send(actor, f"{path}/acknowledge")
    assert send(actor, f"{path}/unacknowledge", note="not mine")[1]["state"] == "open"
    send(actor, f"{path}/snooze", until=until)
    assert send(actor, f"{path}/unsnooze")[1]["snoozed_until"] is None
    send(actor, f"{path}/assign", to="olga")
    assert send(actor, f"{path}/assign", to=None)[1]["assigned_to"] is None
    send(actor, f"{path}/note", note="disk full")
    assert send(actor, f"{path}/erase-note")[0] == 200
    assert send(actor, f"{path}/erase-note")[0] == 409
    assert send(actor, f"{path}/resolve", note="done")[1]["state"] == "resolved"
    assert send(actor, f"{path}/reopen")[1]["state"] == "open"
    assert [row.note for row in scene.alert().transitions.filter(by__username="olga")] == [
        "key pager", "not mine (key pager)", "key pager", "key pager", "olga: key pager", "unassigned: key pager",
        "done (key pager)", "key pager",
    ]  # fmt: skip


def test_a_window_that_comes_again_is_made_and_told(actor: Client, client: Client) -> None:
    window = {"starts_at": "2099-01-04T01:00:00Z", "until": "2099-01-04T03:00:00Z", "repeats": "week"}
    status, made = send(actor, "silences", **window, zone="Europe/Berlin", reason="backup", kind="outage")
    assert (status, made["repeats"], made["zone"], made["in_force"]) == (200, "week", "Europe/Berlin", False)
    assert send(actor, "silences", **window, zone="Nowhere", reason="backup", kind="outage")[0] == 422
    assert send(actor, f"silences/{made['id']}/end")[0] == 200
    assert client.get("/api/v1/silences").json() == []


def test_what_cannot_be_is_refused_with_a_sentence(actor: Client, scene: Scene) -> None:
    scene.set("a", True)
    scene.look()
    path = f"alerts/{scene.alert().pk}"
    assert send(actor, "alerts/999999/note", note="x")[0] == 404
    assert send(actor, f"{path}/assign", to="nobody")[0] == 422
    assert send(actor, f"{path}/note", note="")[0] == 422
    assert send(actor, f"{path}/snooze", until="2020-01-01T00:00:00")[0] == 409
    assert send(actor, "silences", until="2099-01-01T00:00:00Z", reason="all")[0] == 422
    assert send(actor, "silences", until="2020-01-01T00:00:00Z", reason="x", kind="outage")[0] == 422
    assert send(actor, "silences/999999/end")[0] == 404


def test_a_silence_is_made_listed_and_ended(actor: Client, client: Client) -> None:
    status, made = send(actor, "silences", until="2099-01-01T00:00:00", reason="move", labels={"provider": "vast"})
    assert (status, made["labels"], made["by"]) == (200, {"provider": "vast"}, "olga")
    assert [one["id"] for one in client.get("/api/v1/silences").json()] == [made["id"]]
    assert send(actor, f"silences/{made['id']}/end")[0] == 200
    assert client.get("/api/v1/silences").json() == []


def test_what_a_key_does_is_in_the_audit_log(actor: Client, scene: Scene) -> None:
    scene.set("a", True)
    scene.look()
    alert, before = scene.alert().pk, AuditEntry.objects.count()
    made = send(actor, "silences", until="2099-01-01T00:00:00Z", reason="move", labels={"provider": "vast"})[1]
    send(actor, f"silences/{made['id']}/end")
    assert send(actor, f"alerts/{alert}/acknowledge")[0] == 200
    entries = list(AuditEntry.objects.order_by("pk")[before:])
    assert {(entry.actor_kind, entry.actor) for entry in entries} == {("key", Key.objects.get(scopes=["alerts"]).name)}
    assert [(entry.action, entry.object_id, entry.message) for entry in entries] == [
        ("added", str(made["id"]), "silenced: provider:vast"),
        ("changed", str(made["id"]), "ended the silence of: provider:vast"),
        ("changed", str(alert), "acknowledge"),
    ]


def test_an_end_of_a_silence_is_told_in_utc_whatever_its_offset(actor: Client) -> None:
    odd = send(actor, "silences", until="2098-12-31T08:00:00-16:14", reason="move", labels={"provider": "vast"})
    assert (odd[0], odd[1]["until"]) == (200, "2099-01-01T00:14:00Z")
    far = send(actor, "silences", until="9999-12-31T23:59:59-16:14", reason="move", labels={"provider": "vast"})
    assert far[0] == 422 and "outside the calendar" in far[1]["detail"]
