"""What the demo company decided: once, with the figures of the moment, and left alone afterwards."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from costs.models import Decision, Effort, OpsWorkloadLimit, WhatIf
from costs.readiness import records
from demo import run
from demo.company import PEOPLE
from demo.decided import decide
from tests.costs.breakeven_rows import traffic

__all__ = ["traffic"]  # a fixture


def people() -> None:
    for person in PEOPLE:
        User.objects.create_user(person.username)


def test_the_demo_signs_once_what_its_figures_say(traffic: None) -> None:
    people()
    for _again in range(2):
        decide(timezone.now())
    record = Decision.objects.get()
    assert records.changed([record]) == []
    state = json.loads(record.figures)["scorecard"]["state"]
    assert record.choice == {"met": "go", "not_met": "no_go"}.get(state, "not_yet")
    assert OpsWorkloadLimit.objects.count() == 1
    assert (Effort.objects.count(), WhatIf.objects.count()) == (4, 3)


def test_without_traffic_the_demo_signs_nothing(db: Any) -> None:
    people()
    decide(datetime(2026, 6, 18, 14, tzinfo=UTC))
    assert not Decision.objects.exists()


def test_the_decision_is_signed_after_all_ratings_have_arrived(monkeypatch: Any) -> None:
    """A record that is signed while ratings load quotes fewer of them than every page does a minute later."""
    done: list[str] = []
    demo = run.Demo.__new__(run.Demo)
    demo.stop, demo.say = threading.Event(), done.append
    for part in ("compare", "load_older", "try_out", "decide", "advise", "older_prices", "look_for_anomalies",
                 "look_at_forecasts", "write_reports"):  # fmt: skip
        monkeypatch.setattr(demo, part, lambda part=part: done.append(part))
    monkeypatch.setattr(demo, "judge", lambda days: done.append(f"judge {days}"))
    monkeypatch.setattr("demo.run.loading.mark_loading", lambda until: done.append(f"loading until {until}"))
    demo.fill_in()
    assert done.index("decide") > done.index(f"judge {run.JUDGED_DAYS}") > done.index("load_older")
    assert done[-1] == "loading until None"
