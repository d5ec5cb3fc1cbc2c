"""Who names thousands of models makes no more work than who names some: what is beyond the bound has one name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import time_machine

from providers.models import TokenPrice
from providers.pricing.book import OTHER_MODEL
from providers.pricing.forms import PriceForm
from tests.database import conninfo
from tests.traffic import litellm_events as litellm
from tests.traffic import native_posts as native
from tests.traffic import otlp_exports as otlp
from tests.traffic.import_files import brought, finished
from tests.traffic.people import application, logged_in, person, text
from tests.traffic.request_rows import NOON, assert_rollups_exact, row
from traffic.authentication.keys import callers, create_key
from traffic.gateway.store import Store
from traffic.imports.base import Options
from traffic.ingest import cardinality, context
from traffic.ingest.bounds import MOST_ERROR_TYPES, MOST_MODELS, MOST_PROVIDERS
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application
from traffic.privacy.retention import apply_retention
from traffic.requests.detail_page import doubts_of


@pytest.fixture
def shop(conn: psycopg.Connection) -> Iterator[Application]:
    context.clear_cache()
    callers.clear()
    yield application("shop", captures=False)
    context.clear_cache()


@pytest.fixture
def key(shop: Application) -> str:
    return create_key(name="k", scopes=["ingest"], application=shop)[1]


def models(conn: psycopg.Connection, of: str = "model", table: str = "traffic_usage_day") -> set[str]:
    return {name for (name,) in conn.execute(f"SELECT DISTINCT {of} FROM {table}").fetchall()}


def flood(count: int, first: int = 0, **given: Any) -> list[Any]:
    return [row(n, **{"model": f"made-up-{n}", **given}) for n in range(first, first + count)]


def test_models_beyond_the_bound_are_kept_under_one_name(conn: psycopg.Connection, price: TokenPrice) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, [*flood(MOST_MODELS + 300), row(9_000)], installation)
    names = models(conn)
    assert len(names) == MOST_MODELS + 2  # and the one with a price, and the one for all others
    assert {"claude-test", OTHER_MODEL, "made-up-0"} <= names
    assert conn.execute(
        f"SELECT sum(requests), sum(unpriced) FROM traffic_usage_day WHERE model = '{OTHER_MODEL}'"
    ).fetchone() == (300, 300)
    assert_rollups_exact(conn)


def test_a_row_says_what_it_was_called(conn: psycopg.Connection) -> None:
    ingest(conn, flood(MOST_MODELS + 1, raw={"doubts": ["output_missing"], "k": 1}), PricingContext.load(conn))
    (raw,) = conn.execute("SELECT raw FROM traffic_request WHERE model = %s", [OTHER_MODEL]).fetchone() or ()
    assert raw["named"] == {"model": f"made-up-{MOST_MODELS}"}
    assert (raw["k"], raw["doubts"]) == (1, ["output_missing", cardinality.TOO_MANY])
    assert any("than the limit" in sentence for sentence in doubts_of(raw))


def test_what_was_named_within_the_bound_keeps_its_name(conn: psycopg.Connection) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, flood(MOST_MODELS), installation)
    ingest(conn, [row(9_000, model="one-more"), row(9_001, model="made-up-7")], installation)
    kept = conn.execute(
        "SELECT model FROM traffic_request WHERE external_id IN ('r9000', 'r9001') ORDER BY external_id"
    )
    assert kept.fetchall() == [(OTHER_MODEL,), ("made-up-7",)]


def test_an_application_that_floods_costs_no_other_a_name(conn: psycopg.Connection) -> None:
    installation = PricingContext.load(conn)
    ingest(conn, flood(MOST_MODELS + 5, application_id=7), installation)
    ingest(conn, [row(9_000, model="mine", application_id=8), row(9_001, model="nobody's")], installation)
    assert {"mine", "nobody's"} <= models(conn)


def test_processes_count_together(conn: psycopg.Connection) -> None:
    first, second = PricingContext.load(conn), PricingContext.load(conn)
    ingest(conn, flood(MOST_MODELS - 100), first)
    ingest(conn, flood(MOST_MODELS, first=10_000), second)
    ingest(conn, flood(MOST_MODELS, first=20_000), first)
    assert len(models(conn) - {OTHER_MODEL}) == MOST_MODELS


def test_processes_that_race_are_told_no_lie(conn: psycopg.Connection) -> None:
    """What one admits while another does is admitted for both."""
    with psycopg.connect(conninfo(), autocommit=True) as other:
        mine, theirs = PricingContext.load(conn), PricingContext.load(other)
        for at in range(0, 200, 20):
            ingest(conn, flood(20, first=at), mine)
            ingest(other, flood(20, first=at), theirs)
    assert OTHER_MODEL not in models(conn) and len(models(conn)) == 200


def test_a_day_begins_with_room_again(conn: psycopg.Connection) -> None:
    installation = PricingContext.load(conn)
    with time_machine.travel(datetime(2026, 11, 30, 23, 59, tzinfo=UTC), tick=False):
        ingest(conn, flood(MOST_MODELS + 1), installation)
    with time_machine.travel(datetime(2026, 12, 1, 0, 1, tzinfo=UTC), tick=False):
        ingest(conn, [row(9_000, model="one-more")], installation)
        assert "one-more" in models(conn)
        apply_retention(datetime.now(UTC).date())
    assert conn.execute("SELECT kind, count(*) FROM traffic_admittedname GROUP BY 1 ORDER BY 1").fetchall() == [
        ("model", 1), ("provider", 1)
    ]  # fmt: skip


def test_providers_and_errors_are_bounded_too(conn: psycopg.Connection) -> None:
    installation = PricingContext.load(conn)
    given = [row(n, provider=f"vendor-{n}", model="m", outcome="error", error_type=f"error_{n}") for n in range(300)]
    ingest(conn, given, installation)
    assert len(models(conn, "provider")) == MOST_PROVIDERS + 1
    assert len(models(conn)) == 2
    kinds = models(conn, "kind", "traffic_error_day")
    assert len(kinds) == MOST_ERROR_TYPES + 1 and "other" in kinds
    assert_rollups_exact(conn)


def test_a_sentence_is_no_kind_of_error_and_takes_no_place(conn: psycopg.Connection) -> None:
    sentences = [row(n, outcome="error", error_type=f"Order {n} failed for Ann") for n in range(MOST_ERROR_TYPES + 50)]
    ingest(conn, [*sentences, row(9_000, outcome="error", error_type="overloaded")], PricingContext.load(conn))
    assert models(conn, "kind", "traffic_error_day") == {"error", "overloaded"}
    assert models(conn, "error_type", "traffic_request") >= {"Order 7 failed for Ann", "overloaded"}


class Counting:
    """A connection that counts what is asked for names."""

    def __init__(self, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries = 0
        admit = cardinality.admit

        def counted(*given: Any) -> Any:
            self.queries += 1
            return admit(*given)

        monkeypatch.setattr(cardinality, "admit", counted)


def test_names_that_were_seen_are_not_asked_for(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    counting, installation = Counting(conn, monkeypatch), PricingContext.load(conn)
    ingest(conn, flood(50), installation)
    assert counting.queries == 2  # the provider, then its models
    for number in range(20):
        ingest(conn, flood(50), PricingContext.load(conn, installation))
        ingest(conn, [row(number)], installation)
    assert counting.queries == 3  # and claude-test, which has no price here
    ingest(conn, flood(MOST_MODELS), installation)
    asked = counting.queries
    for number in range(20):
        ingest(conn, flood(20, first=10_000 + 20 * number), installation)
    assert counting.queries == asked  # there is no room, so nothing is asked


def test_what_a_process_remembers_of_names_is_bounded(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cardinality, "MOST_CACHED", 100_000)
    installation = PricingContext.load(conn)
    for at in range(0, 3_000, 100):
        ingest(conn, flood(100, first=at, application_id=at + 1), installation)
        assert installation.names.size < 100_000 + 100 * 1_000
        assert len(installation.names.admitted) < 1_000


def test_a_name_of_broken_text_is_counted_like_another(conn: psycopg.Connection) -> None:
    ingest(conn, [row(1, model="nul\0model"), row(2, model="näme\\")], PricingContext.load(conn))
    assert models(conn) == {"nul\N{REPLACEMENT CHARACTER}model", "näme\\"}


# --- every way in ---


def native_rows(key: str, names: list[str]) -> None:
    rows = [native.row(id=name, model=name) for name in names]
    assert native.post(key, {"requests": rows}).json()["accepted"] == len(names)


def otlp_spans(key: str, names: list[str]) -> None:
    spans = [
        otlp.span(n + 1, traceId=f"{n + 1:032x}", attributes={**otlp.USAGE, "gen_ai.request.model": name})
        for n, name in enumerate(names)
    ]
    assert otlp.send(key, otlp.body(*spans)).status_code == 200


def litellm_events(key: str, names: list[str]) -> None:
    events = [litellm.event(n, model=name) for n, name in enumerate(names)]
    assert litellm.send(key, json.dumps(events)).json()["accepted"] == len(names)


@pytest.mark.parametrize("way", [native_rows, otlp_spans, litellm_events])
def test_it_holds_for_what_programs_send(key: str, conn: psycopg.Connection, way: Any) -> None:
    way(key, [f"made-up-{n}" for n in range(MOST_MODELS + 40)])
    names = models(conn)
    assert OTHER_MODEL in names and len(names) == MOST_MODELS + 1
    assert conn.execute("SELECT count(*) FROM traffic_request WHERE model = %s", [OTHER_MODEL]).fetchone() == (40,)


def test_it_holds_for_an_import(shop: Application, conn: psycopg.Connection) -> None:
    columns = {"started_at": "time", "provider": "provider", "model": "model", "input": "in", "output": "out"}
    times = [(NOON + timedelta(seconds=n)).isoformat() for n in range(MOST_MODELS + 40)]
    lines = ["time,provider,model,in,out", *(f"{at},openai,made-up-{n},1,1" for n, at in enumerate(times))]
    options = Options(application=shop.slug, columns=columns)
    assert finished(brought("\n".join(lines).encode(), options=options)).state == "done"
    assert len(models(conn)) == MOST_MODELS + 1


def test_it_holds_for_the_gateways_recorder(conn: psycopg.Connection) -> None:
    Store()(conn, flood(MOST_MODELS + 40, source="gateway", key_id=None))
    assert len(models(conn)) == MOST_MODELS + 1


# --- what people see ---


def test_the_page_of_applications_counts_what_is_beyond(key: str, conn: psycopg.Connection) -> None:
    native_rows(key, [f"made-up-{n}" for n in range(MOST_MODELS + 40)])
    page = text(logged_in(person("root", is_superuser=True)), "/settings/applications/")
    assert f"40 with more than {MOST_MODELS} models a day" in page


@pytest.mark.django_db
def test_the_name_for_all_others_gets_no_price() -> None:
    form = PriceForm({"provider": "anthropic", "model": OTHER_MODEL})
    assert "model" in form.errors
