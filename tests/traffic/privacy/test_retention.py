"""Old days are dropped whole, after they were sealed; bodies go first; the audit still holds."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from lib.dates import midnight
from lib.partitions import existing_days
from tests.factories import ApplicationFactory, DeploymentFactory, PairFactory
from tests.traffic.request_rows import NOON, row
from traffic.comparisons.rater import Rater
from traffic.comparisons.services import choose, skip
from traffic.gateway.aside import SET_ASIDE
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import HeldObject, Pair, PairAssignment, PairChoice, Rating, SealedDay, UsageDay
from traffic.privacy import retention

TODAY = NOON.date() + timedelta(days=1)


@pytest.fixture
def old_and_new(conn: psycopg.Connection) -> psycopg.Connection:
    # Of a row without an application no text is kept.
    old = [row(n, started_at=NOON - timedelta(days=60), prompt="p", application_id=7) for n in range(3)]
    ingest(conn, [*old, row(9, prompt="p", application_id=7)], PricingContext.load(conn))
    return conn


def test_a_day_is_sealed_and_dropped_and_its_usage_stays(old_and_new: psycopg.Connection, settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    assert retention.apply_retention(TODAY) >= 2
    assert old_and_new.execute("SELECT count(*) FROM traffic_request").fetchone() == (1,)
    old = NOON.date() - timedelta(days=60)
    assert SealedDay.objects.get(day=old).totals["requests"] == "3"
    assert UsageDay.objects.get(day=old).requests == 3
    call_command("audit")


def test_the_audit_notices_a_sealed_day_that_changed(old_and_new: psycopg.Connection, settings: Any) -> None:
    settings.RETENTION_DAYS = 30
    retention.apply_retention(TODAY)
    old_and_new.execute("UPDATE traffic_usage_day SET output = output + 1 WHERE day < %s", [TODAY - timedelta(days=30)])
    with pytest.raises(SystemExit):
        call_command("audit")


def test_bodies_go_first(old_and_new: psycopg.Connection, settings: Any) -> None:
    settings.BODY_RETENTION_DAYS = 30
    retention.apply_retention(TODAY)
    assert old_and_new.execute("SELECT count(*) FROM traffic_request").fetchone() == (4,)
    assert old_and_new.execute("SELECT count(*) FROM traffic_request_body").fetchone() == (1,)


@pytest.mark.django_db
def test_comments_go_with_the_bodies_and_scores_stay() -> None:
    today = timezone.now().date()
    old, new = today - timedelta(days=91), today - timedelta(days=89)
    for day in (old, new):
        Rating.objects.create(day=day, request_id=uuid.uuid4(), by="ann", stars=2, comment="quotes")
        pair = PairFactory.create()
        choose(pair=pair, rater=Rater("installation", "ann"), side="tie", comment="quotes")
        skip(pair=pair, rater=Rater("installation", "bob"), reason="quotes")
        Pair.objects.filter(pk=pair.pk).update(created_at=midnight(day))
    retention.apply_retention(today)
    assert list(Rating.objects.order_by("day").values_list("stars", "comment")) == [(2, ""), (2, "quotes")]
    assert list(PairChoice.objects.order_by("pk").values_list("outcome", "comment")) == [("tie", ""), ("tie", "quotes")]
    assert sorted(PairAssignment.objects.values_list("reason", flat=True)) == ["", "quotes"]


def test_calls_that_could_not_be_stored_go_with_the_bodies(
    conn: psycopg.Connection, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.BODY_RETENTION_DAYS = tmp_path, 30
    (tmp_path / "spool").mkdir()
    path = tmp_path / "spool" / SET_ASIDE
    moments = (b"2020-01-01T10:00:00Z", b"2099-01-01T10:00:00Z")
    lines = [b'{"at":"%s","reason":"r","line":"{half"}\n' % moment for moment in moments]
    path.write_bytes(b"".join(lines))
    retention.apply_retention(TODAY)
    assert path.read_bytes() == lines[1]


def test_a_week_is_ready_ahead(conn: psycopg.Connection) -> None:
    retention.make_days_ahead(TODAY)
    assert retention.make_days_ahead(TODAY) == 0
    assert {TODAY + timedelta(days=n) for n in range(8)} <= existing_days(conn, "traffic_request")


def test_a_row_of_a_dropped_day_inside_retention_makes_the_day_again(old_and_new: Any, settings: Any) -> None:
    old_and_new.execute(f"DROP TABLE traffic_request_{NOON:%Y%m%d}")
    result = ingest(old_and_new, [row(77)], PricingContext.load(old_and_new))
    assert result.accepted == 1


def test_answers_that_vendors_forget_are_forgotten(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    monkeypatch.setattr(retention, "MOST_ANSWERS", 2)
    deployment, today = DeploymentFactory.create(), timezone.now()
    for shop in (None, ApplicationFactory.create()):
        names = [("resp_1", 32), ("resp_2", 3), ("resp_3", 2), ("resp_4", 1), ("file_1", 400)]
        for name, age in names:
            name = f"{name}_{shop}"
            held = HeldObject.objects.create(
                vendor_id=name, deployment=deployment, application=shop, is_answer=name.startswith("resp")
            )
            HeldObject.objects.filter(pk=held.pk).update(created_at=today - timedelta(days=age))
    assert retention.forget_answers(today.date()) == 4
    assert {name.rpartition("_")[0] for name in HeldObject.objects.values_list("vendor_id", flat=True)} == {
        "resp_3", "resp_4", "file_1"
    }  # fmt: skip
    assert HeldObject.objects.count() == 6
