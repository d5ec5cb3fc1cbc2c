"""What an outage cost in requests: those that failed and those that another deployment answered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from providers.models import Deployment, Outage
from tests.factories import DeploymentFactory, OutageFactory
from tests.traffic.people import arrive
from traffic.usage.outage_requests import count_requests

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
MINUTE = timedelta(minutes=1)
START = NOW - timedelta(days=2)


@pytest.fixture
def llama(db: None) -> Deployment:
    return deployed("llama")


def deployed(slug: str) -> Deployment:
    return DeploymentFactory.create(slug=slug, engine="llamacpp", url="http://x")


def broke(deployment: Deployment, minutes: int | None = 30) -> Outage:
    end = None if minutes is None else START + minutes * MINUTE
    return OutageFactory.create(
        deployment=deployment, started_at=START, confirmed_at=START, ended_at=end, cause="refused"
    )


def requested(*rows: dict[str, Any]) -> None:
    connection.ensure_connection()
    arrive(connection.connection, *[{"started_at": START + MINUTE} | row for row in rows])


def counted(outage: Outage, now: datetime = NOW) -> tuple[int | None, int | None]:
    count_requests(now=now)
    outage.refresh_from_db()
    return outage.requests_failed, outage.requests_rerouted


def test_failed_and_rerouted_requests_of_its_time_are_counted_and_no_others(llama: Deployment) -> None:
    other = deployed("claude").pk
    tried = {"tries": [{"deployment": "llama", "status": 500}]}
    requested(
        {"deployment_id": llama.pk, "outcome": "error"},
        {"deployment_id": llama.pk, "outcome": "timeout"},
        {"deployment_id": llama.pk, "outcome": "cancelled"},
        {"deployment_id": llama.pk},
        {"deployment_id": llama.pk, "outcome": "error", "started_at": START - MINUTE},
        {"deployment_id": llama.pk, "outcome": "error", "started_at": START + 30 * MINUTE},
        {"deployment_id": other, "outcome": "error"},
        {"deployment_id": other},
        {"deployment_id": other, "raw": tried},
        {"deployment_id": other, "raw": {"instead_of": "llama"}},
        {"deployment_id": other, "raw": {"instead_of": "qwen"}},
        {"deployment_id": other, "raw": tried, "outcome": "error"},
    )
    assert counted(broke(llama)) == (3, 2)


def test_before_anybody_counted_it_is_unknown_and_then_nothing_is_zero(llama: Deployment) -> None:
    outage = broke(llama)
    assert (outage.requests_failed, outage.requests_rerouted) == (None, None)
    assert counted(outage) == (0, 0)


def test_one_that_is_over_is_counted_once_more_for_late_rows_and_then_left_alone(llama: Deployment) -> None:
    outage = broke(llama)
    end = START + 30 * MINUTE
    assert counted(outage, end + MINUTE) == (0, 0)
    requested({"deployment_id": llama.pk, "outcome": "error"})
    assert counted(outage, end + 50 * MINUTE) == (0, 0)
    assert counted(outage, end + 61 * MINUTE) == (1, 0)
    requested({"deployment_id": llama.pk, "outcome": "error", "started_at": START + 2 * MINUTE})
    assert counted(outage, end + timedelta(days=1)) == (1, 0)


def test_one_that_lasts_is_counted_more_rarely_the_longer_it_is(llama: Deployment) -> None:
    outage = broke(llama, None)
    counted(outage, START + MINUTE)
    requested({"deployment_id": llama.pk, "outcome": "error"})
    assert counted(outage, START + 4 * MINUTE) == (0, 0)
    assert counted(outage, START + 7 * MINUTE) == (1, 0)
    day = START + timedelta(days=1)
    counted(outage, day)
    assert count_requests(now=day + 60 * MINUTE) == 0
    assert count_requests(now=day + 80 * MINUTE) == 1
