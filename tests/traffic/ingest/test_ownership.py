"""A request belongs to its application: what one tells never lands in another's row, in whatever order they tell it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from datetime import timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.database import WRITTEN, conninfo
from tests.traffic.people import application, arrive, logged_in, person
from tests.traffic.request_rows import NOON, RESPONSE, assert_rollups_exact, row
from traffic.authentication.keys import callers, create_key
from traffic.ingest.batch import batch_of
from traffic.ingest.context import clear_cache
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.store import commit, ingest
from traffic.request_ids import user_hash

A, B = 7, 8
COLLECTOR = None
OWNERS = (A, B, COLLECTOR)
CALLS = 3


def report(owner: int | None, **given: Any) -> RequestRow:
    """What one of them tells, marked as its own wherever a person could be read in it."""
    values: dict[str, Any] = {
        "external_id": f"of {owner}",
        "application_id": owner,
        "response_id": RESPONSE,
        "user": f"user of {owner}",
        "prompt": f"asked of {owner}",
        "answer": f"said to {owner}",
    }
    return row(1, **{**values, **given})


def rows_in(conn: psycopg.Connection) -> list[Any]:
    return conn.execute(
        "SELECT r.application_id, r.user_hash, b.prompt, b.answer FROM traffic_request AS r"
        " LEFT JOIN traffic_request_body AS b ON b.day = r.day AND b.request_id = r.id ORDER BY 1, r.id"
    ).fetchall()


def assert_nothing_crossed(conn: psycopg.Connection, salt: bytes) -> None:
    for owner, user, prompt, answer in rows_in(conn):
        assert user in (None, user_hash(salt, f"user of {owner}")), owner
        assert prompt in (None, f"asked of {owner}"), owner
        assert answer in (None, f"said to {owner}"), owner
    strays = conn.execute(
        "SELECT count(*) FROM traffic_request_body AS b WHERE NOT EXISTS"
        " (SELECT FROM traffic_request AS r WHERE r.day = b.day AND r.id = b.request_id)"
    ).fetchone()
    assert strays == (0,)


def test_a_stranger_who_knows_a_response_id_writes_nothing_into_its_row(conn: psycopg.Connection, price: Any) -> None:
    installation = PricingContext.load(conn)
    streamed = report(A, tokens=None, user=None, prompt=None, answer=None)
    ingest(conn, [streamed], installation)
    result = ingest(conn, [report(B, tokens=Tokens(output=10**9), error_type="forged", http_status=500)], installation)
    assert (result.accepted, result.duplicates) == (1, 0)
    theirs = conn.execute(
        "SELECT output, cost, error_type, http_status, user_hash FROM traffic_request WHERE application_id = %s", [A]
    ).fetchall()
    assert theirs == [(None, None, None, None, None)]
    assert_nothing_crossed(conn, installation.salt)
    assert_rollups_exact(conn)


def test_who_claims_a_response_id_first_reads_nothing_of_its_owner(conn: psycopg.Connection, price: Any) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [report(B, prompt=None, answer=None)], installation)
    assert ingest(conn, [report(A)], installation).accepted == 1
    assert [(owner, prompt) for owner, _user, prompt, _answer in rows_in(conn)] == [(A, f"asked of {A}"), (B, None)]


@pytest.mark.parametrize("order", list(permutations(OWNERS)))
@pytest.mark.parametrize("together", [False, True])
def test_a_collectors_row_is_the_application_that_told_the_id_first(
    conn: psycopg.Connection, price: Any, order: Sequence[int | None], together: bool
) -> None:
    """Before it or after it: so where the collector comes in changes nothing."""
    installation = PricingContext.load(conn)
    telemetry: dict[str, Any] = {"tokens": Tokens(output=11), "route": "its"}
    sent = [report(owner, **(telemetry if owner is COLLECTOR else {"tokens": None})) for owner in order]
    if together:
        commit(conn, [batch_of([item], installation) for item in sent])
    else:
        for item in sent:
            ingest(conn, [item], installation)
    first = next(owner for owner in order if owner is not None)
    stored = conn.execute("SELECT application_id, output, route FROM traffic_request ORDER BY 1").fetchall()
    assert stored == [(owner, 11, "its") if owner == first else (owner, None, None) for owner in (A, B)]
    assert_nothing_crossed(conn, installation.salt)
    assert_rollups_exact(conn)
    for owner in reversed(order):  # and again, in another order
        assert ingest(conn, [report(owner)], installation).accepted == 0
    assert len(rows_in(conn)) == 2
    call_command("audit")


def test_of_two_that_want_a_collectors_row_in_one_batch_the_first_has_it(conn: psycopg.Connection, price: Any) -> None:
    """Though another row of the collector comes in before them both."""
    installation = PricingContext.load(conn)
    ingest(conn, [report(COLLECTOR)], installation)
    ingest(conn, [report(COLLECTOR, external_id="again"), report(A), report(B)], installation)
    assert [owner for owner, *_ in rows_in(conn)] == [A, B]
    assert_nothing_crossed(conn, installation.salt)


def test_ways_in_of_one_application_are_one_row_beside_anothers(conn: psycopg.Connection, price: Any) -> None:
    installation = PricingContext.load(conn)
    for owner in (A, B, A, B):
        for source in ("gateway", "otlp", "litellm", "native"):
            ingest(conn, [report(owner, source=source, external_id=source)], installation)
    assert [owner for owner, *_ in rows_in(conn)] == [A, B]
    assert_rollups_exact(conn)


def test_calls_near_midnight_are_found_beside_anothers(conn: psycopg.Connection, price: Any) -> None:
    installation = PricingContext.load(conn)
    midnight = NOON.replace(hour=0)
    for seconds in (-60, 60):
        for owner in (A, B):
            moment = midnight + timedelta(seconds=seconds)
            ingest(conn, [report(owner, started_at=moment, external_id=f"{owner} {seconds}")], installation)
    assert [owner for owner, *_ in rows_in(conn)] == [A, B]
    assert_rollups_exact(conn)


def test_spans_of_a_collector_join_no_call_of_another_application(conn: psycopg.Connection, price: Any) -> None:
    """Its outer span is one application's by response id, the inner one another's."""
    installation = PricingContext.load(conn)
    inner, outer = "msg_inner_of_the_two_spans", "msg_outer_of_the_two_spans"
    nobody: dict[str, Any] = {"source": "otlp", "user": None, "prompt": None, "answer": None}
    ingest(conn, [report(COLLECTOR, external_id="t:outer", response_id=outer, **nobody)], installation)
    ingest(conn, [report(A, response_id=outer), report(B, response_id=inner)], installation)
    child = report(COLLECTOR, external_id="t:inner", response_id=None, links=(("t:inner", "t:outer"),), **nobody)
    ingest(conn, [child], installation)
    child.response_id = inner
    ingest(conn, [child], installation)
    assert [owner for owner, *_ in rows_in(conn)] == [A, B]
    assert_nothing_crossed(conn, installation.salt)
    assert_rollups_exact(conn)


@st.composite
def reports(draw: st.DrawFn, always: bool = False) -> RequestRow:
    """What somebody tells of one of a few calls, under an id that others use too; sometimes with the vendor's id."""
    owner, call, way = draw(st.sampled_from(OWNERS)), draw(st.integers(0, CALLS - 1)), draw(st.sampled_from("xy"))
    identified = call % 2 == 0 if always else draw(st.booleans())
    texts = draw(st.booleans())
    return report(
        owner,
        external_id=f"{way}-{call}",
        started_at=NOON + timedelta(hours=call),
        response_id=f"msg_{call:030d}" if identified else None,
        tokens=draw(st.sampled_from([None, Tokens(1, 10, 0, 0, 7, 0)])),
        user=f"user of {owner}" if draw(st.booleans()) else None,
        prompt=f"asked of {owner}" if texts else None,
        answer=f"said to {owner}" if draw(st.booleans()) else None,
        outcome=draw(st.sampled_from(["ok", "error"])),
    )


def consistent(batches: list[list[RequestRow]]) -> list[list[RequestRow]]:
    """Who has once told the vendor's id of a call tells it again."""
    response_ids: dict[Any, str] = {}
    for item in (item for batch in batches for item in batch):
        name = (item.application_id, item.external_id)
        if item.response_id is not None:
            response_ids[name] = item.response_id
        item.response_id = response_ids.get(name)
    return batches


def calls_of(sent: Sequence[RequestRow]) -> dict[int | None, int]:
    """How many rows each must have: one for each call that it told of; a collector's is an application's, or alone."""
    response_ids = {(item.application_id, item.external_id): item.response_id for item in sent}  # the last is the most
    calls = {(owner, response_id or name) for (owner, name), response_id in response_ids.items()}
    owned = {call for owner, call in calls if owner is not None}
    calls = {
        (owner, call) for owner, call in calls if owner is not None or not call.startswith("msg") or call not in owned
    }
    return {owner: sum(of == owner for of, _call in calls) for owner in {of for of, _call in calls}}


def owners_in(conn: psycopg.Connection) -> dict[int | None, int]:
    return dict(conn.execute("SELECT application_id, count(*) FROM traffic_request GROUP BY 1").fetchall())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(reports(), max_size=8), max_size=6), grouped=st.integers(1, 6))
def test_in_any_order_each_application_has_its_own_rows(
    conn: psycopg.Connection, price: Any, batches: list[list[RequestRow]], grouped: int
) -> None:
    """However they are cut into batches, and whichever of these are written together."""
    conn.execute(f"TRUNCATE {', '.join(WRITTEN)}")
    installation = PricingContext.load(conn)
    sent: list[RequestRow] = []
    batches = consistent([batch for batch in batches if batch])
    for start in range(0, len(batches), grouped):
        group = batches[start : start + grouped]
        commit(conn, [batch_of([replace(item) for item in batch], installation) for batch in group])
        sent += [item for batch in group for item in batch]
        note(str([(r.application_id, r.external_id, r.response_id) for r in sent]))
        assert owners_in(conn) == calls_of(sent)
        assert_nothing_crossed(conn, installation.salt)
        assert_rollups_exact(conn)
    last = {(item.application_id, item.external_id): item for item in sent}
    assert ingest(conn, [replace(item) for item in last.values()], installation).accepted == 0
    assert owners_in(conn) == calls_of(sent)
    assert_nothing_crossed(conn, installation.salt)
    assert_rollups_exact(conn)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(reports(always=True), min_size=1, max_size=10), min_size=3, max_size=9))
def test_writers_that_race_for_one_id_stay_in_their_own_rows(
    conn: psycopg.Connection, price: Any, batches: list[list[RequestRow]]
) -> None:
    conn.execute(f"TRUNCATE {', '.join(WRITTEN)}")
    installation = PricingContext.load(conn)
    failures: list[BaseException] = []

    def write(mine: list[list[RequestRow]]) -> None:
        try:
            with psycopg.connect(conninfo(), autocommit=True) as own:
                for batch in mine:
                    # Past the thread whose turn it is: as writers of several processes meet.
                    commit(own, [batch_of([replace(item) for item in batch], installation)])
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(batches[number::3],)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    assert owners_in(conn) == calls_of([item for batch in batches for item in batch])
    assert_nothing_crossed(conn, installation.salt)
    assert_rollups_exact(conn)


def test_the_page_of_a_row_says_that_another_application_told_the_same_id(conn: psycopg.Connection) -> None:
    shop, other = application("shop"), application("other")
    both = arrive(
        conn,
        *({"application_id": owner.pk, "response_id": RESPONSE, "external_id": owner.slug} for owner in (shop, other)),
    )
    (alone,) = arrive(conn, {"application_id": shop.pk, "response_id": f"{RESPONSE}2", "external_id": "alone"})
    manager = logged_in(person("mia", "traffic.view_request"))
    pages = [manager.get(f"/requests/{request.id}/").content.decode() for request in (*both, alone)]
    assert ["with the same response id" in page for page in pages] == [True, True, False]


def test_spans_of_one_trace_are_a_row_for_each_application(conn: psycopg.Connection) -> None:
    """A service that calls another one's proxy with the same model: the collector sends both in one export."""
    clear_cache()
    for slug in ("shop", "proxy"):
        application(slug)
    services = {"1" * 16: "shop", "2" * 16: "proxy", "3" * 16: "nobody"}
    parents = {"1" * 16: "", "2" * 16: "1" * 16, "3" * 16: "2" * 16}
    export = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
                "scopeSpans": [{"scope": {"name": service}, "spans": [call_span(span, parents[span], service)]}],
            }
            for span, service in services.items()
        ]
    }
    callers.clear()
    _key, secret = create_key(name="collector", scopes=["ingest"])
    answer = Client().post(
        "/v1/traces", json.dumps(export), content_type="application/json", headers={"authorization": f"Bearer {secret}"}
    )
    assert (answer.status_code, answer.content) == (200, b"{}")
    salt = PricingContext.load(conn).salt
    stored = conn.execute(
        "SELECT a.slug, r.output, r.user_hash FROM traffic_request AS r"
        " LEFT JOIN traffic_application AS a ON a.id = r.application_id ORDER BY 1"
    ).fetchall()
    assert stored == [(slug, 20, user_hash(salt, f"user of {slug}")) for slug in ("proxy", "shop")]
    assert_rollups_exact(conn)


def call_span(span: str, parent: str, service: str) -> dict[str, Any]:
    began = int(NOON.timestamp() * 1e9) + int(span[0]) * 10**6
    words = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude-test",
        "gen_ai.system": "anthropic",
        "user.id": f"user of {service}",
    }
    attributes = [{"key": name, "value": {"stringValue": value}} for name, value in words.items()]
    counts = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 20}
    attributes += [{"key": name, "value": {"intValue": str(value)}} for name, value in counts.items()]
    return {
        "traceId": "a" * 32, "spanId": span, "parentSpanId": parent, "name": "chat", "attributes": attributes,
        "startTimeUnixNano": str(began), "endTimeUnixNano": str(began + 10**9 - int(span[0]) * 10**7),
    }  # fmt: skip
