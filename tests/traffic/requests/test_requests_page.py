"""The request log and one request: who may see what, how lists walk back, and how a cost is written out."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lib.dates import HOUR
from providers.models import TokenPrice
from tests.factories import DeploymentFactory
from tests.query_ceilings import ceiling
from tests.traffic.people import ANSWER, PROMPT, application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON
from traffic.conversation import turns
from traffic.ingest.rows import Tokens
from traffic.models import Application, Rating, Request
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement
from traffic.requests import detail_page
from traffic.requests import queries as requests
from traffic.requests.costing import arithmetic
from traffic.requests.hour_reads import GAP_MOST, MINUTE, SPANS_MOST, Hour, Span, portions, spans
from traffic.requests.queries import newest, statement, stretches
from traffic.requests.request_filter import Range, RequestFilter, runs
from traffic.usage.filters import Filters

URL = "/requests/"
DAY = timedelta(days=1)


def ask(wanted: RequestFilter | None = None, limit: int = 50, cursor: str | None = None) -> requests.RequestPage:
    return newest(wanted or RequestFilter(), retention_days=400, limit=limit, cursor=cursor)


def names(page: requests.RequestPage) -> list[str]:
    return [request.external_id for request in page.requests]


# Walking back. The spans are pure.


def test_the_first_days_hold_a_page_and_the_next_parts_are_twice_as_long() -> None:
    days = [(date(2026, 11, 30) - n * DAY, 10) for n in range(120)]
    parts = list(stretches(days, 25))
    assert parts[0] == days[:3]
    assert [len(part) for part in parts] == [3, 6, 12, 24, 31, 31, 13]
    assert [day for part in parts for day in part] == days


def test_days_without_requests_are_stepped_over() -> None:
    days = [(date(2026, 11, 30), 1), (date(2026, 1, 5), 9)]
    assert list(stretches(days, 5)) == [days]
    assert list(stretches([], 5)) == []


def test_a_list_walks_back_over_days_in_order_and_loses_none(conn: psycopg.Connection) -> None:
    days = [0, 0, 0, 1, 1, 4, 30, 30, 200, 398]
    arrive(conn, *({"started_at": NOON - DAY * back + timedelta(seconds=n)} for n, back in enumerate(days)))
    seen: list[str] = []
    cursor = None
    for _ in range(5):
        page = ask(limit=2, cursor=cursor)
        seen += names(page)
        cursor = page.next
    assert cursor is None
    assert seen == ["a2", "a1", "a0", "a4", "a3", "a5", "a7", "a6", "a8", "a9"]


def test_requests_of_the_same_moment_are_told_apart_by_their_id(conn: psycopg.Connection) -> None:
    arrive(conn, *({"started_at": NOON} for _ in range(5)))
    first = ask(limit=3)
    assert set(names(first)) | set(names(ask(limit=3, cursor=first.next))) == {f"a{n}" for n in range(5)}


def test_a_page_is_one_statement_when_the_rollups_tell_which_hours(conn: psycopg.Connection) -> None:
    arrive(conn, *({"started_at": NOON - DAY * back} for back in range(40)))
    with CaptureQueriesContext(connection) as queries:
        assert len(ask(limit=10).requests) == 10
    assert len(queries) == 2  # the rollup's days, so few that they are read whole, then the requests
    with CaptureQueriesContext(connection) as queries:
        assert len(ask(RequestFilter(Filters(provider=["anthropic"])), limit=10).requests) == 10
    assert len(queries) == 3  # the rollup's days, its hours, then the requests


@pytest.mark.usefixtures("price")
def test_every_filter_lets_only_its_own_through(conn: psycopg.Connection) -> None:
    shop = application("shop")
    own = DeploymentFactory.create(slug="own", name="Own", model="m")
    plain, unpriced, unknown, failed, cancelled, leased = arrive(
        conn,
        {"application_id": shop.pk},
        {"model": "nobody-knows", "provider": "openai", "task": "code"},
        {"tokens": None},
        {"outcome": "error"},
        {"outcome": "cancelled"},
        {"deployment_id": own.pk},
    )
    ratings.rate(request=plain, judgement=Judgement("ann", stars=5))
    cases: list[tuple[RequestFilter, list[Request]]] = [
        (RequestFilter(unpriced=True), [unpriced]),
        (RequestFilter(unknown_usage=True), [unknown]),
        (RequestFilter(unpriced=True, unknown_usage=True), []),
        (RequestFilter(outcomes=["error"]), [failed]),
        (RequestFilter(outcomes=["error", "cancelled"]), [cancelled, failed]),
        (RequestFilter(rated=True), [plain]),
        (RequestFilter(outcomes=["ok", "error"]), [leased, failed, unknown, unpriced, plain]),
        (RequestFilter(cost=Range(low=Decimal("0.001"))), [cancelled, failed, plain]),
        (RequestFilter(cost=Range(high=Decimal("0.001"))), []),
        (RequestFilter(latency_ms=Range(Decimal(800), Decimal(800)), outcomes=["error"]), [failed]),
        (RequestFilter(ttft_ms=Range(low=Decimal(201))), []),
        (RequestFilter(Filters(provider=["openai"])), [unpriced]),
        (RequestFilter(Filters(task=["code"])), [unpriced]),
        (RequestFilter(Filters(deployment=[own.pk])), [leased]),
        (RequestFilter(Filters(application=[shop.pk])), [plain]),
        (RequestFilter(applications=[shop.pk]), [plain]),
        (RequestFilter(Filters(application=[shop.pk]), applications=[shop.pk + 1]), []),
        (RequestFilter(applications=[]), []),
    ]
    for wanted, expected in cases:
        assert names(ask(wanted)) == [request.external_id for request in expected], wanted


# However many there are, a page reads a bounded part, by an index.


def test_hours_are_cut_into_spans_that_may_be_read_at_once() -> None:
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    (whole,) = spans([Hour(noon, 5, 1000)])
    assert (whole.start, whole.end, whole.rows) == (noon, noon + HOUR, 1000)
    parts = list(spans([Hour(noon, 90, 70_000)]))
    assert [part.end for part in parts] == [noon + minutes * MINUTE for minutes in (60, 45, 30, 15)]
    assert sum(part.rows for part in parts) == 70_000 and parts[-1].start == noon


def test_spans_that_touch_are_one_and_a_statement_takes_no_more_than_it_should() -> None:
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    hours = [Hour(noon - n * HOUR, 10, 5_000) for n in range(6)]
    first, second = portions(spans(hours), 1000, exact=True)
    assert [(span.start, span.end, span.rows) for span in first] == [(noon - 3 * HOUR, noon + HOUR, 20_000)]
    assert second[0].end == first[0].start
    (enough, *_rest) = portions(spans(hours), 15, exact=True)
    assert sum(span.passing for span in enough) == 20
    apart = [Hour(noon - n * HOUR, *((0, GAP_MOST + 1) if n % 2 else (1, 1))) for n in range(200)]
    assert [len(one) for one in portions(spans(apart), 1000, exact=True)] == [SPANS_MOST, 100 - SPANS_MOST]


def test_what_lies_between_two_spans_is_read_along_where_it_is_little() -> None:
    noon = datetime(2026, 11, 30, 12, tzinfo=UTC)
    hours = [Hour(noon, 1, 7), Hour(noon - HOUR, 0, 20), Hour(noon - 9 * HOUR, 2, 8), Hour(noon - 40 * DAY, 3, 9)]
    ((one,),) = portions(spans(hours), 1000, exact=True)
    assert one == Span(noon - 40 * DAY, noon + HOUR, 6, 7 + 20 + 8 + 9)
    dense = [Hour(noon, 1, 7), Hour(noon - HOUR, 0, GAP_MOST + 1), Hour(noon - 2 * HOUR, 2, 8)]
    ((late, early),) = portions(spans(dense), 1000, exact=True)
    assert (late.start, early.end, late.rows, early.rows) == (noon, noon - HOUR, 7, 8)


def test_days_that_follow_each_other_are_read_as_one() -> None:
    days = [date(2026, 11, 30), date(2026, 11, 29), date(2026, 11, 5)]
    assert runs(days) == [(date(2026, 11, 29), date(2026, 12, 1)), (date(2026, 11, 5), date(2026, 11, 6))]
    assert runs([]) == []


def test_a_page_that_has_read_enough_ends_early_and_goes_on_from_there(
    conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(conn, *({"started_at": NOON - n * HOUR, "latency_ms": 9.0 if n == 7 else 800.0} for n in range(9)))
    monkeypatch.setattr("traffic.requests.queries.READ_MOST", 3)
    monkeypatch.setattr("traffic.requests.hour_reads.READ_MOST", 3)
    quick = RequestFilter(latency_ms=Range(high=Decimal(10)))
    cursor = None
    seen: list[str] = []
    reached: list[datetime | None] = []
    for _ in range(3):
        page = ask(quick, cursor=cursor)
        cursor, seen = page.next, seen + names(page)
        reached.append(page.reached)
    assert (seen, cursor) == (["a7"], None)
    assert reached[0] == (NOON - 2 * HOUR).replace(minute=0) and reached[2] is None


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (RequestFilter(), "started_at_id_idx"),
        (RequestFilter(Filters(provider=["anthropic"], model=["m"], application=[1], task=["rag"], deployment=[1])),
         "started_at_id_idx"),
        (RequestFilter(cost=Range(low=Decimal(1)), latency_ms=Range(low=Decimal(1))), "started_at_id_idx"),
        (RequestFilter(rated=True), "started_at_id_idx"),
        (RequestFilter(told_otherwise=True), "started_at_id_idx"),
        (RequestFilter(outcomes=["error", "refused"]), "timezone_id_idx"),
        (RequestFilter(unpriced=True), "timezone_id_idx"),
        (RequestFilter(unknown_usage=True, outcomes=["timeout"]), "timezone_id_idx"),
    ],
)  # fmt: skip
def test_every_filter_reads_one_partition_in_the_order_of_an_index(
    conn: psycopg.Connection, wanted: RequestFilter, index: str
) -> None:
    arrive(conn, *({"started_at": NOON - DAY * back} for back in range(3)))
    (span,) = spans([Hour(NOON.replace(minute=0), 1, 1)])
    # A small table is read whole, or the whole of an index, unless that is forbidden; a large one is not.
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("SET enable_bitmapscan = off")
        cursor.execute("SET enable_hashjoin = off")
        # What the days of other tests left behind makes to sort a few rows the cheapest.
        cursor.execute("SET enable_sort = off")
        plan = statement(wanted, span)[:51].explain()
        for setting in ("seqscan", "bitmapscan", "hashjoin", "sort"):
            cursor.execute(f"RESET enable_{setting}")
    assert f"Index Scan Backward using traffic_request_{NOON:%Y%m%d}_{index}" in plan, plan
    assert "Sort" not in plan and plan.count("on traffic_request_2") == 1, plan


# Who may see what.


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    return application("shop")


@pytest.fixture
def one(shop: Application, conn: psycopg.Connection) -> Request:
    return arrive(conn, {"application_id": shop.pk, "prompt": PROMPT, "answer": ANSWER})[0]


def test_strangers_are_sent_to_the_login(one: Request) -> None:
    for url in (URL, f"{URL}{one.id}/"):
        response = Client().get(url)
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")
    assert Client().post(f"{URL}{one.id}/rate/", {"stars": 5}).status_code == 302
    assert not Rating.objects.exists()


def test_the_permission_opens_every_request_but_no_body(one: Request) -> None:
    page = text(logged_in(person("tilda", "traffic.view_request")), f"{URL}{one.id}/")
    assert "claude-test" in page
    assert ANSWER not in page and "May I return it?" not in page


@pytest.mark.parametrize("role", ["owner", "member"])
def test_an_applications_people_see_its_requests_with_bodies(shop: Application, one: Request, role: str) -> None:
    noor = person("noor")
    if role == "owner":
        Application.objects.filter(pk=shop.pk).update(owner=noor)
    else:
        shop.members.add(noor)
    page = text(logged_in(noor), f"{URL}{one.id}/")
    assert ANSWER in page and "May I return it?" in page
    assert str(one.id) in text(logged_in(noor), URL)


def test_others_must_not_know_that_a_request_exists(one: Request, conn: psycopg.Connection) -> None:
    piero = person("piero", "traffic.add_rating")
    application("docs", piero)
    nobodys = arrive(conn, {"external_id": "z"})[0]
    client = logged_in(piero)
    for identifier in (one.id, nobodys.id, uuid4()):
        assert client.get(f"{URL}{identifier}/").status_code == 404
        assert client.post(f"{URL}{identifier}/rate/", {"stars": 5}).status_code == 404
    page = text(client, URL)
    assert str(one.id) not in page and str(nobodys.id) not in page
    assert "shop" not in page
    assert str(one.id) not in text(client, URL, application="shop")


def test_the_permission_for_bodies_opens_them(one: Request) -> None:
    client = logged_in(person("root", "traffic.view_request", "traffic.view_bodies"))
    assert ANSWER in text(client, f"{URL}{one.id}/")


def test_a_member_of_nothing_is_told_what_to_do(one: Request) -> None:
    page = text(logged_in(person("new")), URL)
    assert "and you have none yet" in page
    assert "An admin can add you" in page


# The list.


@pytest.fixture
def viewer(db: None) -> Client:
    return logged_in(person("jorun", "traffic.view_request", "traffic.add_rating", "costs.view_charge"))


def test_the_sentence_counts_the_last_day(viewer: Client, conn: psycopg.Connection) -> None:
    now = timezone.now() - timedelta(minutes=5)
    arrive(conn, {"started_at": now}, {"started_at": now, "outcome": "error"}, {"started_at": now, "tokens": None})
    page = text(viewer, URL)
    said = "<b>3 requests</b> in the last 24 hours, <b>1</b> failed."
    assert said in page and ">3 without a price, 1 without token counts<" in page


def test_an_empty_log_and_an_empty_filter_say_why(viewer: Client, conn: psycopg.Connection) -> None:
    assert "No requests yet" in text(viewer, URL)
    arrive(conn, {})
    page = text(viewer, URL, model="nothing")
    assert "No requests match these filters" in page
    assert "Show all requests" in page
    unfiltered = text(viewer, URL, model="", task="")
    assert "Newest first" in unfiltered and "Show all" not in unfiltered


def test_the_tail_is_live_until_it_is_paused_and_only_at_the_top(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(conn, *({} for _ in range(60)))
    first = text(viewer, URL, task="rag")
    assert 'hx-get="/requests/?task=rag" hx-trigger="every 5s"' in first
    assert 'href="/requests/?task=rag&amp;live=0"' in first
    assert "hx-trigger" not in text(viewer, URL, live="0")
    further = re.search(r'href="(/requests/\?[^"]*cursor=[^"]+)"', first)
    assert further is not None
    second = text(viewer, further[1].replace("&amp;", "&"))
    assert "hx-trigger" not in second
    assert second.count("<tr data-row") == 10


def test_the_poll_gets_the_list_alone(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(conn, {})
    response = viewer.get(URL, headers={"HX-Request": "true", "HX-Target": "live"})
    content = response.content.decode()
    assert content.lstrip().startswith('<div id="live"')
    assert "<html" not in content


def test_the_sentence_above_the_list_comes_anew_with_each_poll(viewer: Client, conn: psycopg.Connection) -> None:
    arrive(conn, {"started_at": timezone.now()})
    assert '<span id="answer"><b>1 request</b>' in text(viewer, URL)
    arrive(conn, {"started_at": timezone.now(), "external_id": "another"})
    polled = viewer.get(URL, headers={"HX-Request": "true", "HX-Target": "live"}).content.decode()
    assert '<span id="answer" hx-swap-oob="true"><b>2 requests</b>' in polled
    assert '<span id="newest" hx-swap-oob="true">' in polled


def test_a_cursor_that_is_not_ours_is_404(viewer: Client) -> None:
    for cursor in ("x", "WyJhIiwiYiJd", "WzFd"):
        assert viewer.get(URL, {"cursor": cursor}).status_code == 404


def test_a_page_takes_a_fixed_number_of_statements(viewer: Client, conn: psycopg.Connection) -> None:
    shop = application("shop")
    arrive(conn, {"application_id": shop.pk})
    with CaptureQueriesContext(connection) as few:
        text(viewer, URL)
    found = arrive(conn, *({"application_id": shop.pk, "external_id": f"b{n}"} for n in range(70)))
    for request in found[:20]:
        ratings.rate(request=request, judgement=Judgement("ann", stars=5))
    with CaptureQueriesContext(connection) as many:
        text(viewer, URL)
    assert len(many) == len(few) <= ceiling(URL)


# Money is for who may see figures.


MONEYS = ("USD", "$", "cost", "price", "lease")


def words(page: str) -> str:
    """What a page's main part says, without its tags, and without the name of the variable in the curl line."""
    return re.sub(r"<[^>]*>|\$GATEWAY_KEY", " ", page[page.index("<main") : page.index("</main>")])


@pytest.mark.usefixtures("price")
def test_who_may_not_see_figures_sees_tokens_and_times_and_no_money(
    shop: Application, conn: psycopg.Connection
) -> None:
    noor = person("noor", "traffic.view_quality", "traffic.add_rating")
    shop.members.add(noor)
    now = {"application_id": shop.pk, "started_at": timezone.now() - timedelta(minutes=5)}
    usage = {"usage": {"input_tokens": 7, "cost": 0.25, "cost_details": {"upstream": 1}}}
    own = DeploymentFactory.create(slug="own", name="Own", model="m")
    priced, unpriced, own_one = arrive(
        conn, {**now, "raw": usage}, {**now, "model": "nobody-knows"}, {**now, "deployment_id": own.pk}
    )
    client = logged_in(noor)
    pages = [text(client, URL, unpriced="1"), *(text(client, f"{URL}{one.id}/") for one in (priced, unpriced, own_one))]
    for page in pages:
        assert not [word for word in MONEYS if word in words(page)], words(page)
    listed, first = pages[:2]
    assert listed.count("<tr data-row") == 3 and "Newest first" in listed  # the filter by price is not there
    assert 'name="unpriced"' not in listed and 'name="unknown_usage"' in listed
    assert "A filter of this address requires the right to see figures and has no effect." in listed
    assert "Tokens" in first and "500 ms" not in first and ">400<" in first
    assert "&quot;input_tokens&quot;: 7" in first and "0.25" not in first
    noor.user_permissions.add(Permission.objects.get(codename="view_charge"))
    listed, first = text(client, URL), text(client, f"{URL}{priced.id}/")
    assert "Cost, USD" in listed and "in 24 hours" in listed and 'name="unpriced"' in listed
    assert "Cost: <b>$0.0034</b>" in first and "0.25" in first
    assert text(client, URL, unpriced="1").count("<tr data-row") == 1


# One request.


@pytest.mark.usefixtures("price")
def test_the_cost_is_written_out_with_its_price_and_source(viewer: Client, conn: psycopg.Connection) -> None:
    request = arrive(conn, {})[0]
    assert request.cost == Decimal("0.00342")
    page = text(viewer, f"{URL}{request.id}/")
    assert "(100 × 3 + 400 × 0.3 + 200 × 15) ÷ 1,000,000 = <b>0.00342</b>" in page
    assert "price of test, from" in page
    assert "Cost: <b>$0.0034</b>" in page
    assert "First token after 200 ms" in page


def test_batch_and_long_prompts_are_part_of_the_sum() -> None:
    version = TokenPrice(
        uncached_input=Decimal(3),
        cache_read=Decimal("0.3"),
        output=Decimal(15),
        over_tokens=1000,
        over_uncached_input=Decimal(6),
        over_output=Decimal("22.5"),
        batch_factor=Decimal("0.5"),
    )
    counts = {"cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 100, "batch": True}
    long = arithmetic(Request(uncached_input=2000, **counts), version)
    assert (long.long, long.total) == (True, Decimal("0.007125"))
    assert long.written == "(2,000 × 6 + 100 × 22.5) × 0.5 ÷ 1,000,000"
    short = arithmetic(Request(uncached_input=1000, **counts), version)
    assert (short.long, short.total) == (False, Decimal("0.00225"))
    unknown = arithmetic(Request(uncached_input=1, **counts | {"cache_write_5m": 5}), version)
    assert (unknown.total, unknown.written) == (None, "")
    assert arithmetic(Request(uncached_input=None), None).total is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "nobody-knows"}, "No price is known for this model"),
        ({"tokens": None}, "No price is known for this model"),
        ({"outcome": "error", "http_status": 529, "error_type": "overloaded_error"}, "failed with status 529"),
        ({"outcome": "timeout"}, "did not answer in time"),
        ({"latency_ms": None, "ttft_ms": None}, "Latency not reported"),
        ({"route": "routine"}, "routine"),
        ({"raw": {"tries": [{"deployment": "own", "error": "connect_timeout"}]}}, "<b>own</b> (connect_timeout)"),
        ({"raw": {"usage": {"input_tokens": 7}}}, "&quot;input_tokens&quot;: 7"),
        ({"tokens": Tokens(1, 0, 0, 0, 9, 4)}, "4 of them for reasoning"),
        ({"outcome": "error", "ttft_ms": None}, "Ended without an answer after"),
        ({"raw": {"cache_hit": True}}, "from the cache of a proxy, without a call to a vendor"),
    ],
)
def test_what_is_known_and_what_is_not_is_said(
    viewer: Client, conn: psycopg.Connection, given: dict[str, Any], said: str
) -> None:
    assert said in text(viewer, f"{URL}{arrive(conn, given)[0].id}/")


def test_a_price_stands_with_all_its_decimals_and_what_was_not_used_needs_none(
    viewer: Client, price: TokenPrice, conn: psycopg.Connection
) -> None:
    TokenPrice.objects.filter(pk=price.pk).update(cache_read=Decimal("0.025"), cache_write_1h=None)
    page = text(viewer, f"{URL}{arrive(conn, {})[0].id}/")
    assert re.search(r'<td class="num">0\.025</td>\s*<td class="num">0\.00001000</td>', page)
    assert "prov-unknown" not in page


@pytest.mark.usefixtures("price")
def test_of_a_failure_without_usage_no_answer_is_spoken(viewer: Client, conn: psycopg.Connection) -> None:
    failed, silent = arrive(conn, {"tokens": None, "outcome": "timeout"}, {"tokens": None})
    assert "No answer, so no token counts" in text(viewer, f"{URL}{failed.id}/")
    assert "The answer has no token counts" in text(viewer, f"{URL}{silent.id}/")


def test_the_page_shows_the_hash_of_a_user_and_the_way_to_the_rest(viewer: Client, conn: psycopg.Connection) -> None:
    mine, _other = arrive(conn, {"user": "ann"}, {"user": "bob"})
    assert mine.user_hash is not None
    page = text(viewer, f"{URL}{mine.id}/")
    assert f">{mine.user_hash}</dd>" in page and f'href="{URL}?user={mine.user_hash}"' in page
    assert text(viewer, URL, user=str(mine.user_hash)).count("<tr data-row") == 1


def test_a_request_takes_a_fixed_number_of_statements(viewer: Client, one: Request) -> None:
    with CaptureQueriesContext(connection) as queries:
        text(viewer, f"{URL}{one.id}/")
    for n in range(5):
        ratings.rate(request=one, judgement=Judgement(f"u{n}", stars=5))
    with CaptureQueriesContext(connection) as again:
        text(viewer, f"{URL}{one.id}/")
    assert len(again) == len(queries) <= ceiling("/requests/{request}/ with five ratings")


def test_a_rating_from_the_page_is_stored_and_can_be_taken_back(viewer: Client, one: Request) -> None:
    where = f"{URL}{one.id}/"
    response = viewer.post(f"{where}rate/", {"stars": "4", "comment": "Short and right."})
    assert (response.status_code, response["Location"]) == (302, where)
    rating = Rating.objects.get()
    assert (rating.stars, rating.rater_words, rating.comment) == (4, "jorun", "Short and right.")
    page = text(viewer, where)
    assert "Rated 4, Good." in page
    assert f'action="/quality/ratings/{rating.pk}/undo/"' in page
    assert viewer.post(f"/quality/ratings/{rating.pk}/undo/")["Location"] == where
    assert not Rating.objects.exists()


@pytest.mark.parametrize("stars", ["", "0", "6", "x"])
def test_a_wrong_number_of_stars_is_refused_at_the_form(viewer: Client, one: Request, stars: str) -> None:
    response = viewer.post(f"{URL}{one.id}/rate/", {"stars": stars, "comment": "kept"})
    assert response.status_code == 422
    assert "Choose 1 to 5." in response.content.decode()
    assert 'value="kept"' in response.content.decode()


def test_who_may_not_rate_sees_no_form(one: Request) -> None:
    client = logged_in(person("tilda", "traffic.view_request"))
    assert "/rate/" not in text(client, f"{URL}{one.id}/")
    assert client.post(f"{URL}{one.id}/rate/", {"stars": 5}).status_code == 403


# Texts and timelines. Pure.


def timed(**given: Any) -> list[tuple[str, float]]:
    request = Request(**{"latency_ms": 1000.0, "ttft_ms": 300.0, "streamed": True, **given})
    return [(part.kind, part.ms) for part in detail_page.timeline(request)]


def test_a_timeline_is_as_fine_as_what_is_known() -> None:
    assert timed() == [("queue", 300), ("stream", 700)]
    assert timed(raw={"timings": {"prompt_ms": 120}}) == [("queue", 180), ("read", 120), ("stream", 700)]
    assert timed(raw={"timings": {"prompt_ms": "long"}}) == [("queue", 300), ("stream", 700)]
    assert timed(streamed=False) == [("stream", 1000)]
    assert timed(ttft_ms=None) == [("stream", 1000)]
    assert timed(ttft_ms=None, outcome="timeout") == [("queue", 1000)]
    assert timed(latency_ms=None) == []


def test_a_messages_array_of_either_protocol_is_read_as_turns() -> None:
    parts = '[{"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image"}]}]'
    assert [(turn.role, turn.text) for turn in turns(PROMPT)] == [("system", "Be short."), ("user", "May I return it?")]
    assert turns(parts)[0].text == "Look:\n[image]"
    assert [turn.text for turn in turns("[not json")] == ["[not json"]
    assert [turn.text for turn in turns("[1, 2]")] == ["[1, 2]"]
    assert turns(None) == []


def test_the_curl_line_repeats_the_call_and_survives_a_shell() -> None:
    quoted = '[{"role": "system", "content": "It\'s $HOME"}, {"role": "user", "content": "hi"}]'
    request = Request(provider="anthropic", model="claude-test", task="rag", streamed=True)
    line = detail_page.curl(request, quoted, "http://gateway")
    assert line.startswith("curl http://gateway/v1/messages \\\n")
    # BREAKEVEN_KEY is the name of the encryption key, which a server's shell may hold.
    assert "$GATEWAY_KEY" in line and "BREAKEVEN_KEY" not in line
    assert "'\"'\"'s $HOME" in line
    assert '"system"' in line and '"stream": true' in line
    assert "/v1/chat/completions" in detail_page.curl(Request(provider="self", model="m", task="qa"), None, "http://g")
