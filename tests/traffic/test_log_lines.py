"""What traffic writes to the log: one line for each event, with ids and counts, without what people wrote."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.utils import timezone

from providers.models import TokenPrice
from tests.traffic.people import application
from tests.traffic.test_reprice import BEFORE, NEXT, dearer
from tests.traffic.test_store import row
from traffic.applications.services import revoke_key
from traffic.authentication.keys import create_key
from traffic.gateway import aside
from traffic.gateway.shutdown import Shutdown
from traffic.imports import services as imports
from traffic.imports.files import folder
from traffic.imports.run import work as work_import
from traffic.ingest import store_status
from traffic.ingest.pipeline import clear_cache
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application
from traffic.privacy import erasure, retention
from traffic.repricing.services import RepricingScope, plan, start, work

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
    assert lines(caplog, "batch_refused") == ["INFO batch_refused way=otlp_traces status=401 bytes=2"]
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
    assert lines(caplog, "gateway_stopping") == ["INFO gateway_stopping calls=0 grace_s=2.000"]
    assert lines(caplog, "gateway_calls_cut") == []
