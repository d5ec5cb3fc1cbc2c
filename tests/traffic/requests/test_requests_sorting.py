"""The request log in another order: by every column both ways, of a bounded number of rows, unknown values last."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from lib.errors import ApiError
from tests.query_ceilings import ceiling
from tests.sorted_lists import assert_sorts, html_of, rows_of
from tests.traffic.people import application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON
from traffic.ingest.rows import Tokens
from traffic.requests import queries as requests
from traffic.requests.request_filter import RequestFilter
from traffic.usage.filters import Filters

URL = "/requests/"
DAY = timedelta(days=1)
SIGNS = ("", "-")
SEES_ALL = ("costs.view_charge", "traffic.view_request")


def ask(sort: str, wanted: RequestFilter | None = None, limit: int = 50, cursor: str | None = None) -> Any:
    return requests.in_order(wanted or RequestFilter(), sort, retention_days=400, limit=limit, cursor=cursor)


def names(page: requests.RequestPage) -> list[str]:
    return [request.external_id for request in page.requests]


@pytest.fixture
def four(conn: psycopg.Connection, price: Any) -> None:
    """Requests a0 to a3 on three days. Nothing is known of the tokens, times and cost of a1."""
    shop, bot = application("shop"), application("bot")
    arrive(
        conn,
        {"started_at": NOON - 3 * DAY, "application_id": shop.pk, "tokens": Tokens(900, 0, 0, 0, 50), "latency_ms": 900,
         "ttft_ms": 90},
        {"started_at": NOON - 2 * DAY, "tokens": None, "latency_ms": None, "ttft_ms": None, "outcome": "error"},
        {"started_at": NOON - DAY, "application_id": bot.pk, "tokens": Tokens(100, 500, 0, 0, 10), "latency_ms": 300,
         "ttft_ms": 200},
        {"started_at": NOON, "application_id": bot.pk, "tokens": Tokens(500, 0, 0, 0, 900), "latency_ms": 100,
         "ttft_ms": 50, "model": "unpriced-model", "provider": "openai"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("key", "rising"),
    [
        ("started", ["a0", "a1", "a2", "a3"]),
        ("latency", ["a3", "a2", "a0", "a1"]),
        ("ttft", ["a3", "a0", "a2", "a1"]),
        ("input", ["a3", "a2", "a0", "a1"]),
        ("output", ["a2", "a0", "a3", "a1"]),
    ],
)
def test_each_column_both_ways_and_what_is_unknown_is_last(four: None, key: str, rising: list[str]) -> None:
    assert names(ask(key)) == rising
    known = rising if key == "started" else rising[:-1]
    assert names(ask(f"-{key}")) == known[::-1] + rising[len(known) :]


def test_a_cost_that_is_not_known_is_last_and_never_a_zero(four: None) -> None:
    for sign in SIGNS:
        costs = [request.cost for request in ask(f"{sign}cost").requests]
        assert [cost is None for cost in costs] == [False, False, True, True]
        assert (costs[0] < costs[1]) == (sign == "")


def test_names_and_outcomes_are_columns_too(four: None) -> None:
    assert names(ask("application")) == ["a3", "a2", "a0", "a1"]
    assert names(ask("-application")) == ["a0", "a3", "a2", "a1"]
    assert ask("outcome").requests[0].outcome == "error"
    assert ask("-model").requests[0].model == "unpriced-model"


def test_the_filters_hold_in_another_order(four: None) -> None:
    openai = RequestFilter(Filters(provider=["openai"]))
    assert names(ask("-latency", openai)) == ["a3"]
    assert names(ask("-latency", RequestFilter(outcomes=["error"]))) == ["a1"]
    assert names(ask("-latency", RequestFilter(since=(NOON - 2 * DAY).date(), until=NOON.date()))) == ["a2", "a1"]
    assert names(ask("-latency", RequestFilter(applications=[]))) == []


def test_pages_of_another_order_lose_none_and_show_none_twice(conn: psycopg.Connection) -> None:
    arrive(conn, *({"started_at": NOON - timedelta(hours=n), "latency_ms": n % 5} for n in range(23)))
    seen: list[str] = []
    cursor = None
    while True:
        page = ask("-latency", limit=5, cursor=cursor)
        seen += names(page)
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 23
    assert seen == names(ask("-latency"))


def test_a_page_reads_a_bounded_number_of_rows_and_says_since_when(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "READ_MOST", 10)
    monkeypatch.setattr("traffic.requests.hour_reads.READ_MOST", 10)
    arrive(conn, *({"started_at": NOON - DAY * n, "latency_ms": n} for n in range(40)))
    with CaptureQueriesContext(connection) as queries:
        page = ask("-latency")
    assert names(page) == [f"a{n}" for n in range(9, -1, -1)]
    assert page.sorted_since is not None and page.sorted_since <= page.requests[0].started_at
    assert len(queries) <= 3 + requests.STATEMENTS_MOST
    staff = logged_in(person("vera", *SEES_ALL))
    assert "Sorted among the requests since" in text(staff, URL, sort="-latency")
    assert "Sorted among" not in text(staff, URL, sort="-latency", **{"from": NOON.date().isoformat()})


@pytest.mark.parametrize("cursor", ["nonsense", requests.cursor_at(NOON)])
def test_a_cursor_of_another_list_or_order_is_refused(four: None, cursor: str) -> None:
    with pytest.raises(ApiError):
        ask("-cost", cursor=cursor)
    other = ask("-latency", limit=2).next
    with pytest.raises(ApiError):
        ask("-cost", cursor=other)
    viewer = logged_in(person("vera", *SEES_ALL))
    assert viewer.get(URL, {"sort": "-cost", "cursor": cursor}).status_code == 404


def test_the_page_is_sorted_by_every_column(four: None) -> None:
    viewer = logged_in(person("vera", *SEES_ALL))
    keys = requests.SORTS.keys()
    assert_sorts(viewer, f"{URL}?live=0", keys)
    with CaptureQueriesContext(connection) as queries:
        page = html_of(viewer, f"{URL}?sort=-latency")
    assert len(queries) <= ceiling(URL)
    assert "data-poll" not in page, "new requests would break the order"
    assert '<input type="hidden" name="sort" value="-latency">' in page
    assert "is not a filter here" not in page
    assert rows_of(html_of(viewer, f"{URL}?sort=-started")) == rows_of(html_of(viewer, URL))


def test_who_may_not_see_costs_cannot_sort_by_them(conn: psycopg.Connection, price: Any) -> None:
    bob = person("bob")
    shop = application("shop", bob)
    tokens = [Tokens(n, 0, 0, 0, n) for n in (500, 900, 100)]
    arrive(conn, *({"application_id": shop.pk, "tokens": each, "started_at": NOON + timedelta(seconds=n)}
                   for n, each in enumerate(tokens)))  # fmt: skip
    member = logged_in(bob)
    usual = rows_of(html_of(member, URL))
    assert rows_of(html_of(member, f"{URL}?sort=cost")) == rows_of(html_of(member, f"{URL}?sort=-cost")) == usual
    assert "sort-cost" not in html_of(member, URL)
    assert rows_of(html_of(member, f"{URL}?sort=-output")) != usual


def test_among_words_the_newest_stay_first(four: None) -> None:
    reader = logged_in(person("vera", *SEES_ALL, "traffic.view_bodies"))
    assert reader.get(URL, {"sort": "-cost", "words": "refund"}).status_code == 200


def test_sums_of_tokens_count_every_class_of_input(conn: psycopg.Connection) -> None:
    arrive(conn, {"tokens": Tokens(1, 2, 3, 4, 9)}, {"tokens": Tokens(9, 0, 0, 0, 1)})
    [large, small] = ask("-input").requests
    assert (large.sort_value, small.sort_value) == (Decimal(10), 9)
