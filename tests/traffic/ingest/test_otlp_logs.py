"""Logs and metrics: read where they tell what spans do not, otherwise counted where a developer sees it."""

from __future__ import annotations

from datetime import timedelta

import psycopg
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from tests.traffic.otlp_exports import CLASSES, TRACE, USAGE, body, key, ns, rows, send, span
from tests.traffic.otlp_logs import DETAILS, RESPONSE, logs, post, record
from tests.traffic.request_rows import assert_rollups_exact
from traffic.ingest.dropped_signals import dropped_since
from traffic.models import Application, Unread

__all__ = ["key"]  # the fixture

CLAUDE_CODE = {
    "event.name": "api_request", "session.id": "s1", "event.sequence": 7, "model": "claude-opus-5-5",
    "duration_ms": "1500", "input_tokens": "12", "output_tokens": "40", "cache_read_tokens": "900",
    "cache_creation_tokens": "100", "user.id": "u",
}  # fmt: skip


def test_an_inference_event_and_its_span_are_one_request_in_either_order(key: str, conn: psycopg.Connection) -> None:
    told = record({**USAGE, **RESPONSE}, eventName=DETAILS, traceId=TRACE, spanId=f"{1:016x}")
    bare = {name: item for name, item in USAGE.items() if ".usage." not in name}
    alone = body(span(1, attributes={**bare, **RESPONSE}))
    columns = f"latency_ms, {CLASSES}, extract(epoch FROM started_at)::bigint"
    expected = [(1200.0, 300, 600, 100, 0, 50, ns() // 10**9)]
    assert post(key, "/v1/logs", logs(told)).json() == {}
    assert rows(conn, CLASSES) == [(300, 600, 100, 0, 50)]
    for _ in range(2):
        send(key, alone)
        post(key, "/v1/logs", logs(told))
        assert rows(conn, columns) == expected
        assert_rollups_exact(conn)


def test_claude_codes_records_are_requests_unless_spans_tell_them(key: str, conn: psycopg.Connection) -> None:
    traced = record({**CLAUDE_CODE, "event.sequence": 8}, traceId=TRACE, spanId=f"{5:016x}")
    failed = {"event.name": "api_error", "session.id": "s1", "event.sequence": 9, "model": "m", "status_code": "529"}
    said = {"body": {"stringValue": "claude_code.api_request"}}
    batch = logs(
        record(CLAUDE_CODE, **said), {**traced, **said}, record(failed, body={"stringValue": "claude_code.api_error"})
    )
    for _ in range(2):
        assert post(key, "/v1/logs", batch).json() == {}
    found = conn.execute(
        f"SELECT latency_ms, provider, outcome, http_status, {CLASSES} FROM traffic_request ORDER BY 3"
    )
    assert found.fetchall() == [
        (None, "anthropic", "error", 529, None, None, None, None, None),
        (1500.0, "anthropic", "ok", None, 12, 900, 100, 0, 40),
    ]
    assert_rollups_exact(conn)


def test_what_is_not_read_is_counted_on_the_page_of_applications(key: str, conn: psycopg.Connection) -> None:
    send(key, body(span(1), span(2, attributes={"http.method": "GET"}), span(3, startTimeUnixNano="1")))
    asked = record({}, eventName="gen_ai.user.message", traceId=TRACE, spanId=f"{1:016x}")
    post(key, "/v1/logs", logs(record({"event.name": "user_prompt"}), record({**USAGE}, eventName=DETAILS), asked))
    post(key, "/v1/metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a"}] * 3}]}]})
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "hello"
    answer = post(key, "/v1/logs", request.SerializeToString(), "application/x-protobuf")
    assert (answer.status_code, ExportLogsServiceResponse.FromString(answer.content).ByteSize()) == (200, 0)
    shop = Application.objects.get(slug="shop")
    assert list(Unread.objects.order_by("signal").values_list("application", "signal", "unread", "rejected")) == [
        (shop.pk, "logs", 4, 0), (shop.pk, "metrics", 3, 0), (shop.pk, "traces", 1, 1),
    ]  # fmt: skip
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get("/settings/applications/").content.decode()
    assert "Other telemetry" in page and "without their texts" in page
    assert "ahead of our clock" in page


def test_the_last_reason_is_the_newest_and_not_the_last_of_the_alphabet(db: None) -> None:
    today = timezone.now().date()
    for days, reason in ((0, ""), (1, "a newer one"), (2, "z older one")):
        Unread.objects.create(day=today - timedelta(days=days), signal="logs", unread=1, rejected=1, reason=reason)
    (row,) = dropped_since(today - timedelta(days=3))
    assert (row["n"], row["refused"], row["why"]) == (3, 3, "a newer one")
    assert dropped_since(today)[0]["why"] == ""


def test_an_export_of_the_wrong_signal_or_none_is_answered_by_the_protocol(key: str) -> None:
    for path in ("/v1/metrics", "/v1/logs"):
        assert post(key, path, b"\xff\xff", "application/x-protobuf").status_code == 400
        assert post(key, path, b"{").status_code == 400
        assert post("wrong", path, {}).status_code == 401
        assert post(key, path, {}).json() == {}
