"""A batch is worked out where it was parsed, unless the database must be asked for it first."""

from __future__ import annotations

import threading

import psycopg
import pytest

from tests.traffic import otlp_exports as otlp
from tests.traffic.request_rows import row
from traffic.authentication.keys import Caller
from traffic.ingest import context, parse_lock
from traffic.ingest.parse_lock import SMALL_ROWS
from traffic.ingest.pipeline import early_batch, store

key = otlp.key  # a fixture

CALLER = Caller(7, None, None, False, frozenset(["ingest"]), None)


@pytest.fixture
def names_seen(conn: psycopg.Connection) -> None:
    context.clear_cache()
    store([row()])


def test_a_batch_of_names_that_were_seen_is_worked_out_early(names_seen: None) -> None:
    batch = early_batch([row(2)], CALLER)
    assert batch is not None
    assert len(batch) == 1
    assert batch.key_id == CALLER.key_id


def test_a_new_name_waits_for_the_database(names_seen: None) -> None:
    assert early_batch([row(2, model="never-heard-of")], CALLER) is None


def test_prices_that_must_be_read_again_are_waited_for(names_seen: None) -> None:
    context.clear_cache()
    assert early_batch([row(2)], CALLER) is None


def test_many_rows_are_worked_out_without_the_lock(names_seen: None) -> None:
    assert early_batch([row(n) for n in range(SMALL_ROWS + 1)], CALLER) is None


def test_an_export_is_worked_out_under_the_lock_that_it_was_parsed_under(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []

    def probe(rows: object, caller: Caller) -> None:
        other = threading.Thread(target=lambda: held.append(not free()))
        other.start()
        other.join()

    monkeypatch.setattr("traffic.ingest.otlp_views.early_batch", probe)
    assert otlp.send(key, otlp.body(otlp.span())).status_code == 200
    assert held == [True]
    assert free()


def free() -> bool:
    """Whether this thread gets the lock at once."""
    got = parse_lock._lock.acquire(blocking=False)
    if got:
        parse_lock._lock.release()
    return got
