"""Whatever is sent, in whatever order and however often: one row a call, and rollups that equal the rows exactly."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import reduce
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.database import WRITTEN
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.ingest.batch import Added, batch_of
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow, Tokens
from traffic.ingest.sql.rows import COLUMNS
from traffic.ingest.store import commit, ingest

CALLS = 6
NAMES = ("client", "sdk", "proxy")  # who may report a call, each under an id of its own


@st.composite
def reports(draw: st.DrawFn) -> RequestRow:
    """What one emitter says of one call: sometimes with the vendor's id, sometimes with the usage."""
    call, name = draw(st.integers(0, CALLS - 1)), draw(st.sampled_from(NAMES))
    tokens = draw(st.booleans())
    return row(
        call,
        external_id=f"{name}-{call}",
        started_at=NOON + timedelta(hours=call, seconds=NAMES.index(name)),
        response_id=f"msg_{call:030d}" if draw(st.booleans()) else None,
        tokens=Tokens(call, 10, 0, 0, call * 7, 0) if tokens else None,
        model="claude-test" if call % 2 else "nobody-knows",
        ttft_ms=draw(st.sampled_from([None, 0.001, 250.0])),
        task=draw(st.sampled_from(["other", "rag"])),
        application_id=draw(st.sampled_from([7, 7])),
        outcome=draw(st.sampled_from(["ok", "error"])),
        prompt=draw(st.sampled_from([None, f"asked {name}"])),
        answer=draw(st.sampled_from([None, f"said {name}"])),
    )


def consistent(batches: list[list[RequestRow]]) -> list[list[RequestRow]]:
    """An emitter that has once sent the vendor's id sends it again with every repetition."""
    known: dict[str, str] = {}
    for report in (report for batch in batches for report in batch):
        if report.response_id is not None:
            known[report.external_id] = report.response_id
        report.response_id = known.get(report.external_id)
    return batches


def calls_of(sent: list[RequestRow]) -> int:
    """How many rows there must be: reports are one call when ids or response ids link them, however indirectly."""
    parents: dict[str, str] = {}

    def find(node: str) -> str:
        while parents.setdefault(node, node) != node:
            node = parents[node]
        return node

    for report in sent:
        parents[find(report.external_id)] = find(report.response_id or report.external_id)
    return len({find(node) for node in list(parents)})


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(reports(), max_size=8), max_size=5))
def test_every_call_is_one_row_and_the_rollups_are_exact(
    conn: psycopg.Connection,
    price: Any,
    batches: list[list[RequestRow]],
) -> None:
    conn.execute(f"TRUNCATE {', '.join(WRITTEN)}")
    installation = PricingContext.load(conn)
    sent: list[RequestRow] = []
    for batch in consistent(batches):
        result = ingest(conn, [replace(report) for report in batch], installation)
        assert result.accepted + result.duplicates == len(batch)
        sent += batch
        note(str([(r.external_id, r.response_id, r.tokens is not None, r.ttft_ms, r.task) for r in batch]))
        assert rows_in(conn) == calls_of(sent)
        assert_rollups_exact(conn)
    last = {report.external_id: report for report in sent}
    assert ingest(conn, [replace(report) for report in last.values()], installation).accepted == 0
    assert rows_in(conn) == calls_of(sent)
    assert_rollups_exact(conn)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(reports(), max_size=6), min_size=2, max_size=4), midnight=st.booleans())
def test_batches_written_together_are_what_they_are_one_after_the_other(
    conn: psycopg.Connection, price: Any, batches: list[list[RequestRow]], midnight: bool
) -> None:
    installation = PricingContext.load(conn)
    batches = consistent(batches)
    for report in (report for batch in batches for report in batch):
        # Who comes first is believed; here all tell the same, as far as they know it.
        report.outcome, report.ttft_ms = "ok", report.ttft_ms and 250.0
        report.prompt, report.answer = report.prompt and "asked", report.answer and "said"
        if midnight:
            report.started_at = clock_of(report)
    note(str([[(r.external_id, r.response_id, r.tokens is not None, r.ttft_ms) for r in batch] for batch in batches]))
    ends: list[Any] = []
    added: list[Added] = []
    for together in (False, True):
        conn.execute(f"TRUNCATE {', '.join(WRITTEN)}")
        made = [batch_of([replace(report) for report in batch], installation) for batch in batches]
        for group in [made] if together else [[one] for one in made]:
            commit(conn, group)
        assert_rollups_exact(conn)
        ends.append((conn.execute(STORED).fetchall(), conn.execute(BODIES).fetchall()))
        added.append(reduce(Added.plus, [one.added for one in made]))
    assert ends[0] == ends[1]
    # What is seen at once to be one call is counted once; told of in turn, it may have been counted as two before.
    assert rows_in(conn) <= added[1].rows <= added[0].rows and added[1].tokens <= added[0].tokens


def clock_of(report: RequestRow) -> datetime:
    """A little before or after midnight, by whose clock tells."""
    name, call = report.external_id.split("-")
    return NOON + timedelta(hours=12, minutes=4 * (NAMES.index(name) - 1), seconds=int(call))


BODIES = "SELECT * FROM traffic_request_body ORDER BY day, request_id"
STORED = f"SELECT {', '.join(name for name in COLUMNS if name != 'received_at')} FROM traffic_request ORDER BY day, id"


def rows_in(conn: psycopg.Connection) -> int:
    found = conn.execute("SELECT count(*) FROM traffic_request").fetchone()
    assert found is not None
    return int(found[0])
