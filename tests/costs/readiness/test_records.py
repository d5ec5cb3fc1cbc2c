"""Signed decisions and the burden of operations: frozen, never changed; what is over its limit forbids."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from alerts.defaults import ensure_defaults
from alerts.inbox.page_counts import count_pages
from alerts.models import Alert, Delivery, Rule, Transition
from costs.models import Decision, Effort, OpsWorkloadLimit, PageDay
from costs.readiness import ops_workload, records
from costs.readiness.evidence import Evidence, OpsWorkload
from costs.readiness.scorecard import judge
from providers.audit.log import AuditEntry
from providers.models import Deployment, Outage
from tests.costs.people import client_of, text
from tests.factories import OutageFactory
from traffic.authentication.keys import create_key

D = Decimal
SIGNED = {"choice": "go", "statement": "We move rag and qa on Monday.", "seen": "go"}


@pytest.fixture
def ann(db: Any) -> User:
    return User.objects.create_user("ann", first_name="Ann", last_name="Lee")


def signed(ann: User, choice: str = "go", **figures: Any) -> Decision:
    return records.sign(choice=choice, statement="Because.", figures=figures, by=ann)


def test_a_manager_signs_the_figures_of_this_moment(ready: Deployment) -> None:
    manager = client_of("manager")
    response = manager.post("/decide/sign/", SIGNED)
    record = Decision.objects.get()
    assert response["Location"] == f"/decide/records/{record.number}/"
    figures = json.loads(record.figures)
    assert (figures["scorecard"]["verdict"], figures["scorecard"]["state"]) == ("go", "met")
    assert [row["state"] for row in figures["scorecard"]["criteria"]] == ["met"] * 4
    assert figures["break_even"]["inputs"]["requests_per_month"] > 0
    assert AuditEntry.objects.get().message == SIGNED["statement"]
    Outage.objects.all().delete()
    page = text(manager, response["Location"])
    assert "GO</b>, signed by <b>a-manager</b>" in page and "It is the current decision." in page
    assert record.digest in page and "Intact" in page


def test_a_later_decision_supersedes_and_the_earlier_one_stays_as_it_was(ready: Deployment) -> None:
    manager = client_of("manager")
    manager.post("/decide/sign/", SIGNED)
    manager.post("/decide/sign/", {**SIGNED, "choice": "no_go", "statement": "After all not."})
    assert "Decision 2 has superseded it." in text(manager, "/decide/records/1/")
    second = text(manager, "/decide/records/2/")
    assert "It is the current decision." in second and "differs from the verdict of the figures" in second
    assert "Current decision: NO-GO (a-manager, " in text(manager, "/decide/")


def test_a_verdict_that_changed_meanwhile_is_not_signed(ready: Deployment) -> None:
    response = client_of("manager").post("/decide/sign/", {**SIGNED, "seen": "not_yet"})
    assert response.status_code == 422
    assert "The verdict was NOT YET when you read it and is GO now" in response.content.decode()
    assert not Decision.objects.exists()


@pytest.mark.parametrize("missing", ["statement", "choice", "seen"])
def test_what_is_not_said_is_not_signed(ready: Deployment, missing: str) -> None:
    response = client_of("manager").post("/decide/sign/", {**SIGNED, missing: ""})
    assert (response.status_code, Decision.objects.count()) == (422, 0)


def test_the_database_refuses_to_change_or_delete_a_record(ann: User) -> None:
    record = signed(ann)
    for act in (record.delete, lambda: Decision.objects.update(statement="Otherwise."), record.save):
        with pytest.raises(DatabaseError, match="never changed"), transaction.atomic():
            act()
    ann.delete()
    assert Decision.objects.get().signed_name == "Ann Lee"


def test_any_change_of_a_record_shows(ann: User) -> None:
    signatures = [signed(ann, value=n) for n in range(3)]
    every = list(Decision.objects.order_by("number"))
    assert records.changed(every) == []
    assert [record.previous for record in every] == ["", *(record.digest for record in signatures[:2])]
    for field, value in (("statement", "x"), ("figures", "{}"), ("choice", "no_go"), ("signed_by", "bob")):
        changed = Decision.objects.get(number=2)
        setattr(changed, field, value)
        assert records.changed([every[0], changed, every[2]]) == [2]


def test_a_record_whose_digest_was_made_anew_is_not_the_one_in_the_audit_log(
    ready: Deployment,
) -> None:
    manager = client_of("manager")
    manager.post("/decide/sign/", SIGNED)
    record = Decision.objects.get()
    assert "Intact" in text(manager, "/decide/records/1/")
    record.statement = "We never move."
    digest = records.digest_of(record)
    with connection.cursor() as cursor:  # past the trigger, as somebody who owns the database could
        cursor.execute("SET LOCAL session_replication_role = replica")
        Decision.objects.update(statement=record.statement, digest=digest)
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert "This record was changed after it was signed" in text(manager, "/decide/records/1/")
    assert manager.get("/api/v1/decisions").json()["items"][0]["intact"] is False
    assert records.changed(Decision.objects.all()) == [1]


def test_the_api_lists_records_newest_first(ann: User, client: Any) -> None:
    for choice in ("not_yet", "go"):
        signed(ann, choice)
    secret = create_key(name="reader", scopes=["read"])[1]
    found = client.get("/api/v1/decisions", headers={"authorization": f"Bearer {secret}"}).json()["items"]
    assert [(one["choice"], one["superseded"], one["intact"]) for one in found] == [
        ("go", False, True), ("not_yet", True, True),
    ]  # fmt: skip
    assert found[0]["previous"] == found[1]["digest"]


# The burden of operations.


@pytest.mark.parametrize(
    ("burdened", "over"),
    [
        (OpsWorkload(9, D(9), 9), ()),
        (OpsWorkload(2, D(4), 3, 2, D(4), 3), ()),
        (OpsWorkload(3, D("4.25"), 4, 2, D(4), 3), ("incidents", "hours", "pages")),
        (OpsWorkload(0, D("0.5"), 0, None, D(0), None), ("hours",)),
    ],
)
def test_only_a_workload_above_its_limit_is_an_objection(burdened: OpsWorkload, over: tuple[str, ...]) -> None:
    assert burdened.over == over
    objections = [row.slug for row in judge(Evidence(ops_workload=burdened)).objections]
    assert objections == (["operations"] if over else [])


def test_hours_calls_and_incidents_count_for_thirty_days(ready: Deployment) -> None:
    manager, now = client_of("manager"), timezone.now()
    for days_ago, hours in ((0, "2.5"), (29, "1"), (31, "8")):
        day = (now - timedelta(days=days_ago)).date()
        manager.post("/decide/hours/", {"day": day.isoformat(), "hours": hours, "what": f"driver {days_ago}"})
    for days_ago in (1, 40):
        at = now - timedelta(days=days_ago)
        OutageFactory.create(deployment=ready, started_at=at, confirmed_at=at, ended_at=at, cause="refused")
    call(ready.slug, now - timedelta(days=1))
    assert count_pages(now) == count_pages(now) == 1
    call(ready.slug, now - timedelta(days=2), about="latency", state="unsent")
    assert count_pages(now) == 1, "nobody was reached: no mail server was set up"
    call(ready.slug, now - timedelta(days=2), about="errors")
    reached = Delivery.objects.filter(state="accepted").values("alert").distinct().count()
    assert count_pages(now) == reached == 2, "as many alerts as Alerts has delivered"
    Alert.objects.filter(subject__startswith="errors").delete()
    count_pages(now)
    PageDay.objects.create(day=(now - timedelta(days=45)).date(), pages=7)
    manager.post("/decide/limits/", {"incidents": "1", "hours": "3", "pages": ""})
    page = text(manager, "/decide/")
    assert "3.5 hours of work in 30 days, at most 3" in page and "NO-GO" in page
    assert "incidents in 30 days" not in page
    card = client_json(manager)
    assert card["burden"]["incidents"] == {"value": 1.0, "limit": 1.0, "over": False}
    assert card["burden"]["pages"] == {"value": 1.0, "limit": None, "over": False}


def client_json(client: Any) -> Any:
    return client.get("/api/v1/scorecard").json()


def call(slug: str, at: Any, about: str = "deployment", state: str = "accepted") -> None:
    """An outage, or something else of a deployment, that somebody was mailed about."""
    ensure_defaults()
    rule = Rule.objects.filter(kind="outage")[0]
    alert = Alert.objects.create(
        rule=rule, kind="outage", subject=f"{about}:{slug}", labels={"deployment": slug}, title="down",
        severity="critical", state="resolved",
        pending_since=at, opened_at=at,
    )  # fmt: skip
    moved = Transition.objects.create(alert=alert, before="pending", after="open", at=at, cause="crossed")
    for name in ("a@example.com", "b@example.com"):
        Delivery.objects.create(alert=alert, transition=moved, recipient=name, due_at=at, state=state)


def test_withdrawn_hours_no_longer_count(ready: Deployment) -> None:
    manager, today = client_of("manager"), timezone.now().date()
    manager.post("/decide/hours/", {"day": today.isoformat(), "hours": "5", "what": "driver"})
    effort = Effort.objects.get()
    User.objects.filter(username="a-manager").update(first_name="Ann", last_name="Lee")
    assert ": driver, Ann Lee" in text(manager, "/decide/")
    Effort.objects.update(by=None)
    assert ": driver <form" in text(manager, "/decide/")
    manager.post(f"/decide/hours/{effort.pk}/withdraw/")
    manager.post(f"/decide/hours/{effort.pk}/withdraw/")
    assert ops_workload.ops_workload(timezone.now(), ()).hours == 0
    assert [entry.message for entry in AuditEntry.objects.order_by("pk")] == ["driver", "Withdrawn."]


@pytest.mark.parametrize(("field", "value"), [("hours", "0"), ("hours", "25"), ("day", "2999-01-01"), ("what", "")])
def test_hours_that_cannot_be_are_refused_at_their_field(ready: Deployment, field: str, value: str) -> None:
    given = {"day": timezone.now().date().isoformat(), "hours": "1", "what": "driver", field: value}
    response = client_of("manager").post("/decide/hours/", given)
    assert (response.status_code, Effort.objects.count()) == (422, 0)
    assert f'href="#id_{field}"' in response.content.decode()


def test_a_negative_limit_is_refused(db: Any) -> None:
    response = client_of("manager").post("/decide/limits/", {"hours": "-1"})
    assert (response.status_code, OpsWorkloadLimit.objects.count()) == (422, 0)
