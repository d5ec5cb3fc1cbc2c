"""What is kept from one span for the next gives every span what it would get alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from providers.pricing.book import Book
from traffic.authentication.keys import Caller
from traffic.ingest.batch import raw_text
from traffic.ingest.context import KnownDeployment, LookupTables
from traffic.ingest.otlp import key_values, names, rows
from traffic.ingest.otlp.rows import rows_of
from traffic.ingest.otlp.spans import Span
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.redaction.rules import redaction_of

NOW = datetime.now(UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
CALLER = Caller(1, None, None, False, frozenset(["ingest"]), None)
TEXTS = [
    "chat",
    "embeddings",
    "openai",
    "azure.ai.openai",
    "gpt-x",
    "TimeoutError",
    "flex",
    "true",
    "engine",
    "",
    "200",
]
VALUES = st.sampled_from([*TEXTS, 0, 1, 200, 529, 2.0, True, False, ["a"], None])
NAMES = st.sampled_from([*sorted(names.WORDS), *names.INPUT, *names.FINISH, "anything"])


def directory() -> LookupTables:
    ours = KnownDeployment(7, "self", "qwen")
    return LookupTables({"shop": (3, True)}, {"engine": 7}, 400, {"engine:443": ours}, {"engine": ours})


def span(attributes: dict[str, Any], name: str, status: int, service: Any, events: list[Any]) -> Span:
    resource = {"service.name": service}
    return Span("0" * 31 + "1", "0" * 15 + "1", "", name, "scope", 1, 2, status, attributes, resource, events)


@given(
    st.lists(
        st.builds(
            span,
            st.dictionaries(NAMES, VALUES, max_size=8),
            st.sampled_from(["chat", "llm_request", "claude_code.llm_request"]),
            st.sampled_from([0, 1, 2]),
            st.sampled_from(["shop", "engine", None, ["odd"]]),
            st.sampled_from([[], [("exception", 1, {"exception.type": "Timeout"})], [("gen_ai.choice", 1, {})]]),
        ),
        max_size=30,
    )
)
def test_a_kind_that_is_kept_is_what_the_span_itself_would_be_judged(spans: list[Span]) -> None:
    known = directory()
    for one in spans:
        assert rows.kind_of(one, CALLER, known) == rows.classify(one, CALLER, known)


@pytest.mark.parametrize("words", [(1, True), (1.0, 1), (True, 1.0), ("1", 1)])
def test_equal_values_of_two_types_are_two_words(words: tuple[Any, Any]) -> None:
    """Python takes 1, 1.0 and True for one key; as a model, a port or a service they are three."""
    known = directory()
    known.applications["1"] = (4, False)
    known.endpoints["h:1"] = KnownDeployment(8, "self", "at-port-1")
    makers: tuple[Callable[[Any], Span], ...] = (
        lambda value: span({"gen_ai.operation.name": "chat", "gen_ai.request.model": value}, "chat", 0, "shop", []),
        lambda value: span({"gen_ai.request.model": value}, "llm_request", 0, "shop", []),
        lambda value: span({"server.address": "h", "server.port": value}, "llm_request", 0, "shop", []),
        lambda value: span({"gen_ai.operation.name": "chat"}, "chat", 0, value, []),
    )
    for make in makers:
        for value in words:
            found, alone = rows.kind_of(make(value), CALLER, known), rows.classify(make(value), CALLER, known)
            assert (found, repr(found.words)) == (alone, repr(alone.words))


def test_many_or_long_names_of_attributes_are_not_kept() -> None:
    """Each such span has names of its own: what is kept of it would push out the others, and hold megabytes."""
    known, before = directory(), len(names._shapes)
    asked = {"gen_ai.operation.name": "chat"}
    for odd in ({f"name.{n}": 1 for n in range(names.FEW)}, {"n" * 100_000: 1}):
        one = span({**asked, **odd}, "chat", 0, "shop", [])
        assert rows.kind_of(one, CALLER, known).is_request
    assert (len(known.kinds), len(names._shapes)) == (0, before)
    assert names.shape(span({"n" * 100_000: 1}, "chat", 0, "shop", [])).rest == ()


def test_what_is_kept_has_bounds() -> None:
    known = directory()

    def judge(**words: Any) -> None:
        attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **words}
        rows.kind_of(span(attributes, "chat", 0, "shop", []), CALLER, known)

    for number in range(rows.MOST_KINDS + 10):
        judge(**{"error.type": str(number)})
    assert 0 < len(known.kinds) <= rows.MOST_KINDS
    before = len(known.kinds)
    judge(**{"error.type": "x" * 100_000})
    assert len(known.kinds) == before


def test_names_that_a_log_record_gets_are_those_of_a_span() -> None:
    """The shape of the record's own names would not know them."""
    record = span({"request_id": "req_1", "status_code": 529, "model": "claude-x"}, "", 0, "shop", [])
    assert names.text(record, ("request_id",)) == "req_1"
    from traffic.ingest.otlp.logs import claude_code

    call = claude_code(record, "claude_code.api_error")
    assert call is not None
    assert (names.response_id_of(call), rows.status_of(call)) == ("req_1", 529)
    assert names.response_id_of(span(dict(record.attributes), "", 0, "shop", [])) is None


# Whatever spans say, and whoever said it before.

ODD = st.sampled_from(
    ["", "chat", "openai", "gpt-x", "true", "1", "flex", "engine", "shop", "ann@example.org", "415-555-2671",
     "s\0k-AAAABBBBCCCCDDDDEEEE", "sk-AAAABBBBCCCCDDDDEEEE", "CUST-1234", "Bob-Marley", "x" * 2_001, "429", 0, 1, True,
     False, 1.0, 200, 200.0, -1, 2**62, float("nan"), float("inf"), None, ["ann@example.org"], [],
     [["sk-AAAABBBBCCCCDDDDEEEE"]], {"ann@example.org": 1}, {"role": "user", "content": "Bob-Marley"}],
)  # fmt: skip
ODD_NAMES = st.sampled_from(
    [*sorted(names.WORDS), *names.INPUT, *names.OUTPUT, *names.FINISH, *names.USER, *names.RESPONSE_ID, *names.TTFT_S,
     *names.COST, "anything", "ann@example.org", "n\0ame", "user.name", "gen_ai.prompt.0.content"],
)  # fmt: skip
KNOWN = PricingContext(
    b"salt", Book({}), frozenset(), {3: redaction_of(("email", "secret"), ("CUST-[0-9]{4}",)), 4: redaction_of((), ())}
)
CALLERS = [
    CALLER,
    Caller(2, 3, "shop", True, frozenset(["ingest"]), None),
    Caller(3, 4, "own", False, frozenset(), None),
]
odd_spans = st.builds(
    span,
    st.dictionaries(ODD_NAMES, ODD, max_size=6).map(lambda said: {"gen_ai.operation.name": "chat", **said}),
    st.sampled_from(["chat", "llm_request", "claude_code.llm_request", "to ann@example.org"]),
    st.sampled_from([0, 2]),
    ODD,
    st.sampled_from([[], [("exception", 1, {"exception.type": "Timeout"})], [("gen_ai.choice", 1, {})]]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(odd_spans, st.sampled_from(CALLERS)), min_size=2, max_size=12))
def test_a_row_is_the_same_whatever_was_judged_before(spans: list[tuple[Span, Caller]]) -> None:
    """Also what is stored of it: whoever looks for what must not be kept only once finds as much as who looks twice."""
    shared = directory()
    for one, caller in spans:
        rows, alone = read_by(shared, one, caller), read_by(directory(), one, caller)
        assert repr(rows) == repr(alone)
        for row in rows:
            assert raw_text(KNOWN.stage(replace(row))) == raw_text(KNOWN.stage(replace(row, suspect=None)))


def read_by(known: LookupTables, one: Span, caller: Caller) -> list[RequestRow]:
    fresh = replace(one, attributes=dict(one.attributes), shape=None, kind=None, start_ns=NOW_NS, end_ns=NOW_NS + 10)
    return rows_of([fresh], caller, known, NOW).rows


def pairs(item: bytes, read: Callable[[bytes], Any]) -> Any:
    try:
        return read(item)
    except DecodeError:
        return DecodeError


written = st.builds(
    lambda key, value: KeyValue(key=key, value=value).SerializeToString(),
    st.text(max_size=130),
    st.one_of(
        st.builds(lambda v: AnyValue(int_value=v), st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20_000)),
        st.builds(lambda v: AnyValue(double_value=v), st.floats(allow_nan=False)),
        st.builds(lambda v: AnyValue(bool_value=v), st.booleans()),
        st.builds(lambda v: AnyValue(string_value=v), st.text(max_size=130)),
        st.builds(lambda v: AnyValue(bytes_value=v), st.binary(max_size=9)),
        st.just(AnyValue()),
    ),
)


@given(written)
def test_a_pair_as_it_is_written_is_read_as_protobuf_reads_it(item: bytes) -> None:
    assert key_values.plain_pair_of(item) in (None, key_values.pair_of(item))


@given(written, st.integers(0, 300), st.integers(0, 255))
@example(KeyValue(key="a", value=AnyValue(int_value=5)).SerializeToString() + b"\x12\x02\x18\x07", 0, 0x0A)
def test_a_pair_that_is_broken_is_left_to_protobuf(item: bytes, at: int, byte: int) -> None:
    at %= len(item)
    odd = item[:at] + bytes([byte]) + item[at + 1 :]
    plain = key_values.plain_pair_of(odd)
    assert plain is None or repr(plain) == repr(pairs(odd, key_values.pair_of))  # NaN is no NaN's equal


@pytest.mark.parametrize("value", ["text", 5, 300, 1.5])
def test_common_pairs_are_read_plainly(value: Any) -> None:
    """Else the quick way would have gone without anyone noticing."""
    said = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
    item = KeyValue(key="gen_ai.usage.output_tokens", value=AnyValue(**{said: value})).SerializeToString()
    assert key_values.plain_pair_of(item) == ("gen_ai.usage.output_tokens", value) == key_values.pair_of(item)
