"""One plausible maximum for every way in; no row spoils what is counted for others, and no body fills memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import DataError
from django.test import Client
from django.utils import timezone
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from lib.errors import ApiError
from providers.pricing.book import MOST_ALIASES, Book, Price
from tests.factories import ApplicationFactory, TokenPriceFactory
from tests.traffic import litellm_events as litellm
from tests.traffic import native_posts as native
from tests.traffic import otlp_exports as otlp
from tests.traffic.linearity import assert_linear
from tests.traffic.request_rows import assert_rollups_exact, row
from traffic.authentication.keys import callers, create_key
from traffic.gateway.store import CHARGE
from traffic.imports import generic
from traffic.imports.base import Options
from traffic.imports.readers import FileRecord
from traffic.imports.translate import Translator
from traffic.ingest import bounds, density, pipeline
from traffic.ingest.context import LookupTables, clear_cache
from traffic.ingest.native import outer
from traffic.ingest.otlp import json_encoding as plain
from traffic.ingest.otlp import protobuf as reader
from traffic.ingest.otlp import wire
from traffic.ingest.otlp.spans import Bad, Unreadable
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import Tokens, usd_of
from traffic.ingest.store import ingest
from traffic.models import Key, KeyUse, Request

PROTOBUF = "application/x-protobuf"


@pytest.fixture
def collector(conn: psycopg.Connection) -> str:
    """A key that writes for every application, and a price that makes money of tokens."""
    callers.clear()
    for slug in ("team-a", "team-b"):
        ApplicationFactory.create(slug=slug)
    rate = Decimal(75)  # USD for a million tokens
    classes = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    since = datetime(2020, 1, 1, tzinfo=UTC)
    TokenPriceFactory.create(
        model="claude-opus-4-1",
        starts_at=since,
        seen_at=since,
        **dict.fromkeys(classes, rate),
    )
    clear_cache()
    return create_key(name="collector", scopes=["ingest"])[1]


# --- counters ---


def test_a_team_that_fills_the_counter_of_a_key_costs_another_team_nothing(
    collector: str, conn: psycopg.Connection
) -> None:
    """1,324 spans of a thousand million tokens came to 99,999,999 USD, past which the column held nothing more."""
    usage = {
        **otlp.USAGE, "gen_ai.request.model": "claude-opus-4-1", "gen_ai.usage.input_tokens": 10**9,
        "gen_ai.usage.cache_read.input_tokens": 0, "gen_ai.usage.cache_write.input_tokens": 0,
    }  # fmt: skip
    attack = otlp.body(*[otlp.span(n, attributes=usage) for n in range(1, 1_325)], service="team-b")
    assert otlp.send(collector, attack).json() == {}
    assert otlp.send(collector, attack | otlp.body(otlp.span(9_999, attributes=usage), service="team-b")).json() == {}
    honest = otlp.span(5_000, attributes={**usage, "gen_ai.usage.input_tokens": 100})
    answer = otlp.send(collector, otlp.body(honest, service="team-a"))
    assert (answer.status_code, answer.json()) == (200, {})
    assert Request.objects.filter(application__slug="team-a").count() == 1
    assert KeyUse.objects.get().cost > 99_000_000
    assert_rollups_exact(conn)


def test_what_a_counter_cannot_hold_leaves_it_full(collector: str, conn: psycopg.Connection) -> None:
    assert native.post(collector, {"requests": [native.row(id="1")]}).json()["accepted"] == 1
    KeyUse.objects.update(tokens=2**63 - 5, cost=Decimal(999999999999999998))
    priced = native.row(id="2", model="claude-opus-4-1", tokens={"output": bounds.MOST_TOKENS})
    assert native.post(collector, {"requests": [priced]}).json()["accepted"] == 1
    use = KeyUse.objects.get()
    assert (use.tokens, use.cost) == (2**63 - 1, Decimal(999999999999999999))


def test_an_estimate_that_a_counter_cannot_hold_leaves_it_full(collector: str, conn: psycopg.Connection) -> None:
    assert native.post(collector, {"requests": [native.row(id="1")]}).json()["accepted"] == 1
    key = Key.objects.get()
    KeyUse.objects.update(estimated_tokens=2**63 - 5, estimated_cost=Decimal(999999999999999998))
    conn.execute(CHARGE, {"key": key.pk, "tokens": bounds.MOST_TOKENS, "cost": bounds.MOST_USD})
    use = KeyUse.objects.get()
    assert (use.estimated_tokens, use.estimated_cost) == (2**63 - 1, Decimal(999999999999999999))


TOO_MANY = 5 * 10**12


def test_a_row_of_too_many_tokens_is_rejected_alone_by_the_native_way_in(collector: str) -> None:
    rows = [native.row(id="a", tokens={"output": TOO_MANY}), native.row(id="b", tokens={"output": 10})]
    answer = native.post(collector, {"requests": rows})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (1, [0])
    assert told["rejected"][0]["errors"][0]["loc"] == ["tokens", "output"]


@pytest.mark.parametrize("count", [bounds.MOST_TOKENS + 1, TOO_MANY, 2**63 - 1, 10**30])
def test_telemetry_of_too_many_tokens_is_kept_as_a_call_of_unknown_usage(
    collector: str, conn: psycopg.Connection, count: int
) -> None:
    usage = {**otlp.USAGE, "gen_ai.usage.output_tokens": str(count)}
    assert otlp.send(collector, otlp.body(otlp.span(1, attributes=usage), otlp.span(2))).json() == {}
    litellm.send(collector, json.dumps([litellm.event(1, completion_tokens=count), litellm.event(2)]))
    counted = Request.objects.exclude(uncached_input=None).count()
    assert (Request.objects.count(), counted) == (4, 2)
    assert_rollups_exact(conn)


def record(**given: Any) -> FileRecord:
    values = {"when": timezone.now().isoformat(), "model": "m", "vendor": "openai", "in": "1", "out": "1", **given}
    return FileRecord(1, values)


COLUMNS = {"started_at": "when", "model": "model", "provider": "vendor", "input": "in", "output": "out",
           "http_status": "status", "latency_ms": "ms"}  # fmt: skip


@pytest.mark.parametrize(
    "bad",
    [
        {"out": str(TOO_MANY)}, {"out": "1e999999999"}, {"out": "9" * 5_000}, {"status": "9" * 5_000},
        {"when": "9999-12-31T23:59:59-12:00"}, {"when": "0001-01-01T00:00:00+12:00"}, {"ms": "1e400"},
        {"model": "m" * 201}, {"model": "\ud83d"}, {"out": "NaN", "in": "Infinity"},
    ],
)  # fmt: skip
def test_a_record_that_cannot_be_is_listed_and_the_next_one_read(bad: dict[str, str]) -> None:
    translator = Translator(generic.FORMAT, Options(columns=COLUMNS), LookupTables({}, {}, 400), timezone.now())
    became = translator(record(**bad))
    assert became.problem or became.request is not None
    assert translator(record()).request is not None
    if "out" in bad or "model" in bad or "when" in bad:
        assert became.problem and became.request is None


def test_a_row_that_the_database_refuses_is_set_aside_alone_at_every_way_in(
    collector: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure that no check foresaw; here a count that the column has no room for."""
    judge = PricingContext.stage

    def spoilt(self: PricingContext, given: Any) -> Any:
        staged = judge(self, given)
        if given.model == "spoilt":
            staged.row.tokens = Tokens(output=10**20)
        return staged

    monkeypatch.setattr(PricingContext, "stage", spoilt)
    rows = [native.row(id=str(n), model="spoilt" if n == 3 else "m") for n in range(6)]
    rows.insert(0, native.row(id="bad", colour="red"))
    told = native.post(collector, {"requests": rows}).json()
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (5, [0, 4])
    assert told["rejected"][1]["errors"][0]["msg"] == pipeline.REFUSED
    events = [litellm.event(n, model="spoilt" if n == 2 else "m") for n in range(1, 5)]
    told = litellm.send(collector, json.dumps(events)).json()
    assert (told["accepted"], [one["index"] for one in told["rejected"]]) == (3, [1])
    assert_rollups_exact(conn)


def test_a_file_with_a_row_that_the_database_refuses_brings_the_others(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, settings: Any
) -> None:
    from tests.traffic.import_files import brought, finished

    settings.DATA_DIR = tmp_path
    clear_cache()
    judge = PricingContext.stage

    def spoilt(self: PricingContext, given: Any) -> Any:
        staged = judge(self, given)
        staged.row.tokens = Tokens(output=10**20) if given.model == "spoilt" else staged.row.tokens
        return staged

    monkeypatch.setattr(PricingContext, "stage", spoilt)
    at = timezone.now().isoformat()
    lines = ["started_at,model,provider,output_tokens,input_tokens,id"]
    lines += [f"{at},{'spoilt' if n == 4 else 'm'},openai,1,1,id{n}" for n in range(9)]
    columns = {name: name for name in ("started_at", "model", "provider", "id")}
    columns |= {"input": "input_tokens", "output": "output_tokens"}
    done = finished(brought("\n".join(lines).encode(), options=Options(columns=columns)))
    assert (done.state, done.accepted, done.duplicates, done.rejected) == ("done", 8, 0, 1)
    assert list(done.set_aside.values_list("line", "words")) == [(6, pipeline.REFUSED)]


def test_a_batch_of_nothing_but_refused_rows_is_not_tried_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def refuse(rows: Any, **_given: Any) -> None:
        tries.append(len(rows))
        raise DataError

    monkeypatch.setattr(pipeline, "store", refuse)
    stored = pipeline.store_apart([row(n) for n in range(5_000)])
    assert sorted(stored.refused) == list(range(5_000))
    assert len(tries) < 2 * pipeline.MOST_TRIES


# --- what one request can be ---


@pytest.mark.parametrize(
    ("given", "amount"),
    [
        ("0.5", Decimal("0.5")), (0.25, Decimal("0.25")), (999_999, Decimal(999_999)), (1_000_000, None),
        ("1e99", None), ("1e-999999", None), ("9" * 60, None), (float("nan"), None), (float("inf"), None),
        ([[1]], None), (True, None),
    ],
)  # fmt: skip
def test_a_reported_cost_is_an_amount_or_unknown(given: Any, amount: Decimal | None) -> None:
    assert usd_of(given) == amount


def test_a_price_that_makes_a_request_cost_a_million_is_taken_for_wrong(conn: psycopg.Connection) -> None:
    for rate in (Decimal("0.1"), Decimal(10**7)):
        price = Price(1, datetime(2020, 1, 1, tzinfo=UTC), (rate,) * 5)
        book = Book({("p", "m"): [price]})
        ingest(
            conn,
            [row(1, provider="p", model="m", tokens=Tokens(output=10**9))],
            PricingContext(b"s" * 32, book, frozenset()),
        )
    assert list(Request.objects.values_list("cost", "cost_reason").distinct()) == [(None, "unknown_rate")]


def test_a_book_does_not_keep_every_name_that_callers_make_up() -> None:
    book = Book({("p", "m"): [Price(1, datetime(2020, 1, 1, tzinfo=UTC), (Decimal(1),) * 5)]})
    for number in range(2 * MOST_ALIASES + 10):
        assert book.versions("p", f"made-up-{number}x") is None
    assert len(book.aliases) <= MOST_ALIASES
    assert book.versions("p", "vendor/m") is not None


@pytest.mark.parametrize("field", ["provider", "model", "id", "error_type", "response_id", "user", "service_tier"])
def test_names_that_are_too_long_are_rejected_by_the_native_way_in(collector: str, field: str) -> None:
    told = native.post(collector, {"requests": [native.row(id="good"), native.row(**{field: "x" * 201})]}).json()
    assert (told["accepted"], told["rejected"][0]["errors"][0]["loc"]) == (1, [field])


def test_names_that_are_too_long_are_cut_where_nobody_reads_a_refusal(collector: str, conn: psycopg.Connection) -> None:
    long = "n" * 50_000
    named = ("gen_ai.request.model", "gen_ai.provider.name", "gen_ai.response.id", "error.type", "user.id")
    span = otlp.span(1, attributes={**otlp.USAGE, **dict.fromkeys(named, long)}, name=long)
    assert otlp.send(collector, otlp.body(span, service=long)).json() == {}
    names = ("model", "custom_llm_provider", "id", "litellm_call_id", "end_user")
    told = litellm.send(collector, json.dumps(litellm.event(1, **dict.fromkeys(names, long)))).json()
    assert told["accepted"] + told["duplicates"] == 1  # the vendor's id is the span's
    columns = "model, provider, response_id, error_type, external_id"
    for found in conn.execute(f"SELECT {columns} FROM traffic_request").fetchall():
        assert max(len(value or "") for value in found) <= bounds.LONGEST_NAME
    sizes = conn.execute("SELECT max(length(raw::text)) FROM traffic_request").fetchone()
    assert sizes is not None and sizes[0] < 5_000


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_a_time_at_the_end_of_the_calendar_is_rejected(collector: str, at: str) -> None:
    told = native.post(collector, {"requests": [native.row(id="good"), native.row(started_at=at)]}).json()
    assert (told["accepted"], told["rejected"][0]["errors"][0]["loc"]) == (1, ["started_at"])


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e400", "-1", "1e11", '"x"'])
@pytest.mark.parametrize("field", ["latency_ms", "ttft_ms", "http_status"])
def test_figures_that_are_none_cost_their_row_alone(collector: str, figure: str, field: str) -> None:
    bad = json.dumps(native.row(**{field: "FIGURE"})).replace('"FIGURE"', figure)
    answer = native.post(collector, f'{{"requests": [{json.dumps(native.row(id="good"))}, {bad}]}}'.encode())
    assert answer.status_code in (200, 400)  # NaN and Infinity are no JSON
    if answer.status_code == 200:
        assert (answer.json()["accepted"], len(answer.json()["rejected"])) == (1, 1)


def test_a_call_that_lasts_longer_than_a_day_has_no_latency(collector: str, conn: psycopg.Connection) -> None:
    native.post(collector, {"requests": [native.row(id="a", latency_ms=1e10, ttft_ms=5.0)]})
    assert conn.execute("SELECT latency_ms, ttft_ms, raw -> 'doubts' FROM traffic_request").fetchall() == [
        (None, None, ["long_duration"])
    ]


# --- how many ---


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Bounds of three items."""
    for module in (plain, reader, services_of_litellm()):
        monkeypatch.setattr(module, "MOST_ITEMS", 3)
    yield 3


def services_of_litellm() -> Any:
    from traffic.ingest import litellm as module

    return module


@pytest.mark.usefixtures("few")
def test_an_export_is_read_as_far_as_its_bound_and_says_how_much_is_not(
    collector: str, conn: psycopg.Connection
) -> None:
    spans = [otlp.span(number) for number in range(1, 8)]
    answer = otlp.send(collector, otlp.body(*spans)).json()["partialSuccess"]
    assert answer["rejectedSpans"] == "4"
    assert answer["errorMessage"].endswith("items. 4 more were not read.")
    told = ExportTraceServiceResponse.FromString(
        otlp.send(collector, otlp.protobuf(otlp.body(*spans)), PROTOBUF).content
    )
    assert told.partial_success.rejected_spans >= 4
    assert len(otlp.rows(conn, "id")) == 3
    events = [litellm.event(number) for number in range(7)]
    for pack in (json.dumps(events), "\n".join(json.dumps(event) for event in events)):
        answer = litellm.send(collector, pack).json()
        assert [one["index"] for one in answer["rejected"]] == [3]
        assert answer["accepted"] + answer["duplicates"] == 3


MILLIONS = 31_000_000


def empty_spans(count: int) -> bytes:
    scopes = wire.framed(2, b"\x12\x00" * count)
    return wire.framed(1, scopes)


def test_millions_of_empty_spans_cost_little() -> None:
    """A quarter of a megabyte, compressed, was more than a gigabyte of memory and minutes."""
    half, body = empty_spans(MILLIONS // 2), empty_spans(MILLIONS)
    tracemalloc.start()
    read = [item for item in reader.read(body, "metrics") if item is not None]
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == [Bad(read[0].reason, MILLIONS - bounds.MOST_ITEMS)]  # type: ignore[union-attr]
    assert peak < 40 << 20
    assert_linear(lambda: list(reader.read(half, "metrics")), lambda: list(reader.read(body, "metrics")))


@pytest.mark.parametrize(
    "body",
    [
        b"\x0a\x00" * 100_000,  # resources
        wire.framed(1, b"\x12\x00" * 100_000),  # scopes
        wire.framed(1, wire.framed(2, (b"\x12\x00" + b"\x12\x02\x08\x00") * 30_000)),  # spans that do not repeat
    ],
    ids=["resources", "scopes", "spans"],
)
def test_ten_times_too_many_of_anything_else_cost_little(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_ITEMS", 10_000)
    tracemalloc.start()
    bad = [item for item in reader.read(body, "metrics") if isinstance(item, Bad)]
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(item.items for item in bad) > 19_000
    assert peak < 4 << 20


@pytest.mark.parametrize("number", [9, 11, 13], ids=["attributes", "events", "links"])
def test_a_span_of_too_many_parts_is_rejected_before_it_is_made(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_PARTS", 50_000)
    span = wire.framed(number, b"") * 100_000
    body = wire.framed(1, wire.framed(2, wire.framed(2, span)))
    tracemalloc.start()
    read = list(reader.read(body, "traces"))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert read == [Bad("A span has more than 50,000 parts.")]
    assert peak < 4 << 20


def test_values_in_a_value_count_as_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MOST_PARTS", 50_000)
    values = wire.framed(5, b"\x0a\x00" * 60_000)
    span = wire.framed(9, wire.framed(1, b"x") + wire.framed(2, values))
    (bad,) = reader.read(wire.framed(1, wire.framed(2, wire.framed(2, span))), "traces")
    assert isinstance(bad, Bad) and "parts" in bad.reason
    resource = wire.framed(1, wire.framed(1, wire.framed(1, b"x") + wire.framed(2, values)))
    scope = wire.framed(2, wire.framed(2, b"") * 3)
    assert list(reader.read(wire.framed(1, resource + scope), "traces")) == [Bad(bad.reason, 3)]


@pytest.mark.parametrize("item", [b"{}", b"0", b'"ab"', b'{"a":[1.5]}'])
def test_json_that_is_made_to_fill_memory_is_refused_before_it_is_read(item: bytes) -> None:
    many = b"[" + (item + b",") * density.MOST_VALUES + b"0]"
    tracemalloc.start()
    for read in (
        lambda: outer(b'{"requests":' + many + b"}"),
        lambda: list(plain.read(b'{"resourceSpans":' + many + b"}", "traces")),
        lambda: list(services_of_litellm().events_of(many)),
    ):
        with pytest.raises(ApiError) as refused:
            read()
        assert refused.value.status == 413
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * len(many) + (1 << 20)


@pytest.mark.parametrize("torn", [b"\x0a", b"\x0a" + b"\xff" * 10 + b"\x01", b"\x0b\x00", b"\x00", b"\x0a\x02\x12"])
def test_bytes_that_are_no_protobuf_are_unreadable(torn: bytes) -> None:
    whole = otlp.protobuf(otlp.body(otlp.span(1), otlp.span(2)))
    for body in (torn, whole + torn, whole[:-1], whole[:10]):
        with pytest.raises(Unreadable):
            list(reader.read(body, "traces"))


def test_fields_that_nobody_knows_are_passed_over() -> None:
    whole = otlp.protobuf(otlp.body(otlp.span(1), otlp.span(2)))
    assert len(list(reader.read(whole + b"\x10\x01\x7a\x01a", "traces"))) == 2


def test_the_answer_to_a_full_export_comes_from_the_whole_stack_too(collector: str) -> None:
    answer = Client().post(
        "/v1/traces", empty_spans(200_000), content_type=PROTOBUF, headers={"Authorization": f"Bearer {collector}"}
    )
    told = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, told.rejected_spans) == (200, 200_000)
