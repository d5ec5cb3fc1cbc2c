"""What a built-in rule would have done in the last 30 days: replayed where hours are stored, else counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts.defaults import ensure_defaults
from alerts.models import Alert, Rule
from alerts.rules.tryout import tryout
from providers.models import Deployment
from tests.alerts.conditions import deployment, hour

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 6, 18, 12, tzinfo=UTC)
NUMBERS = {"percent": 10, "band": 4, "failures": 5}


def rule(kind: str, **more: Any) -> Rule:
    ensure_defaults()
    Rule.objects.filter(slug=kind).update(**more)
    return Rule.objects.get(slug=kind)


def an_hour(days_ago: int, errors: int, requests: int = 100) -> None:
    hour(NOW - timedelta(days=days_ago), requests, errors=errors, deployment_id=Deployment.objects.get().pk)


def test_the_error_rate_is_replayed_with_the_numbers_of_the_form() -> None:
    deployment(name="Mistral")
    for days_ago, errors in ((40, 50), (20, 12), (10, 30), (5, 9)):
        an_hour(days_ago, errors)
    errors_rule = rule("error-rate", clear_for_s=0)
    seen = tryout(errors_rule, NUMBERS, NOW, 0)
    assert [(about, firing.opened_at.day) for about, firing in seen.firings] == [("Mistral", 29), ("Mistral", 8)]
    assert seen.headline() == "2 alerts in the last 30 days" and "2 times" in seen.sentence and seen.replayed
    stricter = tryout(errors_rule, NUMBERS | {"percent": 20}, NOW, 0)
    assert stricter.headline() == "1 alert in the last 30 days" and "once" in stricter.sentence
    assert len(tryout(errors_rule, NUMBERS | {"percent": 9}, NOW, 0).firings) == 3, "its limit is reached at 9 of 100"
    assert tryout(errors_rule, NUMBERS | {"failures": 31}, NOW, 0).sentence.startswith(
        "With these numbers it would not"
    )


def fired(of: Rule, subject: str, lasted: timedelta | None, days_ago: int = 3) -> None:
    at = NOW - timedelta(days=days_ago)
    state, resolved_at = ("open", None) if lasted is None else ("resolved", at + lasted)
    Alert.objects.create(
        rule=of, kind=of.kind, subject=subject, title=f"Down: {subject}", severity="critical", state=state,
        pending_since=at, opened_at=at, resolved_at=resolved_at,
    )  # fmt: skip


def test_of_a_figure_that_is_not_stored_the_alerts_that_outlast_the_delay_are_counted() -> None:
    outage = rule("outage", for_s=0)
    fired(outage, "short", timedelta(minutes=2))
    fired(outage, "long", timedelta(minutes=20))
    fired(outage, "still", None)
    fired(outage, "old", timedelta(hours=2), days_ago=31)
    seen = tryout(outage, {"group": 3}, NOW, 0)
    assert [about for about, _firing in seen.firings] == ["Down: short", "Down: long", "Down: still"]
    assert not seen.replayed and "not stored" in seen.source
    outage.for_s = 600
    assert [about for about, _at, _lasted in tryout(outage, {"group": 3}, NOW, 0).latest] == [
        "Down: still",
        "Down: long",
    ]
    assert tryout(rule("balance"), {}, NOW, 0).sentence == "It has not fired in the last 30 days."


def test_the_page_tries_the_numbers_of_the_form_and_saves_nothing(ops_client: Client, manager: Client) -> None:
    before = rule("error-rate")
    address = f"/alerts/rules/{before.slug}/"
    assert "Test on the last 30 days" in ops_client.get(address).content.decode()
    form = {
        "name": "Errors", "severity": "warning", "for_s": "0", "clear_for_s": "15 minutes", "enabled": "on",
        "threshold_percent": "7", "threshold_band": "4", "threshold_failures": "5", "preview": "1",
    }  # fmt: skip
    response = ops_client.post(address, form)
    page = response.content.decode()
    assert response.status_code == 200 and "With these numbers it would not have fired in the last 30 days." in page
    assert 'value="7"' in page
    assert Rule.objects.get(slug=before.slug).thresholds == before.thresholds
    assert "it would not have fired" in manager.get(f"{address}?preview=1").content.decode()
    assert manager.post(address, form).status_code == 403
    assert ops_client.post(address, form | {"threshold_percent": "x"}).status_code == 422
    late = rule("late")
    fired(late, "evaluation", timedelta(hours=1))
    Alert.objects.update(opened_at=timezone.now() - timedelta(days=1), resolved_at=timezone.now())
    assert "1 alert in the last 30 days" in ops_client.get("/alerts/rules/late/?preview=1").content.decode()
