"""A key of an application ends there: two applications, and every address that takes a key."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.test import Client, RequestFactory, override_settings
from django.utils import timezone

from alerts.models import Alert, Delivery, Rule, Silence, Transition
from costs.models import Anomaly, AnomalyLook, Budget
from dashboard.access import ACCESS
from lib.errors import ApiError
from tests.dashboard.addresses import addresses
from tests.dashboard.samples import Samples, samples
from tests.factories import ApplicationFactory, TokenPriceFactory
from tests.traffic.people import arrive
from traffic.authentication.access import authenticate
from traffic.authentication.keys import callers, create_key
from traffic.ingest.rows import Tokens
from traffic.models import Request, Scope, Unread
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement

pytestmark = pytest.mark.django_db

KEYED = [name for name, access in ACCESS.items() if access.scope]
READS = [name for name in KEYED if ACCESS[name].reads is not None]
ACTS = [name for name in KEYED if ACCESS[name].reads is None and ACCESS[name].scope == "alerts"]
# Without these an answer would name nobody.
GROUPINGS = ("", "group_by=application", "group_by=model")
TOKENS = {"alpha": 1_111_111, "beta": 7_777_777}


@dataclass
class Scene:
    """Two applications with one of everything each, under names that tell whose it is."""

    things: Samples
    requests: dict[str, Request]
    alerts: dict[str, Alert]
    silences: dict[str, Silence]
    keys: dict[str, str]

    def url(self, name: str, whose: str = "alpha") -> str:
        if name.startswith("api:post_") and "silence_end" in name:
            self.things.arguments[name] = {"silence_id": self.silences[whose].pk}
        elif ACCESS[name].scope == "alerts" and "alert_id" in self.things.arguments.get(name, ()):
            self.things.arguments[name] = {"alert_id": self.alerts[whose].pk}
        elif name == "api:get_next_comparison":
            return self.things.url(name) + "?by=ada"
        elif name == "api:get_user_costs":
            self.things.arguments[name] = {"application": f"{whose}-app"}
        return self.things.url(name)

    def markers(self, whose: str) -> list[str]:
        """What must be in no answer to anybody else's key: names, ids, amounts, people."""
        request = self.requests[whose]
        return [whose, whose.title(), str(request.id), str(TOKENS[whose]), f"{request.cost:f}".rstrip("0")]


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("data")
    with django_db_blocker.unblock(), override_settings(DEMO=True, DATA_DIR=folder), transaction.atomic():
        made = Scene(samples(folder), {}, {}, {}, {})
        for whose in TOKENS:
            one_of_everything(made, whose)
        AnomalyLook.objects.update_or_create(
            defaults={
                "at": timezone.now(), "applications": 2,
                "too_little": [[f"{whose}-app", 3] for whose in TOKENS],
                "new": [[f"{whose}-app", f"{whose}-model", timezone.now().date().isoformat(), "1"] for whose in TOKENS],
            }
        )  # fmt: skip
        made.keys["whole"] = create_key(name="whole", scopes=list(Scope.values))[1]
        yield made
        transaction.set_rollback(True)


def one_of_everything(scene: Scene, whose: str) -> None:
    now = timezone.now()
    application = ApplicationFactory.create(slug=f"{whose}-app", name=whose.title(), capture_bodies=True)
    TokenPriceFactory.create(
        model=f"{whose}-model", starts_at=now - timedelta(days=40), uncached_input=3,
        cache_read=1, cache_write_5m=1, cache_write_1h=1, output=15, seen_at=now,
    )  # fmt: skip
    connection.ensure_connection()
    [request] = arrive(
        connection.connection,
        {
            "application_id": application.pk, "model": f"{whose}-model", "external_id": whose, "started_at": now,
            "response_id": f"msg_of_{whose}_and_of_nobody_else", "tokens": Tokens(output=TOKENS[whose]), "user": whose,
            "outcome": "error", "error_type": f"{whose}_error", "prompt": f"{whose} asks", "answer": f"{whose} hears",
        },
    )  # fmt: skip
    scene.requests[whose] = request
    ratings.rate(request=request, judgement=Judgement(f"{whose} user", stars=5, comment=f"{whose} comment"))
    Budget.objects.create(
        slug=f"{whose}-budget", name=whose.title(), scope="application", application=application, low=1, high=2,
        starts_on=now.date() - timedelta(days=40),
    )  # fmt: skip
    Unread.objects.create(day=now.date(), application=application, signal="traces", unread=TOKENS[whose])
    Anomaly.objects.create(
        application_id=application.pk, application=application.slug, driver="cache", before=0.9, after=0.1, since=now,
        found_at=now, seen_at=now, models_shown=[f"{whose}-model"], applications_shown=[application.slug],
    )  # fmt: skip
    rule = Rule.objects.filter(kind="budget").first()
    assert rule is not None
    alert = Alert.objects.create(
        rule=rule, kind="budget", subject=f"budget:{whose}-budget:{now:%Y-%m}", title=f"Over budget: {whose.title()}",
        severity="warning", state="open", pending_since=now, opened_at=now,
    )  # fmt: skip
    moved = Transition.objects.create(alert=alert, before="pending", after="open", at=now, cause="crossed")
    Delivery.objects.create(
        alert=alert, transition=moved, recipient="olga@example.com", due_at=now, state="dead", answer="olga@example.com"
    )
    scene.alerts[whose] = alert
    scene.silences[whose] = Silence.objects.create(
        kind="latency", labels={"application": application.slug}, until=now + timedelta(hours=1), reason=whose
    )
    scene.keys[whose] = create_key(name=whose, scopes=list(Scope.values), application=application)[1]


def ask(secret: str, method: str, url: str) -> Any:
    """One call, undone afterwards."""
    callers.clear()
    client = Client(headers={"authorization": f"Bearer {secret}"})
    with transaction.atomic():
        response: Any = client.get(url) if method == "GET" else client.post(url, b"{}", "application/json")
        body = b"".join(response.streaming_content) if response.streaming else response.content
        transaction.set_rollback(True)
    return response.status_code, body.decode(errors="replace")


def with_query(url: str, query: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def test_every_address_that_takes_a_key_says_what_an_application_gets_there() -> None:
    assert [name for name in KEYED if ACCESS[name].key is None] == []
    assert [name for name in KEYED if (ACCESS[name].key == "refused") != bool(ACCESS[name].why)] == []


@pytest.mark.parametrize("name", KEYED)
def test_a_key_of_an_application_learns_nothing_of_another(name: str, scene: Scene) -> None:
    access = ACCESS[name]
    method = "GET" if access.reads is not None else "POST"
    for query in GROUPINGS if method == "GET" else ("",):
        status, told = ask(scene.keys["alpha"], method, with_query(scene.url(name), query))
        for marker in (*scene.markers("beta"), "olga@example.com"):
            assert marker not in told, f"{name}?{query}: {marker}"
        assert (status == 403) == (access.key == "refused"), f"{name}?{query}: {status} {told}"
        if access.key == "refused":
            assert access.why in told


def test_a_heat_map_counts_the_applications_own_requests(scene: Scene) -> None:
    """It names nobody, so that only its sum tells."""
    counts = [
        sum(
            sum(step["counts"])
            for step in json.loads(ask(scene.keys[whose], "GET", "/api/v1/latency/heat")[1])["times"]
        )
        for whose in ("alpha", "whole")
    ]
    assert counts[0] == 1 < counts[1]


# What holds counts alone, or one pair that is drawn: tests/traffic/comparisons has rows of two applications for these.
NAMELESS = ("api:get_latency_heat", "api:get_comparisons", "api:get_next_comparison")


@pytest.mark.parametrize("name", [name for name in READS if ACCESS[name].key == "own" and name not in NAMELESS])
def test_what_is_withheld_is_there_for_a_key_of_the_whole_installation(name: str, scene: Scene) -> None:
    """And what is the application's own is told to it, so that the test above holds something back."""
    urls = [with_query(scene.url(name), query) for query in GROUPINGS]
    own = "".join(ask(scene.keys["alpha"], "GET", url)[1] for url in urls)
    assert any(marker in own for marker in scene.markers("alpha")), name
    whole = "".join(
        ask(scene.keys["whole"], "GET", with_query(scene.url(name, "beta"), query))[1] for query in GROUPINGS
    )
    assert any(marker in whole for marker in scene.markers("beta")), name


@pytest.mark.parametrize("name", [name for name in READS if ACCESS[name].key == "own"])
def test_asking_for_another_application_is_refused(name: str, scene: Scene) -> None:
    status, told = ask(scene.keys["alpha"], "GET", with_query(scene.url(name), "application=beta-app"))
    assert status == 403 and "'alpha-app' only" in told, (status, told)
    assert ask(scene.keys["alpha"], "GET", with_query(scene.url(name), "application=alpha-app"))[0] == 200


@pytest.mark.parametrize("name", [*(name for name in ACTS if name != "api:post_silence"), "api:get_user_costs"])
def test_what_belongs_to_another_application_is_not_there(name: str, scene: Scene) -> None:
    method = "GET" if ACCESS[name].reads is not None else "POST"
    expected = 403 if ACCESS[name].key == "refused" else 404
    url = scene.url(name, "beta")
    body = {"until": (timezone.now() + timedelta(hours=1)).isoformat(), "note": "known", "to": None}
    callers.clear()
    client = Client(headers={"authorization": f"Bearer {scene.keys['alpha']}"})
    needed = body if name == "api:post_snooze" else {"note": "known"} if name == "api:post_note" else {}
    answer = client.get(url) if method == "GET" else client.post(url, needed, "application/json")
    assert answer.status_code == expected, (name, answer.content)
    assert b"beta" not in answer.content


def test_a_silence_of_an_application_is_about_its_own_alerts(scene: Scene) -> None:
    callers.clear()
    client = Client(headers={"authorization": f"Bearer {scene.keys['alpha']}"})
    body = {"subject": "*", "severity": "critical", "until": (timezone.now() + timedelta(hours=1)).isoformat()}
    with transaction.atomic():
        answer = client.post("/api/v1/silences", body | {"reason": "known"}, "application/json")
        assert answer.json()["labels"] == {"application": "alpha-app"}
        theirs = body | {"reason": "known", "labels": {"application": "beta-app"}}
        assert client.post("/api/v1/silences", theirs, "application/json").status_code == 403
        transaction.set_rollback(True)


def test_an_application_acts_on_its_alert_in_nobodys_name(scene: Scene) -> None:
    callers.clear()
    client = Client(headers={"authorization": f"Bearer {scene.keys['alpha']}"})
    with transaction.atomic():
        assert client.post(scene.url("api:post_acknowledge"), {}, "application/json").status_code == 200
        step = scene.alerts["alpha"].transitions.latest("id")
        assert (step.by, step.note) == (None, "key alpha of alpha-app")
        transaction.set_rollback(True)


def test_an_address_that_nobody_decided_about_gives_an_application_nothing(scene: Scene) -> None:
    callers.clear()
    request = RequestFactory().get("/api/v1/new", headers={"authorization": f"Bearer {scene.keys['alpha']}"})
    with pytest.raises(ApiError) as refusal:
        authenticate(request, "read")
    assert refusal.value.status == 403
    whole = RequestFactory().get("/api/v1/new", headers={"authorization": f"Bearer {scene.keys['whole']}"})
    assert authenticate(whole, "read").application_id is None


def test_the_plan_and_owners_are_not_an_applications(scene: Scene) -> None:
    for url in ("/api/v1/changes?against=plan", "/api/v1/statements?by=owner"):
        status, told = ask(scene.keys["alpha"], "GET", url)
        assert status == 403 and "belongs to no application" in told


def test_what_our_own_deployments_do_is_not_told_with_offers(scene: Scene) -> None:
    status, told = ask(scene.keys["alpha"], "GET", "/api/v1/offers?model=nothing")
    assert status == 403 and "'model'" in told
    assert ask(scene.keys["whole"], "GET", "/api/v1/offers?model=nothing")[0] == 422


def test_an_application_reads_the_requests_that_are_its_own(scene: Scene) -> None:
    status, told = ask(scene.keys["alpha"], "GET", "/api/v1/export/requests?format=csv")
    assert status == 200
    assert told.count("\n") == 2 and str(scene.requests["alpha"].id) in told


def test_the_page_of_keys_names_every_address_with_what_it_gives() -> None:
    page = (Path(settings.BASE_DIR) / "docs" / "reference" / "keys.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    patterns = {name: pattern for name, pattern in addresses() if name in KEYED}
    for name in KEYED:
        route = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(patterns[name].pattern))
        ending = route.rpartition("}")[2] if ACCESS[name].scope == "alerts" and "}" in route else "/" + route
        named = [row for row in rows if f"{ending}`" in row and f"| {ACCESS[name].scope} |" in row]
        assert named, route
        assert any(("| 403: " in row) == (ACCESS[name].key == "refused") for row in named), route
