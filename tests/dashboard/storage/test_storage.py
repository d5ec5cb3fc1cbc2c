"""The size of what is kept, what goes next, and keeping it for longer or shorter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.storage import queries as storage
from dashboard.storage import set_aside
from lib.disk import Disk
from providers.audit.log import AuditEntry
from tests.dashboard.logins import logged_in, with_role
from tests.database import conninfo
from tests.traffic.people import application, text
from tests.traffic.request_rows import NOON, row
from traffic.authentication.keys import create_key
from traffic.gateway.spool import Spool
from traffic.ingest.context import lookup_tables
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import KeyUse, SealedDay, Unread
from traffic.privacy import retention
from traffic.privacy.services import save_retention
from traffic.retention_settings import RetentionDays, accepted_days, current_retention

TODAY = NOON.date() + timedelta(days=1)
OLD = NOON.date() - timedelta(days=60)


@pytest.fixture
def conn(transactional_db: Any) -> Iterator[psycopg.Connection]:
    storage.clear_cache()
    with psycopg.connect(conninfo(), autocommit=True) as own:
        yield own
    storage.clear_cache()
    lookup_tables.clear()


@pytest.fixture
def old_and_new(conn: psycopg.Connection) -> psycopg.Connection:
    shop = application("shop").pk  # of a row without an application no text is kept
    old = [row(n, started_at=NOON - timedelta(days=60), prompt="p", application_id=shop) for n in range(3)]
    ingest(conn, [*old, row(9, prompt="p", application_id=shop)], PricingContext.load(conn))
    return conn


def browser(role: str) -> Client:
    with_role(role)
    return logged_in(User.objects.get(username=role))


def test_the_kinds_add_up_to_the_database(old_and_new: psycopg.Connection) -> None:
    found = storage.read(timezone.now())
    (whole,) = old_and_new.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    assert abs(found.total - whole) < 1 << 20
    requests = next(kind for kind in found.kinds if kind.name == "requests")
    assert requests.oldest == OLD
    assert requests.bytes > 0
    assert found.growth is not None and found.growth > 0


def test_the_next_day_to_go_is_the_oldest_on_the_day_after_its_last(old_and_new: Any, settings: Any) -> None:
    settings.RETENTION_DAYS, settings.BODY_RETENTION_DAYS = 400, 90
    bodies, requests = storage.read(timezone.now()).next_drops
    assert (bodies.kind, bodies.day, bodies.on) == ("bodies", OLD, OLD + timedelta(days=91))
    assert (requests.kind, requests.day, requests.on) == ("requests", OLD, OLD + timedelta(days=401))
    retention.apply_retention(bodies.on - timedelta(days=1))
    assert old_and_new.execute("SELECT count(*) FROM traffic_request_body").fetchone() == (4,)
    retention.apply_retention(bodies.on)
    assert old_and_new.execute("SELECT count(*) FROM traffic_request_body").fetchone() == (1,)


def test_fewer_days_say_what_they_delete_and_delete_only_when_confirmed(old_and_new: Any) -> None:
    admin = browser("admin")
    asked = {"requests": "30", "bodies": "10"}
    response = admin.post("/settings/storage/", asked)
    losses = {loss.kind: loss for loss in response.context["losses"]}
    assert losses["requests"].requests == 3
    assert losses["requests"].first == losses["requests"].last == losses["bodies"].first == OLD
    assert current_retention() != RetentionDays(30, 10)
    admin.post("/settings/storage/", asked | {"confirm": "1"})
    assert current_retention() == RetentionDays(30, 10)
    assert "30 days" in AuditEntry.objects.latest("pk").words
    assert retention.apply_retention(TODAY) >= 2
    assert old_and_new.execute("SELECT count(*) FROM traffic_request").fetchone() == (1,)


def test_more_days_need_no_confirmation_and_are_what_is_taken_in(conn: Any) -> None:
    assert browser("admin").post("/settings/storage/", {"requests": "700", "bodies": "90"}).status_code == 302
    assert current_retention() == RetentionDays(700, 90)
    assert lookup_tables.get().retention_days == 700


@pytest.mark.parametrize("asked", [("3", "1"), ("100", "101"), ("", ""), ("x", "9"), ("99999", "1")])
def test_days_that_cannot_be_are_refused_at_the_field(conn: Any, asked: tuple[str, str]) -> None:
    response = browser("admin").post("/settings/storage/", {"requests": asked[0], "bodies": asked[1]})
    assert response.status_code == 422
    assert response.context["form"].errors


def test_ops_read_the_sizes_and_change_nothing(conn: Any) -> None:
    ops = browser("ops")
    assert b"The database holds" in ops.get("/settings/").content
    assert ops.get("/settings/storage/").status_code == 200
    assert ops.post("/settings/storage/", {"requests": "30", "bodies": "10", "confirm": "1"}).status_code == 403


def test_nothing_is_taken_onto_a_day_that_was_sealed(conn: Any, settings: Any) -> None:
    settings.RETENTION_DAYS = 400
    SealedDay.objects.create(day=TODAY - timedelta(days=31), totals={})
    assert accepted_days(TODAY) == 30
    save_retention(days=RetentionDays(7, 7))
    assert accepted_days(TODAY) == 7


def test_what_is_counted_a_day_goes_with_the_requests(conn: Any, settings: Any) -> None:
    settings.RETENTION_DAYS = 10
    key, _secret = create_key(name="k", scopes=["ingest"])
    for days in (9, 31, 32):
        day = TODAY - timedelta(days=days)
        Unread.objects.create(day=day, signal="traces", unread=1)
        KeyUse.objects.create(key=key, day=day, requests=1, tokens=1, cost=0)
    retention.apply_retention(TODAY)
    left = {TODAY - timedelta(days=days) for days in (9, 31)}
    assert set(Unread.objects.values_list("day", flat=True)) == left
    assert set(KeyUse.objects.values_list("day", flat=True)) == left


@pytest.mark.parametrize(("free", "low"), [(50, False), (2, True)])
def test_the_floor_of_the_disk_is_told_and_when_it_is_reached(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, free: int, low: bool
) -> None:
    gb = 1 << 30
    monkeypatch.setattr(storage, "disk_of", lambda folder: Disk(100 * gb, (100 - free) * gb, free * gb, 3 * gb))
    page = text(browser("admin"), "/settings/storage/")
    assert "With less than 3.0" in page
    assert ("nothing is taken in" in page) == low and ("The disk is nearly full" in page) == low


def test_calls_that_could_not_be_stored_are_told_and_had_as_a_file_by_admins(
    conn: psycopg.Connection, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    admin, ops = browser("admin"), browser("ops")
    assert "could not be stored" not in admin.get("/settings/storage/").content.decode()
    assert admin.get("/settings/storage/unstored/").status_code == 404
    spool = Spool(tmp_path / "spool")
    spool.set_aside(b"{half", "This is no row: it ends early")
    spool.set_aside(b'{"prompt": "who"}', "invalid <byte> sequence\nCONTEXT: COPY")
    page = admin.get("/settings/storage/").content.decode()
    assert "2 calls of the gateway could not be stored" in page and "invalid &lt;byte&gt; sequence" in page
    assert "CONTEXT" not in page and str(tmp_path) in page
    file = admin.get("/settings/storage/unstored/")
    lines = b"".join(file.streaming_content).splitlines()  # type: ignore[attr-defined]  # it is a file
    assert [msgspec.json.decode(one)["line"] for one in lines] == ["{half", '{"prompt": "who"}']
    assert "attachment" in file["Content-Disposition"]
    told = ops.get("/settings/storage/").content.decode()
    assert "2 calls of the gateway" in told and "unstored/" not in told and str(tmp_path) not in told
    assert ops.get("/settings/storage/unstored/").status_code == 403


@pytest.mark.parametrize("line", [b"no JSON", b"[]", b'{"reason": 5}', b'{"reason": null}', b'{"reason": "\\n"}'])
def test_a_line_without_a_reason_is_counted_all_the_same(settings: Any, tmp_path: Path, line: bytes) -> None:
    settings.DATA_DIR = tmp_path
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "set-aside.jsonl").write_bytes(line + b"\n")
    found = set_aside.set_aside()
    assert found is not None and found.calls == 1
