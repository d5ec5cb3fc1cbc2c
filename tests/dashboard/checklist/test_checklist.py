"""The checklist of the set-up stays on the Overview until all is done, or until a person hides it."""

from __future__ import annotations

import json

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.models import Channel
from dashboard.checklist.page import checklist, steps
from dashboard.checklist.queries import Progress, progress
from dashboard.management.commands import doctor
from providers.audit.log import AuditEntry
from tests.dashboard.logins import with_role
from tests.factories import AccountFactory, ApplicationFactory, DeploymentFactory, PhaseFactory
from tests.traffic.people import logged_in, text
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache

ALL = Progress(account=True, deployment=True, key=True, request=True, plan=True, people=True, mail=True, monitor=True)


@pytest.fixture
def admin(db: None) -> Client:
    return logged_in(User.objects.create_superuser("root"))


def send_one() -> None:
    """A request through the native API, so that the Overview has data."""
    clear_cache()
    callers.clear()
    secret = create_key(name="k", scopes=["ingest"], application=ApplicationFactory.create(slug="shop"))[1]
    row = {"started_at": timezone.now().isoformat(), "provider": "anthropic", "model": "m", "tokens": {"output": 1}}
    body, header = json.dumps({"requests": [row]}), {"authorization": f"Bearer {secret}"}
    assert Client().post("/api/v1/requests", body, "application/json", headers=header).json()["accepted"] == 1


def test_it_is_empty_of_done_steps_at_first_and_counts_what_is_left() -> None:
    made = checklist(Progress(), first=True)
    assert made is not None
    assert (made.left, made.heading()) == (8, "Set-up: 8 steps left")
    assert made.next_step() == made.steps[0]


def test_it_goes_when_all_is_done_or_when_it_was_hidden() -> None:
    assert checklist(ALL, first=False) is None
    hidden = Progress(account=True, hidden=True)
    assert checklist(hidden, first=False) is None
    assert checklist(hidden, first=True) is not None  # without any data nothing else could stand there


@pytest.mark.django_db
def test_each_thing_that_is_made_is_one_step_less() -> None:
    before = sum(step.done for step in steps(progress()))
    AccountFactory.create(slug="vast")
    DeploymentFactory.create(slug="own")
    create_key(name="k", scopes=["ingest"])
    PhaseFactory.create(slug="pilot", name="Pilot", budget_low=1, budget_high=2)
    with_role("ops")
    Channel.objects.create(slug="hc", name="HC", kind="monitor")
    with CaptureQueriesContext(connection) as statements:
        now = progress()
    assert len(statements) == 1
    assert (now.account, now.deployment, now.key, now.plan, now.people, now.monitor) == (True,) * 6
    assert sum(step.done for step in steps(now)) == before + 6
    assert not now.request


@pytest.mark.django_db(transaction=True)
def test_it_stays_after_the_first_request_can_be_hidden_and_comes_back(conn: psycopg.Connection, admin: Client) -> None:
    send_one()
    page = text(admin, "/")
    assert "Set-up: " in page and "Plan a budget" in page and "Send the first request" not in page
    answer = admin.post("/settings/checklist/hide/", follow=True)
    assert "Set-up: " not in answer.content.decode() and "/settings/checklist/show/" in answer.content.decode()
    assert "Hid the checklist" in AuditEntry.objects.latest("pk").words
    admin.post("/settings/checklist/show/")
    assert "Set-up: " in text(admin, "/")


@pytest.mark.django_db(transaction=True)
def test_who_cannot_set_anything_up_does_not_see_it(conn: psycopg.Connection) -> None:
    send_one()
    manager = logged_in(with_role("manager"))
    assert "Set-up: " not in text(manager, "/")
    assert manager.post("/settings/checklist/hide/").status_code == 403


@pytest.mark.django_db
def test_doctor_names_what_is_not_set_up() -> None:
    with pytest.raises(doctor.Risk, match=r"not done yet: Add a vendor account, .*Connect an outside monitor"):
        doctor.set_up()
    assert ("set-up", doctor.set_up) in doctor.CHECKS
