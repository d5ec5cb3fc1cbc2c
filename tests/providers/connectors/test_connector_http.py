"""The one way that connectors speak HTTP: what can go wrong is a sentence, capped and without the key."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import httpx
import pytest

from lib.netguard import Deadline
from providers.connectors import http as connector_http
from providers.connectors.base import AccountConfig, ConnectorError
from providers.connectors.http import VendorHttp, retry_after, walk
from providers.connectors.parse import chunks, days, moment, money, redact, whole
from tests.providers.answers import Answers, trickling

SECRET = "key-0123456789-of-ours"


def get(answers: Answers, **config: Any) -> Any:
    account = AccountConfig(answers.url, SECRET, local=True, timeout=2, **config)
    with VendorHttp("Acme", answers.url, account, headers={"authorization": f"Bearer {SECRET}"}) as http:
        return http.get("/x")


def test_numbers_with_a_point_are_exact(answers: Answers) -> None:
    answers.say("/x", b'{"price": 0.1000000000000000055, "count": 3}')
    assert get(answers) == {"price": Decimal("0.1000000000000000055"), "count": 3}


@pytest.mark.parametrize(
    ("status", "words", "permanent"),
    [
        (400, "refused the request (400). Bad thing.", False),
        (401, "rejected the key (401).", True),
        (402, "refused the request (402)", False),
        (403, "a permission is missing. Bad thing.", True),
        (404, "refused the request (404)", False),
        (429, "limits the request rate (429). Bad thing.", False),
        (500, "has a problem (500). Bad thing.", False),
        (503, "has a problem (503)", False),
        (529, "has a problem (529)", False),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        {"message": "Bad thing"},
        {"error": {"type": "x", "message": "Bad thing"}},
        {"title": "Bad thing", "status": 1},
        {"detail": "Bad thing"},
        {"error": "Bad thing"},
        [{"error": {"message": "Bad thing"}}],
        {"success": False, "msg": "Bad\nthing"},
    ],
)
def test_a_status_is_a_sentence(answers: Answers, status: int, words: str, permanent: bool, body: Any) -> None:
    answers.say("/x", body, status)
    with pytest.raises(ConnectorError) as caught:
        get(answers)
    assert words in caught.value.message
    assert caught.value.permanent is permanent


def test_a_vendor_that_repeats_the_key_does_not_leak_it(answers: Answers) -> None:
    answers.say("/x", {"message": f"The key {SECRET} is not known"}, 400)
    with pytest.raises(ConnectorError, match=r"The key \[key\] is not known"):
        get(answers)


def test_a_redirect_is_not_followed(answers: Answers) -> None:
    answers.say("/x", b"", 302, headers={"location": "http://169.254.169.254/latest"})
    with pytest.raises(ConnectorError, match=r"redirects to 169\.254\.169\.254"):
        get(answers)
    assert len(answers.asked) == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [("text/html; charset=utf-8", "web page"), ("text/plain", "text/plain"), ("image/png", "image/png")],
)
def test_what_is_no_json_is_refused_by_its_type(answers: Answers, kind: str, words: str) -> None:
    answers.say("/x", b"{}", kind=kind)
    with pytest.raises(ConnectorError, match=words):
        get(answers)


@pytest.mark.parametrize("body", [b"", b'{"a": ', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b"-Infinity"])
def test_broken_json_is_a_sentence(answers: Answers, body: bytes) -> None:
    answers.say("/x", body)
    with pytest.raises(ConnectorError, match=r"broken or incomplete JSON \(\d+ bytes\)"):
        get(answers)


def test_a_body_that_grows_when_unpacked_is_capped(answers: Answers) -> None:
    answers.say("/x", gzip.compress(b" " * (33 * 1024 * 1024)), headers={"content-encoding": "gzip"})
    with pytest.raises(ConnectorError, match="more than 32 MiB"):
        get(answers)


HEADERS = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize(
    ("start", "drop"),
    [
        (b"", b"H"),
        (HEADERS, b"x: y\r\n"),
        (HEADERS + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (HEADERS + b"transfer-encoding: chunked\r\n\r\n", b"0"),
        (HEADERS + b"content-length: 1000000\r\n\r\n", b" "),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (HEADERS, b""),
    ],
    ids=["status", "headers", "chunks", "size of a chunk", "body", "interim answers", "silence"],
)
def test_a_server_that_trickles_is_left_at_the_deadline(start: bytes, drop: bytes) -> None:
    """Each byte comes sooner than any time-out of a read: only the deadline ends it."""
    with trickling(start, drop) as url:
        config = AccountConfig(url, SECRET, local=True, timeout=5, deadline=Deadline(0.4))
        with (
            VendorHttp("Acme", url, config) as http,
            pytest.raises(ConnectorError, match=r"Acme did not finish its response within 0\.4 s\."),
        ):
            http.get("/x")


def test_every_page_and_connection_of_a_feed_shares_its_deadline(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.say("/x", {})
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    config = AccountConfig(answers.url, SECRET, local=True, timeout=2, deadline=Deadline(30))
    for _connection in range(2):
        with VendorHttp("Acme", answers.url, config) as http:
            http.get("/x")
        clock[0] += 14
    calls = len(answers.asked)
    clock[0] += 3
    with VendorHttp("Acme", answers.url, config) as http, pytest.raises(ConnectorError, match="did not finish"):
        http.get("/x")
    assert len(answers.asked) == calls


def test_a_wait_between_two_calls_that_would_pass_the_deadline_is_not_begun(answers: Answers) -> None:
    answers.say("/x", {})
    waits: list[float] = []
    config = AccountConfig(answers.url, SECRET, local=True, timeout=2, deadline=Deadline(5), pause=waits.append)
    with VendorHttp("Acme", answers.url, config, spacing=60.0) as http:
        http.get("/x")
        with pytest.raises(ConnectorError, match="did not finish"):
            http.get("/x")
    assert waits == []


def test_an_address_where_nobody_listens_is_a_sentence() -> None:
    config = AccountConfig("http://127.0.0.1:9", SECRET, local=True, timeout=2)
    with VendorHttp("Acme", config.base_url, config) as http, pytest.raises(ConnectorError, match="cannot be reached"):
        http.get("/x")


def test_a_key_is_not_sent_in_the_clear_over_the_internet() -> None:
    with pytest.raises(ConnectorError, match="is not encrypted") as caught:
        VendorHttp("Acme", "http://example.org", AccountConfig())
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("0.5", 0.5), ("-3", 0.0), ("999999999", 86_400.0), ("soon", None), ("", None), ("nan", None)],
)
def test_a_wait_is_understood(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"retry-after": value})) == seconds


def test_a_wait_may_be_a_date() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 < (retry_after(httpx.Headers({"retry-after": at})) or 0) <= 90


def test_paging_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: dict[str | None, tuple[list[int], str | None]] = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], None)}
    assert list(walk("Acme", lambda cursor: pages[cursor])) == [1, 2, 3]
    count = iter(range(100))
    monkeypatch.setattr(connector_http, "MOST_PAGES", 20)
    with pytest.raises(ConnectorError, match="more than 10,000 pages"):
        list(walk("Acme", lambda cursor: ([], str(next(count)))))


@pytest.mark.parametrize("value", [None, True, "", "x", "NaN", "-Infinity", float("nan"), 10**8, "1e400", [], {}])
def test_what_is_no_amount_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="amount"):
        money(value)


def test_amounts_are_exact_and_signed_only_where_said() -> None:
    assert money("123.456", per=100) == Decimal("1.23456")
    assert money(0.34) == Decimal("0.34")
    assert money("-1", signed=True) == -1
    with pytest.raises(ValueError, match="below zero"):
        money("-0.01")


@pytest.mark.parametrize("parse", [whole, moment])
@pytest.mark.parametrize("value", [None, True, "x", [], -1e30])
def test_what_is_no_count_or_time_is_refused(parse: Callable[[object], object], value: object) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse(value)


def test_times_come_with_a_zone_or_not_at_all() -> None:
    assert moment("2026-11-01T00:00:00.000-07:00") == datetime(2026, 11, 1, 7, tzinfo=UTC)
    assert moment(Decimal("1763200000.25")).microsecond == 250_000
    with pytest.raises(ValueError, match="without a zone"):
        moment("2026-11-01T00:00:00")


def test_a_period_is_cut_without_gaps() -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 5, 7, tzinfo=UTC)
    for parts in (list(chunks(start, end, timedelta(days=31))), list(days(start, end, single=10))):
        assert parts[0][0] == start
        assert parts[-1][1] >= end
        assert all(later[0] == earlier[1] for earlier, later in pairwise(parts))


def test_every_line_of_a_long_key_is_taken_out() -> None:
    secret = '{"private_key": "-----BEGIN-----\\nAAAABBBBCCCC\\nDDDDEEEEFFFF\\n"}'
    assert redact("before DDDDEEEEFFFF after AAAABBBBCCCC", secret) == "before [key] after [key]"
