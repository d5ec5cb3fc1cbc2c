"""Prompts and answers that come as log records: bodies of the requests they belong to, in any order, or nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.database import conninfo
from tests.traffic.otlp_exports import TRACE, USAGE, body, key, ns, send, span
from tests.traffic.otlp_logs import DETAILS, logs, post, record
from tests.traffic.request_rows import assert_rollups_exact
from traffic.authentication.keys import callers, create_key
from traffic.ingest import late_texts
from traffic.ingest.context import clear_cache
from traffic.ingest.otlp.spans import Span
from traffic.ingest.otlp.texts import MOST_RECORDS, BodyPart, body_of, body_part_of
from traffic.models import Application, Erasure, RequestBody, Unread, WaitingText

__all__ = ["key"]  # the fixture

NOW = timezone.now()
ASKED = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What does a lamp say?"}]
SAID = "It hums."


@pytest.fixture
def shop(key: str) -> str:
    """The key of an application that keeps prompts and answers."""
    Application.objects.filter(slug="shop").update(capture_bodies=True)
    clear_cache()
    callers.clear()
    return key


def kvlist(**given: Any) -> dict[str, Any]:
    values = [
        {"key": name, "value": kvlist(**item)["body"] if isinstance(item, dict) else {"stringValue": item}}
        for name, item in given.items()
    ]
    return {"body": {"kvlistValue": {"values": values}}}


def told(name: str, at: float, of: int = 1, **given: Any) -> dict[str, Any]:
    """A record of the older kind: an event with a message as its body."""
    ids = {"traceId": TRACE, "spanId": f"{of:016x}"}
    return record({}, eventName=name, **ids, timeUnixNano=str(ns(at)), **kvlist(**given))


def odd_pairs(values: Any) -> Any:
    """Attributes of a record by names that are read."""
    names = ["content", "message", "role", "gen_ai.input.messages", "gen_ai.prompt", "gen_ai.completion", "event.name"]
    return st.lists(st.fixed_dictionaries({"key": st.sampled_from(names), "value": values}), max_size=4)


def conversation(of: int = 1) -> list[dict[str, Any]]:
    said = {"role": "assistant", "content": SAID}
    return [
        told("gen_ai.system.message", 0.1, of, content="Be brief."),
        told("gen_ai.user.message", 0.2, of, content="What does a lamp say?"),
        told("gen_ai.choice", 1.1, of, finish_reason="stop", message=said),
    ]


def bodies() -> list[tuple[Any, str | None]]:
    return [(json.loads(one.prompt or "null"), one.answer) for one in RequestBody.objects.order_by("request_id")]


def later(**given: float) -> int:
    """What the clock does after so long."""
    return late_texts.attach_due(timezone.now() + timedelta(**given))


def test_texts_become_the_body_of_their_call_whichever_comes_first(shop: str, conn: psycopg.Connection) -> None:
    post(shop, "/v1/logs", logs(*conversation(1)))
    assert (bodies(), WaitingText.objects.count()) == ([], 3)
    send(shop, body(span(1), span(2)))
    assert later(seconds=10) == 1
    post(shop, "/v1/logs", logs(*conversation(2)))
    assert bodies() == [(ASKED, SAID)] * 2
    for _ in range(2):
        post(shop, "/v1/logs", logs(*conversation(1), *conversation(2)))
        assert (later(minutes=5), bodies(), WaitingText.objects.count()) == (0, [(ASKED, SAID)] * 2, 6)
    assert later(hours=2) == 0 and not WaitingText.objects.exists()
    post(shop, "/v1/logs", logs(*conversation(1)))
    assert bodies() == [(ASKED, SAID)] * 2
    assert not Unread.objects.exists()
    assert_rollups_exact(conn)


@pytest.mark.parametrize("seed", range(8))
def test_however_exports_cut_reorder_and_repeat_them_the_body_is_the_same(seed: int, shop: str) -> None:
    chance = random.Random(seed)
    records = [*conversation(1), *conversation(2), *conversation(3)]
    parts = [chance.sample(records, chance.randint(1, 5)) for _ in range(4)]
    sent = [*parts, [one for one in records if not any(one in part for part in parts)] or records[:1]]
    steps: list[Any] = [*((post, "/v1/logs", logs(*part)) for part in sent), (send, body(span(1), span(2), span(3)))]
    chance.shuffle(steps)
    for step, *what in [*steps, chance.choice(steps)]:
        assert step(shop, *what).status_code == 200
        if chance.random() < 0.3:
            later(seconds=chance.randint(1, 60))
    later(minutes=30)
    assert bodies() == [(ASKED, SAID)] * 3


def test_they_are_redacted_before_they_are_stored_as_a_spans_texts_are(shop: str) -> None:
    secret = "Write to ann@example.com, card 4111 1111 1111 1111, ticket T-4711."
    Application.objects.filter(slug="shop").update(redact_patterns=["T-[0-9]{1,9}"])
    clear_cache()
    answer = {"role": "assistant", "content": f"Done: {secret}"}
    events = [
        {"name": name, "timeUnixNano": str(ns(at)), "attributes": record(given)["attributes"]}
        for name, at, given in (
            ("gen_ai.user.message", 0.1, {"content": secret}),
            ("gen_ai.choice", 1.1, {"message": json.dumps(answer)}),
        )
    ]
    post(
        shop,
        "/v1/logs",
        logs(told("gen_ai.user.message", 0.1, 2, content=secret), told("gen_ai.choice", 1.1, 2, message=answer)),
    )
    waiting = list(WaitingText.objects.values_list("prompt", "answer"))
    assert len(waiting) == 2 and not any(word in str(waiting) for word in ("ann@", "4111", "T-4711"))
    send(shop, body(span(1, events=events), span(2)))
    later(seconds=10)
    assert len(bodies()) == 2 and bodies()[0] == bodies()[1]
    assert "[redacted]" in str(bodies()) and "[e-mail]" in str(bodies())


def test_an_inference_event_without_an_id_gives_its_texts_to_its_span(shop: str) -> None:
    """As of a call that failed: no answer, and no id that would make a request of the event."""
    parts = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "What does a lamp say?"}]}])
    whole = record({**USAGE, "gen_ai.input.messages": parts}, eventName=DETAILS, traceId=TRACE, spanId=f"{1:016x}")
    send(shop, body(span(1, status={"code": 2})))
    post(shop, "/v1/logs", logs(whole))
    assert bodies() == [(ASKED[1:], None)]


def test_where_nothing_is_kept_texts_are_counted_and_dropped_and_the_page_says_so(
    key: str, conn: psycopg.Connection
) -> None:
    request = ExportLogsServiceRequest()
    one = request.resource_logs.add().scope_logs.add().log_records.add(event_name="gen_ai.user.message")
    one.trace_id, one.span_id, one.time_unix_nano = bytes.fromhex(TRACE), b"\0" * 7 + b"\1", ns(0.1)
    one.body.kvlist_value.values.add(key="content").value.string_value = "What does a lamp say?"
    post(key, "/v1/logs", request.SerializeToString(), "application/x-protobuf")
    post(key, "/v1/logs", logs(*conversation(), told("gen_ai.user.message", 0.1)))
    send(key, body(span(1)))
    later(seconds=10)
    assert not RequestBody.objects.exists() and not WaitingText.objects.exists()
    found = Unread.objects.order_by("signal").values_list("signal", "unread", "reason")
    assert list(found) == [("logs", 1, ""), ("texts", 4, late_texts.NOT_KEPT)]
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get("/settings/applications/").content.decode()
    assert "texts in log records" in page and late_texts.NOT_KEPT in page


def test_a_text_whose_call_never_comes_is_gone_after_an_hour_and_counted(shop: str) -> None:
    post(shop, "/v1/logs", logs(*conversation()))
    assert later(minutes=59) == 0 and WaitingText.objects.count() == 3
    assert later(minutes=61) == 0 and not WaitingText.objects.exists()
    assert Unread.objects.values_list("signal", "unread", "reason").get() == ("texts", 3, late_texts.NO_CALL)


def test_a_call_is_looked_for_ever_more_seldom(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = late_texts.attach_once

    def looked(*given: Any) -> int:
        looks.append(given)
        return real(*given)

    monkeypatch.setattr(late_texts, "attach_once", looked)
    post(shop, "/v1/logs", logs(*conversation()))
    since = timezone.now()
    for seconds in range(0, 3_500, 10):
        late_texts.attach_due(since + timedelta(seconds=seconds))
    assert 8 <= len(looks) <= 14


def test_texts_of_an_application_that_stops_keeping_them_go_at_once(shop: str) -> None:
    post(shop, "/v1/logs", logs(*conversation()))
    Application.objects.update(capture_bodies=False)
    later(seconds=10)
    assert not WaitingText.objects.exists()


def test_texts_of_a_span_that_was_found_to_be_one_call_with_another_reach_it(
    shop: str, conn: psycopg.Connection
) -> None:
    send(shop, body(span(2, parent=1)))
    send(shop, body(span(1)))
    assert conn.execute("SELECT count(*) FROM traffic_request").fetchone() == (1,)
    post(shop, "/v1/logs", logs(*conversation(2)))
    assert bodies() == [(ASKED, SAID)]


def test_what_a_span_said_itself_is_not_written_over(shop: str) -> None:
    attributes = {**USAGE, "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "Hello"}
    send(shop, body(span(1, attributes=attributes)))
    post(shop, "/v1/logs", logs(*conversation()))
    assert bodies() == [([{"role": "user", "content": "Hello"}], SAID)]


def test_a_request_that_was_deleted_on_request_gets_no_body_any_more(shop: str, conn: psycopg.Connection) -> None:
    send(shop, body(span(1)))
    conn.execute("UPDATE traffic_request SET external_id = ''")
    post(shop, "/v1/logs", logs(*conversation()))
    later(minutes=10)
    assert bodies() == []


def test_a_body_that_is_made_while_its_request_is_deleted_waits_and_is_not_written(
    shop: str, conn: psycopg.Connection
) -> None:
    send(shop, body(span(1)))

    def attach() -> None:
        post(shop, "/v1/logs", logs(*conversation()))
        connection.close()

    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(conninfo()) as deleting:
        deleting.execute("SELECT id FROM traffic_request FOR UPDATE")
        deleting.execute("UPDATE traffic_request SET external_id = ''")
        at_work = pool.submit(attach)
        while conn.execute(waiting).fetchone() == (0,):
            assert not at_work.done(), "it did not wait"
        deleting.commit()
        at_work.result()
    assert bodies() == []


def test_deleting_an_application_takes_what_waits_with_it(shop: str) -> None:
    post(shop, "/v1/logs", logs(*conversation()))
    found = Application.objects.get(slug="shop")
    Erasure.objects.create(kind="application", name="shop", application_id=found.pk, expected=0, created_at=NOW)
    clear_cache()
    post(shop, "/v1/logs", logs(*conversation(2)))
    assert WaitingText.objects.count() == 3, "what comes after the wish is not stored"
    found.delete()
    assert not WaitingText.objects.exists()


# --- at once ---


def test_exporters_that_send_parts_of_one_call_at_once_lose_and_double_nothing(shop: str) -> None:
    calls = range(1, 9)
    parts = [logs(*(conversation(of)[part] for of in calls)) for part in range(3)]
    jobs: list[Callable[[], Any]] = [lambda part=part: post(shop, "/v1/logs", part) for part in parts * 3]  # type: ignore[misc]
    jobs += [lambda: send(shop, body(*(span(of) for of in calls)))] * 2 + [lambda: later(seconds=10)] * 3

    def done(job: Callable[[], Any]) -> None:
        job()
        connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(done, random.Random(5).sample(jobs, len(jobs))))
    later(minutes=30)
    assert bodies() == [(ASKED, SAID)] * 8
    assert WaitingText.objects.count() == 24


def test_with_a_collectors_key_the_service_names_the_application(shop: str) -> None:
    collector = create_key(name="collector", scopes=["ingest"])[1]
    for service in ("shop", "unheard-of"):
        sent: dict[str, Any] = logs(*conversation())
        sent["resourceLogs"][0]["resource"] = {"attributes": record({"service.name": service})["attributes"]}
        post(collector, "/v1/logs", sent)
    post(collector, "/v1/traces", body(span(1), service="shop"))
    later(seconds=10)
    assert bodies() == [(ASKED, SAID)]
    assert Unread.objects.filter(application=None).values_list("signal", "unread").get() == ("texts", 3)


# --- from no honest emitter ---

TIMES = ("0", "1", str(2**63 - 1), str(2**63), str(2**64 - 1), str(ns(0.1)), str(ns(0.2)))
odd_values = st.recursive(
    st.one_of(
        st.fixed_dictionaries(
            {"stringValue": st.text(max_size=40) | st.sampled_from(['[{"role": 1}]', "[" * 300, "\0"])}
        ),
        st.fixed_dictionaries({"intValue": st.integers(-(2**63), 2**63 - 1).map(str)}),
        st.fixed_dictionaries({"boolValue": st.booleans()}),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda found: {"arrayValue": {"values": found}}),
        odd_pairs(inner).map(lambda found: {"kvlistValue": {"values": found}}),
    ),
    max_leaves=6,
)
odd_records = st.fixed_dictionaries(
    {
        "eventName": st.sampled_from(["gen_ai.user.message", "gen_ai.choice", "gen_ai.content.prompt", DETAILS]),
        "traceId": st.just(TRACE), "spanId": st.sampled_from([f"{1:016x}", f"{2:016x}"]),
        "timeUnixNano": st.sampled_from(TIMES),
        "body": odd_pairs(odd_values).map(lambda found: {"kvlistValue": {"values": found}}) | odd_values,
        "attributes": odd_pairs(odd_values),
    }
)  # fmt: skip


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(records=st.lists(odd_records, max_size=6))
def test_records_of_any_shape_are_stored_or_counted_and_never_an_error(shop: str, records: list[Any]) -> None:
    assert post(shop, "/v1/logs", logs(*records)).status_code == 200
    assert send(shop, body(span(1), span(2))).status_code == 200
    later(seconds=10)
    assert not WaitingText.objects.filter(due_at=None).exists() or RequestBody.objects.exists()
    for one in RequestBody.objects.all():
        assert not any("\0" in found for found in (one.prompt, one.answer) if found)


# --- pure ---


def a_record(name: str = "gen_ai.user.message", **given: Any) -> Span:
    made: dict[str, Any] = {
        "trace_id": TRACE, "span_id": "1" * 16, "parent_id": "", "name": name, "scope": "", "start_ns": 1, "end_ns": 0,
        "status": 0, "attributes": {"content": "hi"}, "resource": {}, "is_log": True, **given,
    }  # fmt: skip
    return Span(**made)


@pytest.mark.parametrize(
    "record",
    [
        a_record(trace_id=""),
        a_record(span_id=""),
        a_record(start_ns=0),
        a_record(start_ns=2**63),
        a_record(attributes={}),
        a_record("gen_ai.developer.note"),
        a_record("gen_ai.choice", attributes={"finish_reason": "stop", "message": {"role": "assistant"}}),
        a_record(DETAILS, attributes=dict(USAGE)),
    ],
)
def test_a_record_without_a_text_or_a_call_says_nothing(record: Span) -> None:
    assert body_part_of(record) is None


def test_the_name_of_an_event_may_stand_in_an_attribute() -> None:
    found = body_part_of(a_record("", attributes={"event.name": "gen_ai.tool.message", "content": "42"}))
    assert found == BodyPart(f"{TRACE}:{'1' * 16}", 1, '[{"role": "tool", "content": "42"}]', None, whole=False)


def test_one_record_with_all_of_a_call_goes_before_pieces_and_a_body_has_a_bound() -> None:
    def said(prompt: str | None, answer: str | None = None, *, whole: bool = False) -> BodyPart:
        return BodyPart("c", 1, prompt, answer, whole)

    pieces = [said('[{"role": "user", "content": "a"}]'), said("b"), said(None, "x"), said(None, "y")]
    both = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    prompt, answer = body_of(pieces)
    assert (json.loads(prompt or ""), answer) == (both, "x\ny")
    assert body_of([*pieces, said("all", whole=True)]) == ("all", "x\ny")
    assert body_of([]) == (None, None)
    deep = "[" * 100_000
    assert json.loads(body_of([said(deep), said("b")])[0] or "")[0] == {"role": "user", "content": deep}
    long, _answer = body_of([said("z")] * (MOST_RECORDS + 5))
    assert len(json.loads(long or "")) == MOST_RECORDS
