"""What traffic writes to the log: one line for each event, with ids and counts, without what people wrote."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.utils import timezone

from lib.repeated_events import repeated
from providers.models import TokenPrice
from tests.factories import DeploymentFactory
from tests.traffic.people import application
from tests.traffic.priced_rows import BEFORE, NEXT, dearer
from tests.traffic.request_rows import row
from traffic.applications.services import revoke_key
from traffic.authentication.keys import KeyCache, TooManyUnknown, create_key
from traffic.authentication.limits import UnknownKeys
from traffic.gateway import aside, passing, relay
from traffic.gateway.answers import Answer
from traffic.gateway.app import Gateway
from traffic.gateway.bounds import TooMuch
from traffic.gateway.environment import Settings
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.routes import Decision, Target
from traffic.gateway.shadow import Shadows
from traffic.gateway.shutdown import Shutdown
from traffic.gateway.snapshot import Snapshots
from traffic.imports import services as imports
from traffic.imports.files import folder
from traffic.imports.run import work as work_import
from traffic.ingest import store_status
from traffic.ingest.context import clear_cache
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application, Route, RouteUse
from traffic.privacy import erasure, retention
from traffic.repricing.services import RepricingScope, plan, start, work
from traffic.routes.services import return_canaries

SECRET = "MARKER-of-what-a-person-wrote"


@pytest.fixture(autouse=True)
def log_of_traffic(caplog: pytest.LogCaptureFixture, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = str(tmp_path)
    caplog.set_level(logging.INFO, logger="traffic")


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    """Level and text of the lines of an event."""
    return [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if record.__dict__.get("event") == event
    ]


def secret_of_key(shop: Application | None) -> str:
    clear_cache()
    return create_key(name="sdk", scopes=["ingest"], application=shop)[1]


@pytest.mark.parametrize(
    ("path", "content_type", "way"),
    [
        ("/v1/traces", "application/json", "otlp_traces"),
        ("/v1/logs", "application/json", "otlp_logs"),
        ("/ingest/litellm", "application/json", "litellm"),
        ("/api/v1/requests", "application/json", "native"),
    ],
)
def test_refused_batch_is_a_warning_without_what_was_sent(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture, path: str, content_type: str, way: str
) -> None:
    body = "{" + SECRET
    key = secret_of_key(application("shop"))
    response = Client().post(path, body, content_type=content_type, headers={"Authorization": f"Bearer {key}"})
    assert response.status_code == 400
    (line,) = lines(caplog, "batch_refused")
    assert line.startswith(f"WARNING batch_refused way={way} status=400 application=shop key_id=")
    assert f"bytes={len(body)}" in line
    assert SECRET not in caplog.text and key not in caplog.text


def test_unknown_key_is_no_warning(conn: psycopg.Connection, caplog: pytest.LogCaptureFixture) -> None:
    Client().post("/v1/traces", "{}", content_type="application/json", headers={"Authorization": "Bearer bk_nobody"})
    assert lines(caplog, "batch_refused") == ["INFO batch_refused way=otlp_traces status=401 address=127.0.0.1 bytes=2"]
    assert "bk_nobody" not in caplog.text


def test_row_that_the_database_refuses_is_a_warning(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_batch: Any) -> None:
        raise DataError(SECRET)

    monkeypatch.setattr("traffic.ingest.pipeline.take_in", refuse)
    sent = {"started_at": timezone.now().isoformat(), "provider": "anthropic", "model": "m"}
    response = Client().post(
        "/api/v1/requests", json.dumps({"requests": [sent]}), content_type="application/json",
        headers={"Authorization": f"Bearer {secret_of_key(application('shop'))}"},
    )  # fmt: skip
    assert len(response.json()["rejected"]) == 1
    assert lines(caplog, "rows_refused") == ["WARNING rows_refused rows=1 batch_rows=1"]
    assert SECRET not in caplog.text


def test_database_that_goes_away_is_told_once_and_its_return_too(caplog: pytest.LogCaptureFixture) -> None:
    store_status.stored()
    caplog.clear()
    for _ in range(3):
        store_status.failed(OperationalError("gone"))
    assert lines(caplog, "ingest_stopped") == ["WARNING ingest_stopped reason=database_away error=OperationalError"]
    store_status.stored()
    store_status.stored()
    assert lines(caplog, "ingest_recovered") == ["INFO ingest_recovered"]


def test_repricing_says_what_it_changed(
    conn: psycopg.Connection, price: TokenPrice, caplog: pytest.LogCaptureFixture
) -> None:
    ingest(conn, [row(1), row(2)], PricingContext.load(conn))
    dearer(price)
    repricing = plan(scope=RepricingScope(BEFORE, NEXT, why=SECRET), person=None)
    while work(repricing.pk):
        pass
    repricing.refresh_from_db()
    start(repricing=repricing)
    while work(repricing.pk):
        pass
    assert [line.split(" since=")[0] for line in lines(caplog, "repricing_state_changed")] == [
        f"INFO repricing_state_changed repricing_id={repricing.pk} state={state}"
        for state in ("previewed", "running", "done")
    ]
    assert lines(caplog, "repricing_finished")[-1] == (
        f"INFO repricing_finished repricing_id={repricing.pk} state=done read=2 changed=2 restored=0"
    )
    assert SECRET not in caplog.text


def test_import_says_when_it_was_brought_started_and_read(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder() / "upload"
    path.write_text(
        f"started_at,provider,model,prompt\n2026-11-20T10:00:00Z,anthropic,m,{SECRET}\nno time,x,y,{SECRET}\n"
    )
    imported, _new = imports.bring_in(path=path, name=f"{SECRET}.csv", size=path.stat().st_size, sha256="0" * 64)
    imports.start(imported=imported)
    while work_import(imported.pk):
        pass
    uploaded, changed, finished = (
        lines(caplog, event) for event in ("import_uploaded", "import_state_changed", "import_finished")
    )
    assert len(uploaded) == 1 and uploaded[0].startswith(f"INFO import_uploaded import_id={imported.pk} format=generic")
    assert changed == [f"INFO import_state_changed import_id={imported.pk} state=running format=generic"]
    assert len(finished) == 1 and finished[0].endswith("rejected=1")
    assert SECRET not in caplog.text


def test_erasure_and_retention_say_how_much_went(conn: psycopg.Connection, caplog: pytest.LogCaptureFixture) -> None:
    shop = application("shop")
    old = timezone.now() - timedelta(days=900)
    ingest(conn, [row(1, application_id=shop.pk), row(2, started_at=old)], PricingContext.load(conn))
    asked = erasure.ask(application=shop)
    erasure.work(asked.pk, now=timezone.now() + timedelta(minutes=5))
    assert lines(caplog, "erasure_started") == [
        f"INFO erasure_started erasure_id={asked.pk} kind=application requests=1"
    ]
    assert lines(caplog, "erasure_finished") == [
        f"INFO erasure_finished erasure_id={asked.pk} kind=application requests=1"
    ]
    retention.apply_retention(timezone.now().date())
    dropped = lines(caplog, "partitions_dropped")
    assert f"INFO partitions_dropped table=traffic_request partitions=1 until={old.date()}" in dropped


def test_keys_are_named_by_their_ids(conn: psycopg.Connection, caplog: pytest.LogCaptureFixture) -> None:
    shop = application("shop")
    key, secret = create_key(name=SECRET, scopes=["ingest"], application=shop)
    assert revoke_key(key.pk, now=timezone.now())
    assert not revoke_key(key.pk, now=timezone.now())
    assert lines(caplog, "key_made") == [f"INFO key_made key_id={key.pk} application_id={shop.pk}"]
    assert lines(caplog, "key_revoked") == [f"INFO key_revoked key_id={key.pk}"]
    assert secret not in caplog.text and SECRET not in caplog.text


def test_call_that_cannot_be_stored_is_an_error_without_the_call(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    aside.set_aside(tmp_path / aside.SET_ASIDE, SECRET.encode(), f"not valid: {SECRET}")
    (line,) = lines(caplog, "call_set_aside")
    assert line.startswith("ERROR call_set_aside file=") and line.endswith(f"bytes={len(SECRET)}")
    assert SECRET not in caplog.text


def test_end_of_the_gateway_counts_the_calls_under_way(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("traffic.gateway.shutdown.os.kill", lambda pid, number: None)
    asyncio.run(Shutdown(grace_s=2.0, send_timeout_s=1.0)._drain())
    assert lines(caplog, "gateway_stopping") == ["INFO gateway_stopping calls=0 grace_s=2.000 handed_over=false"]


def test_call_that_is_not_copied_for_want_of_a_price_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    target = Target(1, "claude", "anthropic", "anthropic", "http://claude", "claude-test")
    request = read_request(OPENAI, b'{"model": "m", "max_tokens": 5, "messages": []}')
    decision = Decision("all", (target,), shadow=target)
    exchange: Any = SimpleNamespace(request=request, decision=decision, target=target)
    run: Any = None
    asyncio.run(Shadows(run, "", lambda: None)._try(exchange))
    assert lines(caplog, "shadow_not_sent") == ["WARNING shadow_not_sent error=no_price_or_bound deployment=claude"]


def test_canary_that_passed_its_bound_is_a_warning(conn: psycopg.Connection, caplog: pytest.LogCaptureFixture) -> None:
    deployments = [DeploymentFactory.create(slug=slug) for slug in ("own", "next")]
    route = Route.objects.create(order=1, slug="all", name=SECRET, deployment=deployments[0], canary=deployments[1])
    RouteUse.objects.create(route=route, calls=20, failures=9)
    return_canaries(timezone.now())
    assert lines(caplog, "canary_returned") == [
        "WARNING canary_returned route=all reason=errors calls=20 failures=9 streams=0 slow=0"
    ]
    assert lines(caplog, "gateway_calls_cut") == []


def test_refused_calls_of_the_gateway_are_a_line_and_then_their_number(caplog: pytest.LogCaptureFixture) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "GET", "path": f"/{SECRET}", "headers": [], "client": ("203.0.113.7", 1)}
    gateway = Gateway()
    gateway.shutdown = Shutdown(grace_s=2.0, send_timeout_s=1.0)
    for _n in range(300):
        asyncio.run(gateway(scope, receive, send))
    repeated.flush(everything=True)
    assert lines(caplog, "call_refused") == [
        "INFO call_refused status=404 reason=no-such-path address=203.0.113.7",
        "INFO call_refused status=404 reason=no-such-path address=203.0.113.7 count=299 s=0",
    ]
    assert SECRET not in caplog.text


def test_batches_refused_to_one_key_are_a_line_and_then_their_number(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    key = secret_of_key(application("shop"))
    for _n in range(20):
        Client().post("/v1/traces", "{", content_type="application/json", headers={"Authorization": f"Bearer {key}"})
    repeated.flush(everything=True)
    first, summed = lines(caplog, "batch_refused")
    assert first.endswith(" bytes=1") and " count=19 " in summed


def test_address_that_guesses_keys_is_told_once_in_ten_seconds(
    db: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = KeyCache()
    monkeypatch.setattr(cache, "_guesses", UnknownKeys(lambda: 1_000.0))
    refused = 0
    for number in range(UnknownKeys.AT_ONCE + 20):
        try:
            cache.find(f"bk_{number}", "203.0.113.7")
        except TooManyUnknown:
            refused += 1
    assert refused == 20
    assert lines(caplog, "unknown_keys_limited") == ["WARNING unknown_keys_limited address=203.0.113.7"]


def test_partitions_of_the_days_ahead_are_counted(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "make_partitions", lambda *_arguments: 2)
    today = timezone.now().date()
    made = retention.make_days_ahead(today)
    until = today + timedelta(days=retention.AHEAD)
    assert lines(caplog, "partitions_made") == [f"INFO partitions_made partitions={made} until={until}"]


def test_record_of_an_import_that_cannot_be_read_is_counted_by_its_import(
    conn: psycopg.Connection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any) -> None:
        raise OverflowError(SECRET)

    monkeypatch.setattr("traffic.imports.translate.Translator.request", fail)
    path = folder() / "upload"
    path.write_text("started_at,provider,model\n" + "2026-11-20T10:00:00Z,anthropic,m\n" * 3)
    imported, _new = imports.bring_in(path=path, name="a.csv", size=path.stat().st_size, sha256="0" * 64)
    imports.start(imported=imported)
    while work_import(imported.pk):
        pass
    (line,) = lines(caplog, "import_record_unreadable")
    assert line.startswith(f"WARNING import_record_unreadable import_id={imported.pk} error=OverflowError line=")
    assert SECRET not in caplog.text


def test_gateway_writes_its_start_and_its_stop(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    settings = Settings("host=127.0.0.1 port=1 connect_timeout=1", tmp_path, 1.0, 1.0)

    async def scene() -> None:
        gateway = Gateway()
        gateway.start(settings)
        await gateway.stop()

    asyncio.run(scene())
    assert len(lines(caplog, "gateway_started")) == len(lines(caplog, "gateway_stopped")) == 1


def test_signal_that_the_gateway_cannot_take_over_is_a_warning(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        def refuse(*_arguments: Any) -> None:
            raise RuntimeError

        monkeypatch.setattr(asyncio.get_running_loop(), "add_signal_handler", refuse)
        shutdown = Shutdown(grace_s=1.0, send_timeout_s=1.0)
        shutdown.start()
        await shutdown.cut()

    asyncio.run(scene())
    assert lines(caplog, "gateway_signal_not_handled") == ["WARNING gateway_signal_not_handled signal=SIGTERM"]


def test_keys_that_cannot_be_read_are_told_once_and_so_is_their_return(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> Any:
        raise psycopg.OperationalError(f"no answer\n{SECRET}")

    seen = Snapshots("", str)
    monkeypatch.setattr(seen, "_connected", refuse)
    for _n in range(3):
        seen._try_to_read()
    monkeypatch.setattr(seen, "_connected", lambda: None)
    monkeypatch.setattr(seen, "_note_use", lambda conn: None)
    monkeypatch.setattr("traffic.gateway.snapshot.read_snapshot", lambda conn, keys: None)
    for _n in range(2):
        seen._try_to_read()
    assert lines(caplog, "snapshot_failed") == ['ERROR snapshot_failed error="no answer"']
    assert lines(caplog, "snapshot_recovered") == ["INFO snapshot_recovered"]
    assert SECRET not in caplog.text


def test_answers_of_an_engine_that_cannot_be_read_are_errors_and_counted_by_their_kind(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: Any, **_more: Any) -> Any:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(passing, "read_answer", fail)
    exchange: Any = SimpleNamespace(
        target=SimpleNamespace(slug="qwen"), external_id="gw-1", request=SimpleNamespace(protocol=OPENAI),
        keep_bodies=False, spoken=OPENAI,
    )  # fmt: skip
    tap: Any = SimpleNamespace(feed=fail, finish=fail, answer=Answer())
    for _n in range(3):
        relay._broken(exchange, TooMuch("It is too long."))
        assert passing.read_whole(exchange, b"{").unread
        passing.listener_of(tap, None)(b"data")
        assert passing.finished(tap).unread
    assert lines(caplog, "stream_cut_off") == ['ERROR stream_cut_off deployment=qwen call=gw-1 error="It is too long."']
    assert lines(caplog, "answer_unreadable") == ["ERROR answer_unreadable error=ZeroDivisionError call=gw-1"]
    assert lines(caplog, "stream_unreadable") == [
        f"ERROR stream_unreadable at={at} error=ZeroDivisionError" for at in ("chunk", "end")
    ]
    assert SECRET not in caplog.text
