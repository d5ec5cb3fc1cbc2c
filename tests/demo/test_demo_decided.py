"""What the demo company decided: once, with the figures of the moment, and left alone afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from costs.models import Decision, Effort, OpsWorkloadLimit, WhatIf
from costs.readiness import records
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
    assert OpsWorkloadLimit.objects.count() == 1
    assert (Effort.objects.count(), WhatIf.objects.count()) == (4, 3)


def test_without_traffic_the_demo_signs_nothing(db: Any) -> None:
    people()
    decide(datetime(2026, 6, 18, 14, tzinfo=UTC))
    assert not Decision.objects.exists()
