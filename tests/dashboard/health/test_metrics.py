"""What Prometheus reads: its conventions are held, and the figures are those of the pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from alerts.evaluation import services
from alerts.models import Delivery, Rule
from dashboard.health.metrics import exposition
from tests.alerts.conftest import START, Scene, person
from traffic.models import Unread


@pytest.fixture
def busy(db: Any, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """An open alert, its message on the way, and telemetry that was not read."""
    scene = Scene(monkeypatch)
    person("olga", "ops")
    scene.set("a", True)
    scene.look()
    Unread.objects.create(day=START.date(), signal="logs", unread=5, rejected=2)
    Unread.objects.create(day=START.date() - timedelta(days=1), signal="logs", unread=3)
    return scene


def families() -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(exposition().decode())}


def sample(name: str, **labels: str) -> float | None:
    found = [one for family in families().values() for one in family.samples if one.name == name]
    return next((one.value for one in found if one.labels == labels), None)


def lint(text: str) -> Iterator[str]:
    """What `promtool check metrics` would say, and our own prefix."""
    declared = re.findall(r"^# (HELP|TYPE) (\S+) (.*)$", text, re.MULTILINE)
    for what in ("HELP", "TYPE"):
        names = [name for kind, name, _text in declared if kind == what]
        yield from (f"{name}: {what} twice" for name in set(names) if names.count(name) > 1)
    for family in text_string_to_metric_families(text):
        name, seen = family.name, set()
        if not re.fullmatch(r"breakeven_[a-z0-9]+(_[a-z0-9]+)*", name):
            yield f"{name}: not in snake case under our prefix"
        if not family.documentation.strip() or family.documentation.endswith("."):
            yield f"{name}: its help is empty or ends with a dot"
        if family.type not in ("counter", "gauge"):
            yield f"{name}: type {family.type}"
        if re.search(r"_(ms|milliseconds|minutes|hours|percent|kb|mb|total|count|sum|bucket|info)$", name):
            yield f"{name}: not a base unit, or a suffix that is not its own"
        for one in family.samples:
            if one.name != name + ("_total" if family.type == "counter" else ""):
                yield f"{one.name}: not the name of a {family.type}"
            key = tuple(sorted(one.labels.items()))
            if key in seen:
                yield f"{one.name}: {key} twice"
            seen.add(key)
            yield from (
                f"{name}: label {label}" for label in one.labels if not re.fullmatch(r"[a-z]+(_[a-z]+)*", label)
            )


def test_the_conventions_of_prometheus_are_held(busy: Scene) -> None:
    text = exposition().decode()
    assert list(lint(text)) == []
    assert {"breakeven_requests", "breakeven_cost_usd", "breakeven_alerts", "breakeven_deliveries"} <= set(families())


def test_the_lint_of_metrics_finds_every_error() -> None:
    bad = "# HELP breakeven_Wait_ms \n# TYPE breakeven_Wait_ms gauge\nbreakeven_Wait_ms 1\nbreakeven_Wait_ms 2\n"
    said = list(lint(bad + "# TYPE breakeven_calls histogram\n"))
    assert len(said) == 6


def test_states_deliveries_and_lag_are_told_also_where_they_are_zero(busy: Scene) -> None:
    assert sample("breakeven_alerts", kind="outage", state="open") == 1
    assert sample("breakeven_alerts", kind="budget", state="open") == 0
    assert sample("breakeven_deliveries", channel="email", state="waiting") == 1
    assert sample("breakeven_deliveries", channel="email", state="dead") == 0
    assert sample("breakeven_alerts", kind="outage", state="resolved") is None
    Delivery.objects.update(due_at=timezone.now() - timedelta(minutes=5))
    late = sample("breakeven_delivery_overdue_seconds", channel="email")
    assert late is not None and 300 <= late < 330
    services.evaluate(kinds=["price"])
    Rule.objects.filter(kind="price").update(evaluated_at=timezone.now() - timedelta(minutes=10))
    lag = sample("breakeven_rule_evaluation_lag_seconds", kind="price")
    assert lag is not None and 600 <= lag < 630


def test_telemetry_that_was_not_read_is_counted_by_signal(busy: Scene) -> None:
    assert sample("breakeven_otlp_unread_total", signal="logs") == 8
    assert sample("breakeven_otlp_rejected_total", signal="logs") == 2
    assert sample("breakeven_otlp_unread_total", signal="traces") == 0
