"""Rollups are made again from the rows, exactly, while ingest goes on; days whose rows are gone stay as they are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from providers.models import Discount, TokenPrice
from tests.database import conninfo
from tests.factories import AccountFactory
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.ingest.store import ingest
from traffic.privacy import retention
from traffic.usage import rebuild as module
from traffic.usage.rebuild import rebuild

DAY = NOON.date()
ROLLUPS = [f"traffic_{name}_{period}" for name in ("usage", "latency", "error") for period in ("hour", "day")]


def some(first: int, count: int = 40, **given: Any) -> list[RequestRow]:
    """Requests over several hours and keys, some of them without usage or latency."""
    return [
        row(
            n,
            started_at=NOON + timedelta(minutes=7 * (n % 60)),
            task=("rag", "qa", "other")[n % 3],
            latency_ms=None if n % 7 == 0 else 10.0 + n,
            ttft_ms=None,
            outcome="error" if n % 11 == 0 else "ok",
            error_type="overloaded_error" if n % 22 == 0 else None,
            **({"tokens": None} if n % 5 == 0 else {}),
            **given,
        )
        for n in range(first, first + count)
    ]


def run(**options: Any) -> str:
    out = StringIO()
    call_command("rollup", rebuild=True, stdout=out, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        *(f"DELETE FROM {table}" for table in ROLLUPS),
        "UPDATE traffic_usage_hour SET cost = cost + 0.000000000001, output = output * 3",
        "UPDATE traffic_latency_day SET bucket = bucket + 1",
        "UPDATE traffic_usage_day SET requests = 0",
        "DELETE FROM traffic_request WHERE task = 'qa'",
    ],
)
def test_whatever_was_damaged_is_right_again(conn: psycopg.Connection, damage: str) -> None:
    ingest(conn, some(0), PricingContext.load(conn))
    conn.execute(damage)
    assert "mended" in run()
    assert_rollups_exact(conn)
    call_command("audit")


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE traffic_usage_hour SET cost_reports = 0, cost_mismatches = 9, reported_cost = reported_cost + 1,"
        " computed_cost = 0",
        "UPDATE traffic_usage_day SET cost = 0, computed_cost = computed_cost - 0.000000000001",
    ],
)
def test_costs_at_a_discount_and_as_others_tell_them_are_right_again(
    conn: psycopg.Connection, price: TokenPrice, damage: str
) -> None:
    account = AccountFactory.create(slug="a", name="A")
    since = price.starts_at
    Discount.objects.create(account=account, percent=25, starts_on=since.date(), source="contract", entered_at=since)
    ingest(conn, some(0, reported_cost=Decimal("0.01")), PricingContext.load(conn))
    told = (
        "SELECT cost_reports, cost_mismatches, reported_cost, computed_cost, cost FROM traffic_usage_day ORDER BY task"
    )
    before = conn.execute(told).fetchall()
    assert before[0][0] > 0
    conn.execute(damage)
    assert "mended" in run()
    assert conn.execute(told).fetchall() == before
    assert_rollups_exact(conn)


def test_what_is_right_is_not_written(conn: psycopg.Connection) -> None:
    ingest(conn, some(0), PricingContext.load(conn))
    before = conn.execute("SELECT xmin, * FROM traffic_usage_hour ORDER BY 2").fetchall()
    assert f"{DAY} right as it was" in run()
    assert conn.execute("SELECT xmin, * FROM traffic_usage_hour ORDER BY 2").fetchall() == before


def test_ingest_between_looking_and_mending_is_neither_lost_nor_doubled(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, some(0), installation)
    for table in ROLLUPS:
        conn.execute(f"DELETE FROM {table}")
    rounds = iter(range(1, len(ROLLUPS) + 1))

    def interrupted(mend: Callable[..., int]) -> Callable[..., int]:
        def mended(*args: Any) -> int:
            number = next(rounds)
            with psycopg.connect(conninfo(), autocommit=True) as other:
                # New rows, and usage that now comes for rows that were there.
                ingest(other, [*some(1000 * number), row(5 * number, started_at=NOON)], installation)
            return mend(*args)

        return mended

    monkeypatch.setattr(module, "add_differences", interrupted(module.add_differences))
    assert sum(done.mended for done in rebuild(conn, DAY, DAY)) > 0
    assert_rollups_exact(conn)
    assert next(rounds, None) is None


def test_writers_go_on_while_rollups_are_made_again_and_again(conn: psycopg.Connection) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, some(0), installation)
    failures: list[BaseException] = []
    writing = threading.Event()

    def write(shift: int) -> None:
        try:
            with psycopg.connect(conninfo(), autocommit=True) as own:
                for batch in range(15):
                    ingest(own, some(10_000 * shift + 20 * batch), installation)
                    writing.set()
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(shift,)) for shift in (1, 2)]
    for writer in writers:
        writer.start()
    assert writing.wait(30)
    rounds = 0
    while rounds < 3 or any(writer.is_alive() for writer in writers):
        # What is broken stays broken by the same amount, whoever writes meanwhile.
        conn.execute("UPDATE traffic_usage_day SET output = output + 1 WHERE task = 'qa'")
        conn.execute("UPDATE traffic_latency_hour SET n = n + 1 WHERE task = 'rag'")
        list(rebuild(conn))
        rounds += 1
    for writer in writers:
        writer.join()
    assert not failures
    assert_rollups_exact(conn)


def test_a_sealed_day_stays_as_it_is(conn: psycopg.Connection, settings: Any) -> None:
    old = DAY - timedelta(days=60)
    ingest(conn, [row(1, started_at=NOON - timedelta(days=60)), row(2)], PricingContext.load(conn))
    settings.RETENTION_DAYS = 30
    retention.apply_retention(DAY + timedelta(days=1))
    assert f"{old} sealed" in run()
    assert conn.execute("SELECT requests FROM traffic_usage_day WHERE day = %s", [old]).fetchone() == (1,)
    call_command("audit")


def test_a_day_without_its_rows_is_not_emptied(conn: psycopg.Connection) -> None:
    ingest(conn, [row(1)], PricingContext.load(conn))
    conn.execute(f"DROP TABLE traffic_request_{DAY:%Y%m%d}")
    assert "its requests are gone" in run()
    assert conn.execute("SELECT requests FROM traffic_usage_day").fetchone() == (1,)


def test_only_the_days_asked_for_are_touched(conn: psycopg.Connection) -> None:
    ingest(conn, [row(1), row(2, started_at=NOON - timedelta(days=1))], PricingContext.load(conn))
    conn.execute("DELETE FROM traffic_usage_day")
    run(first=DAY, last=DAY)
    assert conn.execute("SELECT day FROM traffic_usage_day").fetchall() == [(DAY,)]
    with pytest.raises(CommandError):
        run(first=DAY, last=DAY - timedelta(days=1))


def test_two_rebuilds_at_once_are_refused(conn: psycopg.Connection) -> None:
    with module.alone(conn), pytest.raises(CommandError, match="is running"):
        run()
    run()
