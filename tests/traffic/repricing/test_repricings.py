"""Repricings as people run them: previewed, started, stopped, gone on with, and taken back to the cent."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.audit.log import AuditEntry
from providers.models import TokenPrice
from tests.traffic.priced_rows import BEFORE, DAY, NEXT, YESTERDAY, dearer, ended, everything
from tests.traffic.request_rows import assert_rollups_exact, row
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Repricing, Request
from traffic.repricing import run as module
from traffic.repricing import services as repricings
from traffic.repricing.services import Refused, RepricingScope, plan, start, undo, work

WANTED = RepricingScope(BEFORE, NEXT, why="The page was read wrong.")


def previewed(wanted: RepricingScope = WANTED, person: int | None = None) -> Repricing:
    return ended(plan(scope=wanted, person=person))


def run(wanted: RepricingScope = WANTED, person: int | None = None) -> Repricing:
    repricing = previewed(wanted, person)
    assert start(repricing=repricing)
    return ended(repricing)


def remembered(conn: psycopg.Connection) -> int:
    (n,) = conn.execute("SELECT count(*) FROM traffic_repriced").fetchone() or (0,)
    return int(n)


def test_a_preview_writes_no_request_and_says_what_a_run_does(stored: Any, price: TokenPrice) -> None:
    dearer(price)
    before = everything(stored)
    found = previewed()
    assert (found.state, found.total, found.read, found.changed) == ("previewed", 7, 7, 4)
    assert everything(stored) == before and remembered(stored) == 0
    (planned,) = found.days.filter(planned=True)
    assert (planned.day, planned.requests, planned.amount) == (DAY, 4, Decimal("0.01368"))
    start(repricing=found)
    ended(found)
    (real,) = found.days.filter(planned=False)
    assert (found.state, real.requests, real.amount) == ("done", 4, Decimal("0.01368"))
    assert remembered(stored) == 4
    assert_rollups_exact(stored)


RATES = st.tuples(*[st.decimals(min_value=0, max_value=200, places=6)] * 3)


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(rates=RATES, again=RATES, size=st.integers(1, 8))
def test_taking_back_restores_every_cent(stored: Any, price: TokenPrice, rates: Any, again: Any, size: int) -> None:
    """Two repricings at whatever prices, taken back in turn: rows, prices named and rollups are what they were."""
    before = everything(stored)
    names = ("uncached_input", "cache_read", "output")
    made = []
    for n, chosen in enumerate((rates, again)):
        at = YESTERDAY - timedelta(hours=2 - n)
        made.append(dearer(price, 1, starts_at=at, **dict(zip(names, chosen, strict=True))))
        repricings.reprice(since=BEFORE, until=NEXT, batch=size)
    for one in Repricing.objects.order_by("-started_at"):
        assert undo(repricing=one)
        repricings.to_the_end(one, batch=size)
    assert everything(stored) == before
    assert remembered(stored) == 0
    assert set(Repricing.objects.values_list("state", "kept")) == {("undone", 0)}
    TokenPrice.objects.filter(pk__in=[one.pk for one in made]).delete()
    Repricing.objects.all().delete()


def test_a_worker_that_died_is_followed_by_another(stored: Any, price: TokenPrice) -> None:
    dearer(price, starts_at=YESTERDAY - timedelta(hours=1))
    found = previewed()
    start(repricing=found)
    took = Repricing.objects.claim(found.pk, timezone.now(), timezone.now() + timedelta(minutes=2))
    assert took is not None
    batches = iter(range(2))
    repricings.go_on(took, late=lambda: next(batches) == 1, batch=1)  # and then its process is killed
    assert not work(found.pk)  # its claim holds
    Repricing.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    ended(found)
    assert (found.state, found.read, found.changed) == ("done", 7, 7)
    assert sum(day.requests for day in found.days.filter(planned=False)) == 7
    assert_rollups_exact(stored)


def test_of_two_workers_at_one_repricing_only_one_commits_a_batch(stored: Any, price: TokenPrice) -> None:
    dearer(price)
    found = previewed()
    start(repricing=found)
    found.refresh_from_db()
    late = Repricing.objects.get(pk=found.pk)
    ended(found)
    with pytest.raises(module.Stopped):
        repricings.go_on(late)
    assert remembered(stored) == 4
    assert_rollups_exact(stored)


def test_cancelled_half_way_it_goes_on_or_is_taken_back(stored: Any, price: TokenPrice) -> None:
    before = everything(stored)
    dearer(price, starts_at=YESTERDAY - timedelta(hours=1))
    found = previewed()
    start(repricing=found)
    found.refresh_from_db()
    batches = iter(range(9))
    repricings.go_on(found, late=lambda: next(batches) == 1, batch=1)
    assert repricings.cancel(repricing=found)
    assert not work(found.pk)
    found.refresh_from_db()
    assert (found.state, found.changed) == ("cancelled", 2)
    assert undo(repricing=found)
    ended(found)
    assert (found.state, found.restored) == ("undone", 2)
    assert everything(stored) == before


def test_what_changed_since_stays_when_it_is_taken_back(conn: psycopg.Connection, price: TokenPrice) -> None:
    """A stream's usage comes after the repricing: the cost that it gives is not of the repricing's making."""
    installation = PricingContext.load(conn)
    ingest(conn, [row(1), row(2, model="new-model", tokens=None)], installation)
    dearer(price)
    dearer(price, 1, model="new-model")
    found = run()
    assert found.changed == 2
    ingest(conn, [row(2, model="new-model")], replace(PricingContext.load(conn)))
    undo(repricing=found)
    ended(found)
    assert (found.state, found.restored, found.kept) == ("undone", 1, 1)
    assert set(Request.objects.filter(day=DAY).values_list("model", "cost")) == {
        ("claude-test", Decimal("0.00342")), ("new-model", Decimal("0.00342")),
    }  # fmt: skip
    assert_rollups_exact(conn)


def test_only_one_model_is_repriced_where_one_is_named(conn: psycopg.Connection, price: TokenPrice) -> None:
    ingest(conn, [row(1), row(2, model="other-model")], PricingContext.load(conn))
    dearer(price)
    dearer(price, model="other-model")
    found = run(RepricingScope(BEFORE, NEXT, "anthropic", "other-model"))
    assert (found.total, found.changed) == (1, 1)
    assert set(Request.objects.filter(day=DAY).values_list("model", "cost")) == {
        ("claude-test", Decimal("0.00342")), ("other-model", Decimal("0.00684")),
    }  # fmt: skip


def test_the_later_one_is_taken_back_first_and_two_never_write_at_once(stored: Any, price: TokenPrice) -> None:
    dearer(price)
    first, planned = run(), previewed()
    dearer(price, 3, starts_at=YESTERDAY)
    second = run()
    with pytest.raises(Refused, match="Undo that one first"):
        undo(repricing=first)
    assert undo(repricing=second)
    with pytest.raises(Refused, match="is running"):
        start(repricing=planned)
    ended(second)
    assert undo(repricing=first)


def test_the_log_says_who_asked_why_and_who_took_it_back(stored: Any, price: TokenPrice) -> None:
    ann, bob = (User.objects.create(username=name) for name in ("ann", "bob"))
    dearer(price)
    found = run(person=ann.pk)
    undo(repricing=found, person=bob.pk)
    ended(found)
    entries = list(AuditEntry.objects.order_by("pk").values_list("actor", "message"))
    assert entries == [
        ("ann", "Repriced 4 requests by +0.01368 USD. The page was read wrong."),
        ("bob", "Undid the repricing of 4 requests: 4 cost what they did before."),
    ]


def test_a_fault_is_told_and_the_rest_can_be_gone_on_with(
    stored: Any,
    price: TokenPrice,
    monkeypatch: Any,
    caplog: Any,
) -> None:
    dearer(price)
    found = previewed()
    start(repricing=found)
    with monkeypatch.context() as patched:
        patched.setattr(module, "write", lambda *given: 1 / 0)
        ended(found)
    assert found.state == "failed" and "error of Breakeven" in found.problem
    start(repricing=found)
    assert ended(found).state == "done"
    assert f"repricing_crashed repricing_id={found.pk}" in caplog.text and "ZeroDivisionError" in caplog.text


def command(*given: str) -> str:
    out = io.StringIO()
    call_command("reprice", *given, stdout=out)
    return out.getvalue()


def test_the_command_takes_back_what_it_did(stored: Any, price: TokenPrice) -> None:
    before = everything(stored)
    dearer(price)
    said = command("--from", f"{BEFORE}", "--to", f"{NEXT}", "--provider", "anthropic", "--model", "claude-test")
    number = Repricing.objects.get().pk
    assert f"--undo {number} reverses it" in said
    assert "4 of 4 requests have their old cost again. 0 changed since." in command("--undo", f"{number}")
    assert everything(stored) == before
    with pytest.raises(CommandError, match="is undone"):
        command("--undo", f"{number}")
    with pytest.raises(CommandError, match="no repricing 0"):
        command("--resume", "0")
