"""Rows land once, twins become one, and the rollups equal what the rows say."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
from msgspec.structs import replace

from providers.models import TokenPrice
from tests.database import conninfo
from tests.factories import DeploymentFactory
from tests.traffic.request_rows import NOON, RESPONSE, assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest


def sums(conn: psycopg.Connection, period: str = "hour") -> Any:
    return conn.execute(
        f"SELECT sum(requests), sum(unknown_usage), sum(output), sum(cost) FROM traffic_usage_{period}"
    ).fetchone()


def test_a_batch_lands_with_its_costs_and_sums(conn: psycopg.Connection, price: TokenPrice) -> None:
    result = ingest(conn, [row(1), row(2)], PricingContext.load(conn))
    assert (result.accepted, result.duplicates) == (2, 0)
    assert sums(conn)[3] == 2 * Decimal("0.00342")  # 100 x 3 + 400 x 0.3 + 200 x 15, in millionths
    assert sums(conn) == sums(conn, "day")
    assert_rollups_exact(conn)


def test_failures_are_counted_by_what_went_wrong(conn: psycopg.Connection) -> None:
    given: list[dict[str, Any]] = [
        {"outcome": "error", "error_type": "overloaded_error", "http_status": 529},
        {"outcome": "error", "http_status": 500},
        {"outcome": "timeout", "error_type": ""},
        {"outcome": "error", "error_type": "Ann has no more credit", "http_status": 402},
        {"outcome": "cancelled", "error_type": "closed"},
    ]
    ingest(conn, [row(n, **one) for n, one in enumerate(given)], PricingContext.load(conn))
    found = conn.execute("SELECT kind, n FROM traffic_error_day").fetchall()
    assert {str(kind): int(n) for kind, n in found} == {"overloaded_error": 1, "500": 1, "timeout": 1, "402": 1}
    assert_rollups_exact(conn)
    late = row(1, outcome="error", http_status=500, error_type="api_error")  # a twin knows more of it
    ingest(conn, [late], PricingContext.load(conn))
    assert conn.execute("SELECT n FROM traffic_error_hour WHERE kind = 'api_error'").fetchone() == (1,)
    assert_rollups_exact(conn)


def test_the_same_batch_twice_changes_nothing(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(1), row(2)], installation)
    before = sums(conn)
    result = ingest(conn, [row(1), row(2), row(2)], installation)
    assert (result.accepted, result.duplicates) == (0, 3)
    assert sums(conn) == before


def test_usage_that_comes_later_fills_the_row_and_the_sums(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, tokens=None)], installation)
    assert sums(conn)[1:] == (1, 0, Decimal(0))
    ingest(conn, [row(1)], installation)
    assert sums(conn) == (1, 0, 200, Decimal("0.00342"))
    assert_rollups_exact(conn)


def test_a_response_id_is_one_request_whatever_the_source(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, response_id=RESPONSE, task="other")], installation)
    result = ingest(conn, [row(2, response_id=RESPONSE, source="otlp", task="qa", application_id=7)], installation)
    assert (result.accepted, result.duplicates) == (0, 1)
    found = conn.execute("SELECT application_id, task FROM traffic_request").fetchall()
    assert found == [(7, "qa")]
    assert_rollups_exact(conn)


def test_a_twin_across_midnight_is_found(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    midnight = NOON.replace(hour=0)
    ingest(conn, [row(1, response_id=RESPONSE, started_at=midnight - timedelta(seconds=1))], installation)
    result = ingest(conn, [row(2, response_id=RESPONSE, started_at=midnight + timedelta(seconds=1))], installation)
    assert result.duplicates == 1
    assert sums(conn)[0] == 1


def test_short_response_ids_are_no_identity(conn: psycopg.Connection, price: TokenPrice) -> None:
    result = ingest(
        conn, [row(1, response_id="chatcmpl-7"), row(2, response_id="chatcmpl-7")], PricingContext.load(conn)
    )
    assert result.accepted == 2


def test_two_rows_that_turn_out_to_be_one_are_merged(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, ttft_ms=None, tokens=None, response_id=RESPONSE), row(2, user="ada")], installation)
    result = ingest(conn, [row(2, response_id=RESPONSE)], installation)
    assert result.duplicates == 1
    assert conn.execute("SELECT count(*), count(user_hash), sum(output) FROM traffic_request").fetchone() == (1, 1, 200)
    assert_rollups_exact(conn)


def test_two_staged_rows_that_become_the_same_row_fill_it_in_turn(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, tokens=None, ttft_ms=None, response_id=RESPONSE)], installation)
    result = ingest(
        conn, [row(1, ttft_ms=150.0, tokens=None), row(2, ttft_ms=None, response_id=RESPONSE)], installation
    )
    assert (result.accepted, result.duplicates) == (0, 2)
    assert conn.execute("SELECT ttft_ms, output FROM traffic_request").fetchone() == (150.0, 200)
    assert_rollups_exact(conn)


def test_an_unknown_model_costs_null_with_a_reason(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(1, model="nobody-knows")], PricingContext.load(conn))
    assert conn.execute("SELECT cost, cost_reason FROM traffic_request").fetchone() == (None, "unknown_model")
    assert conn.execute("SELECT unpriced, cost FROM traffic_usage_hour").fetchone() == (1, 0)


def test_a_request_on_our_own_lease_is_leased_and_not_unpriced(conn: psycopg.Connection, price: TokenPrice) -> None:
    own = DeploymentFactory.create(slug="own", name="Own", url="http://127.0.0.1:1")
    ingest(conn, [row(1, provider="self", deployment_id=own.pk)], PricingContext.load(conn))
    assert conn.execute("SELECT cost, cost_reason FROM traffic_request").fetchone() == (None, "leased")
    assert conn.execute("SELECT unpriced, leased FROM traffic_usage_hour").fetchone() == (0, 1)


def test_a_lease_that_comes_with_the_twin_takes_the_cost_away(conn: psycopg.Connection, price: TokenPrice) -> None:
    own = DeploymentFactory.create(slug="own", name="Own", url="http://127.0.0.1:1")
    installation = PricingContext.load(conn)
    ingest(conn, [row(1, response_id=RESPONSE)], installation)
    ingest(conn, [row(2, response_id=RESPONSE, provider="self", model="mistral", deployment_id=own.pk)], installation)
    found = conn.execute("SELECT provider, model, cost, cost_reason FROM traffic_request").fetchall()
    assert found == [("self", "mistral", None, "leased")]
    assert_rollups_exact(conn)


def test_writers_that_race_for_the_same_calls_count_each_once(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    batch = [row(number, response_id=f"msg_{number:030d}") for number in range(60)]
    failures: list[BaseException] = []

    def send(shift: int) -> None:
        # The same calls under other ids, as an instrumentation beside the client would send them.
        mine = [replace(item, external_id=f"{shift}-{item.external_id}") for item in batch[shift:] + batch[:shift]]
        try:
            with psycopg.connect(conninfo(), autocommit=True) as own:
                ingest(own, mine, installation)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=send, args=(shift,)) for shift in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failures
    assert sums(conn)[0] == 60
    assert_rollups_exact(conn)


def test_text_that_copy_would_misread_comes_back_as_it_was(conn: psycopg.Connection, price: TokenPrice) -> None:
    odd = "a\tb\\N\nc\r\\.é"
    ingest(conn, [row(1, external_id=odd, error_type=odd, raw={"k": odd})], PricingContext.load(conn))
    assert conn.execute("SELECT external_id, error_type, raw FROM traffic_request").fetchone() == (odd, odd, {"k": odd})
