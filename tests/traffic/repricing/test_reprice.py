"""Requests are costed anew one by one, the rollups follow exactly, and what has no price of its own stays alone."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from costs.ledger import posting as ledger
from costs.models import Charge
from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from tests.database import conninfo
from tests.factories import AccountFactory, DeploymentFactory, VendorCostFactory
from tests.traffic.priced_rows import BEFORE, DAY, NEXT, YESTERDAY, dearer, everything
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens
from traffic.ingest.store import ingest
from traffic.models import Request, SealedDay, UsageDay
from traffic.repricing import run as module
from traffic.repricing.run import Difference
from traffic.repricing.services import reprice


def costs(conn: psycopg.Connection) -> dict[date, Any]:
    return dict(conn.execute("SELECT day, sum(cost) FROM traffic_request GROUP BY day").fetchall())


def test_requests_since_a_new_price_cost_what_it_says(stored: psycopg.Connection, price: TokenPrice) -> None:
    newer = dearer(price)
    found = reprice(since=BEFORE, until=NEXT)
    assert costs(stored) == {BEFORE: Decimal("0.01026"), DAY: Decimal("0.02736")}
    assert found.differences == [
        Difference(DAY, "anthropic", "claude-test", 4, Decimal("0.01368"), Decimal("0.02736"), 0, 0)
    ]
    assert (found.read, found.changed, found.amount) == (7, 4, Decimal("0.01368"))
    assert set(Request.objects.filter(day=DAY).values_list("price_id", flat=True)) == {newer.pk}
    assert set(Request.objects.filter(day=BEFORE).values_list("price_id", flat=True)) == {price.pk}
    assert_rollups_exact(stored)
    call_command("audit", stdout=io.StringIO())


def test_only_the_days_asked_for_change(stored: psycopg.Connection, price: TokenPrice) -> None:
    dearer(price, starts_at=YESTERDAY - timedelta(hours=1))
    assert reprice(since=BEFORE, until=DAY).changed == 3
    assert costs(stored) == {BEFORE: Decimal("0.02052"), DAY: Decimal("0.01368")}
    assert_rollups_exact(stored)


def test_a_dry_run_says_what_a_run_would_and_writes_nothing(stored: psycopg.Connection, price: TokenPrice) -> None:
    dearer(price)
    before = everything(stored)
    planned = reprice(since=BEFORE, until=NEXT, dry_run=True, person=User.objects.create(username="ann").pk, why="?")
    assert everything(stored) == before
    assert not AuditEntry.objects.exists()
    assert reprice(since=BEFORE, until=NEXT) == planned


def test_a_second_run_changes_nothing(stored: psycopg.Connection, price: TokenPrice) -> None:
    dearer(price)
    reprice(since=BEFORE, until=NEXT)
    before = everything(stored)
    again = reprice(since=BEFORE, until=NEXT)
    assert (again.read, again.changed, again.differences) == (7, 0, [])
    assert everything(stored) == before


def test_a_price_for_an_unknown_model_is_not_unknown_any_more(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(n, model="new-model") for n in range(3)], PricingContext.load(conn))
    assert UsageDay.objects.get(day=DAY).unpriced == 3
    dearer(price, 1, model="new-model")
    (difference,) = reprice(since=DAY, until=NEXT).differences
    assert (difference.unknown_before, difference.unknown_after, difference.amount) == (3, 0, Decimal("0.01026"))
    usage = UsageDay.objects.get(day=DAY)
    assert (usage.unpriced, usage.cost) == (0, Decimal("0.01026"))
    assert Request.objects.filter(cost_reason=None).count() == 3
    assert_rollups_exact(conn)


def test_each_request_is_priced_by_its_own_length_never_their_sum(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(1), row(2), row(3, tokens=Tokens(900, 0, 0, 0, 0, 0))], PricingContext.load(conn))
    over = {f"over_{name}": 1000 for name in ("uncached_input", "cache_read", "output")}
    dearer(price, 1, over_tokens=800, **over)
    reprice(since=DAY, until=NEXT)
    found = list(Request.objects.filter(day=DAY).order_by("external_id").values_list("cost", flat=True))
    assert found == [Decimal("0.00342"), Decimal("0.00342"), Decimal("0.9")]


def test_batches_and_answers_without_usage_keep_their_rules(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(1, batch=True), row(2, tokens=None)], PricingContext.load(conn))
    assert set(Request.objects.values_list("cost_reason", flat=True)) == {"unknown_rate", "unknown_usage"}
    dearer(price, 1, batch_factor=Decimal("0.5"))
    reprice(since=DAY, until=NEXT)
    assert list(Request.objects.order_by("external_id").values_list("cost", "cost_reason")) == [
        (Decimal("0.00171"), None), (None, "unknown_usage"),
    ]  # fmt: skip
    assert_rollups_exact(conn)


def test_leased_requests_and_bills_are_left_alone(conn: psycopg.Connection, price: TokenPrice) -> None:
    own = DeploymentFactory.create(slug="own", name="Own", url="http://x")
    ingest(conn, [row(1, deployment_id=own.pk), row(2)], PricingContext.load(conn))
    account = AccountFactory.create(slug="claude", name="Claude")
    VendorCostFactory.create(
        account=account, external_id="1", starts_at=NOON, ends_at=NOON, category="tokens", amount=5, original_amount=5
    )
    ledger.post()
    charges = list(Charge.objects.values())
    dearer(price)
    assert reprice(since=DAY, until=NEXT).read == 1
    leased = Request.objects.get(day=DAY, deployment=own)
    assert (leased.cost, leased.cost_reason, leased.price_id) == (None, "leased", None)
    assert list(Charge.objects.values()) == charges
    call_command("audit", stdout=io.StringIO())


@pytest.mark.parametrize("batch", [1, 2, 7, 8])
def test_the_size_of_a_batch_makes_no_difference(stored: psycopg.Connection, price: TokenPrice, batch: int) -> None:
    dearer(price, starts_at=YESTERDAY - timedelta(hours=1))
    found = reprice(since=BEFORE, until=NEXT, batch=batch)
    assert (found.read, found.changed, found.amount) == (7, 7, Decimal("0.02394"))
    assert_rollups_exact(stored)


def test_a_run_that_was_stopped_goes_on(stored: psycopg.Connection, price: TokenPrice, monkeypatch: Any) -> None:
    dearer(price, starts_at=YESTERDAY - timedelta(hours=1))
    writes = iter([module.write, module.write])
    monkeypatch.setattr(module, "write", lambda *given: next(writes)(*given))
    ann = User.objects.create(username="ann")
    with pytest.raises(StopIteration):
        reprice(since=BEFORE, until=NEXT, batch=2, person=ann.pk, why="A typing error.")
    assert_rollups_exact(stored)
    assert Request.objects.filter(day=BEFORE, cost__gt=Decimal("0.005")).count() == 3
    assert "Repriced 3 requests" in AuditEntry.objects.get().message
    monkeypatch.undo()
    assert reprice(since=BEFORE, until=NEXT).changed == 4
    assert_rollups_exact(stored)


def test_usage_that_a_twin_brings_meanwhile_is_costed(
    conn: psycopg.Connection, price: TokenPrice, monkeypatch: Any
) -> None:
    """Between reading and writing a row, ingest fills it: what was computed for it is out of date."""
    ingest(conn, [row(1), row(2, model="new-model", tokens=None)], PricingContext.load(conn))
    dearer(price)
    dearer(price, 1, model="new-model")
    compute = module.changed

    def late(rows: Any, book: Any) -> Any:
        found = list(compute(rows, book))
        monkeypatch.setattr(module, "changed", compute)
        with psycopg.connect(conninfo(), autocommit=True) as other:
            ingest(other, [row(2, model="new-model")], replace(PricingContext.load(other), book=type(book)({})))
        return found

    monkeypatch.setattr(module, "changed", late)
    reprice(since=DAY, until=NEXT)
    assert list(Request.objects.order_by("external_id").values_list("cost", flat=True)) == [
        Decimal("0.00684"), Decimal("0.00342"),
    ]  # fmt: skip
    assert_rollups_exact(conn)


def test_ingest_goes_on_while_requests_are_repriced(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [row(n) for n in range(200)], installation)
    dearer(price)

    def send(first: int) -> None:
        with psycopg.connect(conninfo(), autocommit=True) as own:
            for at in range(first, first + 200, 20):
                ingest(own, [row(n) for n in range(at, at + 20)], installation)

    with ThreadPoolExecutor(2) as pool:
        sending = [pool.submit(send, first) for first in (100, 1000)]
        reprice(since=DAY, until=NEXT, batch=7)
        for future in sending:
            future.result()
    reprice(since=DAY, until=NEXT)  # what came in at the old price meanwhile
    assert Request.objects.filter(day=DAY, cost=Decimal("0.00684")).count() == 500
    assert_rollups_exact(conn)


def test_days_whose_requests_are_gone_are_left_alone(stored: psycopg.Connection, price: TokenPrice) -> None:
    SealedDay.objects.create(day=DAY, totals={})
    dearer(price)
    found = reprice(since=BEFORE, until=NEXT)
    assert (found.sealed, found.changed) == ([DAY], 0)


RATES = st.decimals(min_value=0, max_value=200, places=6)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rates=st.tuples(RATES, RATES, RATES))
def test_there_and_back_restores_every_cent(stored: psycopg.Connection, price: TokenPrice, rates: Any) -> None:
    before = everything(stored)
    names = ("uncached_input", "cache_read", "output")
    newer = dearer(price, 1, starts_at=YESTERDAY - timedelta(hours=1), **dict(zip(names, rates, strict=True)))
    there = reprice(since=BEFORE, until=NEXT)
    assert_rollups_exact(stored)
    newer.delete()
    back = reprice(since=BEFORE, until=NEXT)
    assert everything(stored) == before
    assert there.amount == -back.amount


# The command.


def run(*given: str) -> str:
    out = io.StringIO()
    call_command("reprice", *given, stdout=out)
    return out.getvalue()


def test_the_command_shows_the_difference_by_day_and_model(stored: psycopg.Connection, price: TokenPrice) -> None:
    dearer(price)
    period = ("--from", f"{BEFORE}", "--to", f"{NEXT}")
    planned = run(*period, "--dry-run")
    assert "4 of 7 requests would change, by +0.013680 USD." in planned
    (line,) = [line for line in planned.splitlines() if "claude-test" in line]
    assert line.split() == [f"{DAY}", "anthropic", "claude-test", "4", "0.013680", "0.027360", "+0.013680"]
    assert costs(stored)[DAY] == Decimal("0.01368")
    assert "4 of 7 requests changed" in run(*period)
    assert costs(stored)[DAY] == Decimal("0.02736")


def test_the_audit_log_says_who_and_why(stored: psycopg.Connection, price: TokenPrice) -> None:
    ann = User.objects.create(username="ann")
    dearer(price)
    run("--from", f"{DAY}", "--to", f"{NEXT}", "--by", "ann", "--why", "The vendor's page was read wrong.")
    entry = AuditEntry.objects.get()
    assert (entry.actor_id, entry.actor, entry.object_id) == (ann.pk, "ann", f"{DAY}/{NEXT}")
    assert entry.message == ("Repriced 4 requests by +0.01368 USD. The vendor's page was read wrong.")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--from", "2026-06-02", "--to", "2026-06-02"), "must lie after"),
        (("--from", "June", "--to", "2026-06-02"), "is no day"),
        (("--from", "2026-06-01", "--to", "2026-06-02", "--by", "nobody", "--why", "x"), "no active user"),
        (("--from", "2026-06-01", "--to", "2026-06-02", "--by", "nobody"), "--why"),
    ],
)
def test_the_command_says_what_is_wrong(db: None, wrong: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run(*wrong)
