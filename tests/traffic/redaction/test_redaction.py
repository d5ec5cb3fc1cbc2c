"""What people write loses what must not be kept, before it is stored or spooled, whatever way it came in."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.traffic.people import application, logged_in, person, text
from traffic.authentication.keys import buckets, callers, create_key
from traffic.gateway import snapshot as gateway_snapshot
from traffic.gateway.answers import Answer
from traffic.gateway.exchange import Exchange
from traffic.gateway.protocols import OPENAI, read_request
from traffic.gateway.recorder import Recorder
from traffic.gateway.routes import Decision, Target
from traffic.gateway.spool import Spool
from traffic.ingest.context import clear_cache
from traffic.ingest.litellm import facts_of
from traffic.ingest.pricing import PricingContext
from traffic.ingest.rows import RequestRow
from traffic.ingest.store import ingest
from traffic.models import Application, RedactKind, Request, RequestBody
from traffic.redaction.own_patterns import BadPattern, checked
from traffic.redaction.rules import EVERYTHING, KINDS, Redaction, redaction_of
from traffic.request_ids import user_hash


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    callers.clear()
    buckets.clear()
    clear_cache()
    yield
    clear_cache()


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PRIVATE = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----"
FOUND = {
    "[e-mail]": ("ann.lee+x@example.co.uk", "ÄNN@exämple.de", "a_b@c-d.io"),
    "[phone]": ("+39 06 1234 5678", "+14155552671", "(415) 555-2671", "415-555-2671", "0171 2345678"),
    "[card]": ("4111 1111 1111 1111", "4111111111111111", "3782-822463-10005", "5555555555554444", "6011000990139424"),
    "[secret]": (
        "sk-ant-api03-abcdefghijklmnop", "sk-proj-AAAABBBBCCCCDDDD", "AKIAIOSFODNN7EXAMPLE", JWT, PRIVATE,
        "ghp_0123456789abcdefghijABCDEFGHIJ012345", "glpat-abcdefghij0123456789",
    ),
}  # fmt: skip
CASES = [(kind, value) for kind, values in FOUND.items() for value in values]


@pytest.mark.parametrize(("kind", "value"), CASES)
@pytest.mark.parametrize("around", ["{}", "see {}, please", "({})", '"{}"', "a:\n{}\nb"])
def test_each_kind_is_taken_out_wherever_it_stands(kind: str, value: str, around: str) -> None:
    assert EVERYTHING.text(around.format(value)) == around.format(kind)


@pytest.mark.parametrize(
    "value",
    [
        "4111 1111 1111 1112",  # the check digit is wrong
        "2026-11-24T10:00:00.123456+01:00",
        "550e8400-e29b-41d4-a716-446655440000",
        "1763981234567",
        "10.0.0.1:8080",
        "$1,234,567.89 in 2024-2025",
        "978-3-16-148410-0",
        "task-sk-1",
        "chatcmpl-9abcDEF1234567890",
        "@decorator and a @ b",
        "claude-sonnet-4-5-20250929",
    ],
)
def test_what_only_looks_alike_stays(value: str) -> None:
    assert EVERYTHING.text(value) == value


def test_a_card_among_other_numbers_is_found() -> None:
    assert (
        EVERYTHING.text("12 4111-1111-1111-1111 9, 4111111111111111 4111111111111111") == "12 [card] 9, [card] [card]"
    )
    assert EVERYTHING.text("4111111111111121") == "4111111111111121", "its last digit is no check digit"


def test_an_application_may_keep_a_kind_and_take_out_its_own() -> None:
    chosen = redaction_of(("email",), ("CUST-[0-9]{4,10}", "(?i)project (?:apollo|zeus)"))
    assert chosen.text("CUST-12345 of Project ZEUS: a@b.co, 4111111111111111") == (
        "[redacted] of [redacted]: [e-mail], 4111111111111111"
    )
    assert sorted(KINDS) == sorted(RedactKind.values)


def test_json_is_read_before_so_that_escapes_hide_nothing() -> None:
    prompt = json.dumps([{"role": "user", "content": "line\nsk-abcdefghijklmnop1 ann\u00e4@ex\u00e4mple.de"}])
    assert "\\nsk-" in prompt and "\\u00e4" in prompt
    found = EVERYTHING.prompt(prompt)
    assert found is not None
    assert json.loads(found) == [{"role": "user", "content": "line\n[secret] [e-mail]"}]
    plain = '[{"role": "user",  "content": "Hello"}]'
    assert EVERYTHING.prompt(plain) == plain  # untouched to the byte
    assert EVERYTHING.prompt("[not json a@b.co") == "[not json [e-mail]"
    assert EVERYTHING.tree({"a@b.co": [1, 2.5, None, {"x": "a@b.co"}]}) == {
        "[e-mail]": [1, 2.5, None, {"x": "[e-mail]"}]
    }


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.sampled_from(CASES), st.text(max_size=60))
def test_nothing_around_it_hides_a_secret_and_twice_is_as_once(before: str, case: tuple[str, str], after: str) -> None:
    kind, value = case
    once = EVERYTHING.text(f"{before} \n{value}\n {after}")
    if kind in ("[secret]", "[e-mail]"):
        assert value not in once
    assert EVERYTHING.text(once) == once


# Own patterns.


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a{1,50}){1,50}b", "too many ways"),
        ("(?:[a-z]{1,400}x){1,2}(?:[a-z]{1,900}y){1,2}", "too many ways"),
        ("(a)\\1", "refer back"),
        ("(?=a)b", "look ahead"),
        ("(?>a)b", "hold on"),
        ("a++", "no regular expression"),
        ("a{0,3}", "empty text"),
        ("a*", "empty text"),
        ("(", "no regular expression"),
        ("\\C", "half a character"),
        ("\\bÄrzte", "letters a to z"),
        ("x" * 201, "200 characters"),
    ],
)
def test_a_pattern_that_cannot_be_run_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=why):
        checked(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "left"),
    [
        ("(a+)+b", "aaab aac", "[redacted] aac"),
        (".*x", "no\nyes x y", "no\n[redacted] y"),
        ("CUST-\\d{4,10}", "CUST-1234, CUST-\u0661\u0662\u0663\u0664", "[redacted], [redacted]"),
        ("Herr \\w+", "Herr Müller, Herr Østergård.", "[redacted], [redacted]."),
        ("Nr\\s\\w{,3}", "Nr\u00a0ä12", "[redacted]"),
        ("[\\w.]+!", "é.x! -", "[redacted] -"),
        ("[]x]+;", "a]x;", "a[redacted]"),
        ("[^]x]+;", "a]by;", "a][redacted]"),
        ("\\[\\w+\\]", "a [Zoë]", "a [redacted]"),
        ("end\\Z", "end end", "end [redacted]"),
        ("x|\\b", "axa x", "a[redacted]a [redacted]"),
    ],
)
def test_own_patterns_mean_what_they_did_beyond_ascii_too(pattern: str, text: str, left: str) -> None:
    assert Redaction((), (checked(pattern),)).text(text) == left


def test_a_stored_pattern_that_cannot_be_run_any_more_keeps_no_text() -> None:
    chosen = redaction_of(KINDS, ("CUST-[0-9]{4,10}", "a{1,9}+b"))
    assert chosen.text("hello") == "[redacted: pattern 2 cannot be run]"
    assert chosen.optional(None) is None
    assert chosen.needed({"a": 1})


def test_a_match_across_two_windows_is_found() -> None:
    chosen = Redaction((), (checked("CUST-[0-9]{4,10}"),))
    for place in range(4_080, 4_110):
        assert "CUST" not in chosen.text("x" * place + " CUST-1234567 " + "y" * 9_000)


# At the ways in.

TEXT = "I am ann@example.org, card 4111 1111 1111 1111, CUST-4711"
KEPT = "I am [e-mail], card [card], [redacted]"


@pytest.fixture
def shop(transactional_db: Any) -> Application:
    made = application("shop")
    Application.objects.filter(pk=made.pk).update(redact_patterns=["CUST-[0-9]{4,10}"])
    return made


def test_the_native_way_in_keeps_the_redacted_text_alone(shop: Application, client: Client, conn: Any) -> None:
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    sent = {
        "started_at": "2099-01-01T00:00:00Z", "provider": "openai", "model": "m", "user": "ann@example.org",
        "prompt": [{"role": "user", "content": TEXT}], "answer": TEXT, "error_type": "bad ann@example.org",
    }  # fmt: skip
    sent["started_at"] = now()
    answer = client.post(
        "/api/v1/requests", json.dumps({"requests": [sent]}), content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )  # fmt: skip
    assert answer.json()["accepted"] == 1
    body = RequestBody.objects.get()
    assert json.loads(body.prompt or "") == [{"role": "user", "content": KEPT}]
    assert body.answer == KEPT
    assert Request.objects.get().error_type == "bad [e-mail]"
    assert_nowhere(conn, "ann@example.org")


def now() -> str:
    from django.utils import timezone

    return timezone.now().isoformat()


def assert_nowhere(conn: psycopg.Connection, marker: str) -> None:
    for table in ("traffic_request", "traffic_request_body"):
        found = conn.execute(f"SELECT count(*) FROM {table} AS t WHERE t::text ILIKE %s", [f"%{marker}%"]).fetchone()
        assert found == (0,), table


def otlp(user: str) -> dict[str, Any]:
    nanos = str(int(time.time() * 1e9))
    values = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
        "user.id": user, "app.customer.email": user, "app.note": f"asked by {user}", "app.phone": "+39 06 1234 5678",
    }  # fmt: skip
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]
    span = {
        "traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331", "name": "chat gpt-5",
        "startTimeUnixNano": nanos, "endTimeUnixNano": nanos, "attributes": attributes,
    }  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def litellm(user: str) -> list[dict[str, Any]]:
    return [
        {
            "id": "chatcmpl-1234567890abcdefgh", "litellm_call_id": "c1", "startTime": time.time(),
            "endTime": time.time(), "model": "gpt-5", "custom_llm_provider": "openai", "status": "success",
            "end_user": user,
            "metadata": {"user_api_key_user_id": user, "user_api_key_end_user_id": user, "note": f"by {user}"},
            "request_tags": [f"User: {user}", "ann@example.org"],
        }
    ]  # fmt: skip


@pytest.mark.parametrize(("path", "make"), [("/v1/traces", otlp), ("/ingest/litellm", litellm)])
def test_telemetry_keeps_users_as_salted_hashes_and_raw_facts_without_them(
    shop: Application, client: Client, conn: psycopg.Connection, path: str, make: Any
) -> None:
    _key, secret = create_key(name="k", scopes=["ingest"], application=shop)
    answer = client.post(
        path, json.dumps(make("MARKER-ann-lee")), content_type="application/json",
        headers={"authorization": f"Bearer {secret}"},
    )  # fmt: skip
    assert answer.status_code == 200
    stored = Request.objects.get()
    salt = PricingContext.load(conn).salt
    assert stored.user_hash == user_hash(salt, "MARKER-ann-lee")
    assert stored.user_hash != user_hash(b"another installation's salt", "MARKER-ann-lee")
    assert stored.raw is not None
    for marker in ("MARKER-ann-lee", "ann@example.org", "1234 5678"):
        assert_nowhere(conn, marker)


def test_imports_hash_users_and_redact_what_they_keep(shop: Application, conn: psycopg.Connection) -> None:
    from django.utils import timezone

    from traffic.imports import generic
    from traffic.imports.base import Options
    from traffic.imports.readers import FileRecord
    from traffic.imports.translate import Translator
    from traffic.ingest.context import lookup_tables

    columns = {"started_at": "when", "model": "model", "provider": "vendor", "user": "who"}
    options = Options(application="shop", columns={**columns, "id": "note"})
    translator = Translator(generic.FORMAT, options, lookup_tables.get(), timezone.now(), 7)
    values = {"when": now(), "model": "m", "vendor": "openai", "who": "MARKER-ann", "note": "n-1 of MARKER-ann"}
    became = translator(FileRecord(1, values))
    assert became.request is not None, became.problem
    became.request.raw = {**(became.request.raw or {}), "told": "by MARKER-ann, ann@example.org"}
    became.request.external_id = "x"
    ingest(conn, [became.request], PricingContext.load(conn))
    stored = Request.objects.get()
    assert stored.user_hash == user_hash(PricingContext.load(conn).salt, "MARKER-ann")
    assert_nowhere(conn, "MARKER-ann")
    assert_nowhere(conn, "ann@example.org")


def test_a_nul_that_is_left_out_hides_nothing(conn: psycopg.Connection) -> None:
    """Postgres stores none, so that what stood on both sides of it comes together."""
    told: list[dict[str, Any]] = [
        {"note": "s\0k-AAAABBBBCCCCDDDDEEEE"},
        {"s\0k-AAAABBBBCCCCDDDDEEEE": 1},
        {"by": ["MARKER\0-ann-lee"]},
    ]
    calls = [
        RequestRow(str(n), datetime.now(UTC), "openai", "m", "otlp", user="MARKER-ann-lee", raw=raw)
        for n, raw in enumerate(told)
    ]
    ingest(conn, calls, PricingContext.load(conn))
    found = Request.objects.order_by("external_id").values_list("raw", flat=True)
    assert list(found) == [{"note": "[secret]"}, {"[secret]": 1}, {"by": ["[user]"]}]


def test_raw_facts_without_anything_to_hide_stay_as_they_came() -> None:
    raw = {"a": {"b": [1, 2.5, "chatcmpl-abc", None, True]}}
    assert not EVERYTHING.needed(raw, "u1")
    assert EVERYTHING.needed({"x": "u1"}, "u1")
    assert EVERYTHING.tree({"x": "u1", "y": "full1"}, "u1") == {"x": "[user]", "y": "full1"}
    assert facts_of({"model": "m", "end_user": "x", "metadata": {"user_api_key_user_email": "x", "k": 1}}) == {
        "model": "m",
        "metadata": {"k": 1},
    }


def test_the_gateway_takes_out_and_hashes_before_it_spools(tmp_path: Path) -> None:
    target = Target(id=1, slug="own", provider="self", engine="vllm", url="http://x", model="m")
    body = {"model": "m", "user": "MARKER-ann", "messages": [{"role": "user", "content": TEXT}]}
    shop = gateway_snapshot.Application(3, "shop", True, "unknown", redaction_of(KINDS, ("CUST-[0-9]{4,10}",)))
    exchange = Exchange(
        application=shop, key_id=1, request=read_request(OPENAI, json.dumps(body).encode()), task="chat", path="/",
        headers=[], decision=Decision("r", (target,)), request_id=uuid.uuid4(), salt=b"salt", external_id="e",
        started_at=datetime(2026, 11, 27, tzinfo=UTC), arrived=0.0, keep_bodies=True, private=False, recorded=True,
        tries=[{"error": "MARKER-ann at ann@example.org"}],
    )  # fmt: skip
    answer = Answer()
    answer.text.append(TEXT)
    answer.error_type = "of ann@example.org"
    recorder = Recorder(Spool(tmp_path))
    recorder.start()
    recorder.record(exchange, answer, "ok")
    recorder.stop()
    line = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"MARKER" not in line and b"ann@example" not in line and b"4111" not in line
    row = msgspec.json.decode(line, type=RequestRow)
    assert (row.answer, row.user, row.user_hash, row.clean) == (KEPT, None, user_hash(b"salt", "MARKER-ann"), True)


# The page.


def test_patterns_are_set_at_the_application_and_a_text_can_be_tried(shop: Application) -> None:
    admin = logged_in(person("root", is_superuser=True))
    url = f"/settings/applications/{shop.slug}/"
    sent = {"name": "Shop", "redact": ["email"], "redact_patterns": "CUST-[0-9]{4,10}\r\n\r\nacme"}
    assert admin.post(url, sent).status_code == 302
    shop.refresh_from_db()
    assert (shop.redact, shop.redact_patterns) == (["email"], ["CUST-[0-9]{4,10}", "acme"])
    tried = admin.post(f"{url}try/", {"text": "a@b.co of acme, 4111111111111111"})
    assert "[e-mail] of [redacted], 4111111111111111" in tried.content.decode()
    part = admin.post(f"{url}try/", {"text": "hello"}, headers={"HX-Request": "true"}).content.decode()
    assert "Nothing is removed" in part and "<html" not in part
    assert admin.get(f"{url}try/").status_code == 405
    refused = admin.post(url, {**sent, "redact_patterns": "ok\na(?=b)"})
    assert refused.status_code == 422
    assert "Line 2: It may not look ahead" in refused.content.decode()
    assert "a(?=b)" in refused.content.decode()
    assert "acme" in text(admin, url)
