"""Ratings that wait for their requests: no application waits for another, none is overlooked, none waits for ever."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lib.errors import ApiError
from tests.traffic.feedback import send
from tests.traffic.people import application, arrive
from tests.traffic.request_rows import RESPONSE, row, rows_read
from traffic.authentication.keys import Caller, callers, create_key
from traffic.ingest.context import clear_cache
from traffic.ingest.pipeline import store
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application, RaterKind, Rating
from traffic.ratings import named_requests
from traffic.ratings import services as ratings
from traffic.ratings import waiting as waiting_ratings
from traffic.ratings.judgement import Judgement
from traffic.ratings.waiting import AT_ONCE, OF_A_BATCH, WAITING_MAX

MINUTE = timedelta(minutes=1)


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    callers.clear()
    return application("shop")


@pytest.fixture
def key(shop: Application) -> str:
    return create_key(name="test", scopes=["rate"], application=shop)[1]


def crowd(of: Application, count: int, **more: Any) -> list[Rating]:
    """Ratings of an application whose requests do not come."""
    now = timezone.now()
    rows = [
        Rating(response_id=f"{RESPONSE}-{number}", application=of, by="ann", score=1, look_at=now, **more)
        for number in range(count)
    ]
    return Rating.objects.bulk_create(rows)


def waits(shop: Application, identifier: str = RESPONSE) -> Rating:
    return waiting_ratings.wait(identifier=identifier, judgement=Judgement("ann", score=1), application_id=shop.pk)


def test_feedback_for_another_applications_request_is_answered_as_for_one_that_nobody_saw(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    theirs = arrive(conn, {"application_id": application("other").pk, "response_id": RESPONSE})[0]
    never_seen = send(key, request_id=f"{RESPONSE}-never-seen", score=1)
    for identifier in (RESPONSE, str(theirs.id), "a0"):
        answer = send(key, request_id=identifier, score=1)
        assert (answer.status_code, answer.json()["request_id"]) == (200, None), identifier
        assert answer.json().keys() == never_seen.json().keys()
        assert answer.headers.keys() == never_seen.headers.keys()
    assert not Rating.objects.filter(request_id=theirs.id).exists()


def test_an_id_that_another_application_told_first_is_still_ones_own_later(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    theirs = arrive(conn, {"application_id": application("other").pk, "response_id": RESPONSE})[0]
    send(key, request_id=RESPONSE, score=1)
    store([row(7, application_id=shop.pk, response_id=RESPONSE)])
    rating = Rating.objects.get()
    assert rating.application == shop and rating.request_id not in (None, theirs.id)


def test_an_older_request_of_ones_own_is_meant_before_a_newer_one_of_another(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    long_ago = timezone.now() - timedelta(days=40)
    ours = arrive(conn, {"application_id": shop.pk, "response_id": RESPONSE, "started_at": long_ago})[0]
    arrive(conn, {"application_id": application("other").pk, "response_id": RESPONSE, "external_id": "theirs"})
    assert send(key, request_id=RESPONSE, score=1).json()["request_id"] == str(ours.id)


def test_a_crowd_of_one_application_keeps_no_other_from_its_ratings(shop: Application) -> None:
    waits(shop)
    crowd(application("noisy"), AT_ONCE + 200)
    store([row(1, application_id=shop.pk, response_id=RESPONSE)])
    assert Rating.objects.get(application=shop).request_id is not None


def test_a_crowd_of_one_application_keeps_the_look_of_the_task_from_no_other(
    shop: Application, conn: psycopg.Connection
) -> None:
    crowd(application("noisy"), AT_ONCE + 200)
    waits(shop)
    crowd(application("noisier"), AT_ONCE + 200)
    ingest(conn, [row(1, application_id=shop.pk, response_id=RESPONSE)], PricingContext.load(conn))
    assert waiting_ratings.attach_waiting() == 1
    assert Rating.objects.get(application=shop).request_id is not None


def test_every_rating_is_looked_at_in_turn(shop: Application, conn: psycopg.Connection) -> None:
    waits(shop)
    crowd(shop, 2 * AT_ONCE + 300)
    ingest(conn, [row(1, application_id=shop.pk, response_id=f"{RESPONSE}-{2 * AT_ONCE}")], PricingContext.load(conn))
    assert [waiting_ratings.attach_waiting() for _look in range(3)] == [0, 0, 1]


def test_what_has_waited_long_is_looked_at_less_often(shop: Application, conn: psycopg.Connection) -> None:
    old, fresh = waits(shop), waits(shop, f"{RESPONSE}-fresh")
    Rating.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=8))
    waiting_ratings.attach_waiting()
    old.refresh_from_db()
    fresh.refresh_from_db()
    now = timezone.now()
    assert 58 * MINUTE < old.look_at - now <= 60 * MINUTE
    assert timedelta() < fresh.look_at - now <= timedelta(seconds=10)


def test_a_batch_attaches_a_bounded_number_and_the_next_look_the_rest(shop: Application) -> None:
    crowd(shop, OF_A_BATCH + 50)
    Rating.objects.update(look_at=timezone.now() + timedelta(hours=3))
    store([row(n, application_id=shop.pk, response_id=f"{RESPONSE}-{n}") for n in range(OF_A_BATCH + 50)])
    assert Rating.objects.waiting().count() == 50
    assert waiting_ratings.attach_waiting() == 50


def test_names_of_one_application_wake_no_rating_of_another(shop: Application) -> None:
    waits(shop, "order-1")
    store([row(1, application_id=application("other").pk, external_id="order-1")])
    assert Rating.objects.get().request_id is None
    store([row(2, application_id=shop.pk, external_id="order-1")])
    assert Rating.objects.get().request_id is not None


def test_short_response_ids_of_many_ratings_are_found_at_once(shop: Application, conn: psycopg.Connection) -> None:
    for number in range(5):
        waits(shop, f"chatcmpl-{number}")
    rows = [row(n, application_id=shop.pk, response_id=f"chatcmpl-{n}") for n in range(5)]
    ingest(conn, rows, PricingContext.load(conn))
    assert waiting_ratings.attach_waiting() == 5
    assert Rating.objects.values("request_id").distinct().count() == 5


def test_so_many_ratings_of_an_application_wait_and_no_more(
    key: str, shop: Application, conn: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    crowd(shop, WAITING_MAX, rater_kind=RaterKind.APPLICATION)
    refused = send(key, request_id=f"{RESPONSE}-one-more", score=1)
    assert refused.status_code == 429 and int(refused["Retry-After"]) > 0
    assert refused.json()["detail"].startswith("10,000 ratings wait for requests that have not arrived")
    assert f"rating_refused application_id={shop.pk} " in caplog.text
    assert send(key, request_id=f"{RESPONSE}-5", by="ann", score=-1).status_code == 200  # one that waits, thought over
    arrive(conn, {"application_id": shop.pk, "response_id": RESPONSE})
    assert send(key, request_id=RESPONSE, score=1).status_code == 200  # its request is there
    secret = create_key(name="other", scopes=["rate"], application=application("other"))[1]
    assert send(secret, request_id=RESPONSE, score=1).status_code == 200


def test_ratings_whose_requests_never_come_go_after_a_week(shop: Application, caplog: pytest.LogCaptureFixture) -> None:
    crowd(shop, 3)
    Rating.objects.update(created_at=timezone.now() - timedelta(days=7, minutes=1))
    waits(shop)
    assert waiting_ratings.attach_waiting() == 0
    assert Rating.objects.count() == 1
    assert "ratings_expired ratings=3 waited_days=7" in caplog.text


def test_ratings_that_come_at_once_do_not_exceed_what_may_wait(
    shop: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_ratings, "WAITING_MAX", 20)
    crowd(shop, 15)
    start = Barrier(12)
    count = waiting_ratings.refuse_too_many

    def count_slowly(application_id: int | None) -> None:
        count(application_id)
        time.sleep(0.05)  # in which the others would count, if they could

    monkeypatch.setattr(waiting_ratings, "refuse_too_many", count_slowly)

    def post(number: int) -> bool:
        connection.ensure_connection()
        start.wait()
        try:
            waits(shop, f"{RESPONSE}-late-{number}")
        except ApiError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(12) as threads:
        assert sum(threads.map(post, range(12))) == 5
    assert Rating.objects.waiting().count() == 20


def test_a_rater_who_posts_twice_at_once_waits_once(shop: Application) -> None:
    start = Barrier(8)

    def post(_number: int) -> None:
        start.wait()
        waits(shop)
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(post, range(8)))
    assert Rating.objects.waiting().count() == 1


# A short response id comes again and again: of the newest request, and of a handful of rows.


def test_a_short_id_is_compared_with_a_handful_of_rows_however_many_there_are(
    shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store([
        row(n, application_id=shop.pk, response_id=f"chatcmpl-{n % 10}", started_at=timezone.now() - n * MINUTE / 60)
        for n in range(2_000)
    ])  # fmt: skip
    plans = []

    def explain(execute: Any, statement: str, values: Any, many: bool, context: Any) -> Any:
        if statement == named_requests.SHORT:
            with connection.cursor() as cursor:
                cursor.cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
                plans.append(cursor.cursor.fetchone()[0])
        return execute(statement, values, many, context)

    with connection.execute_wrapper(explain):
        for identifier in ("chatcmpl-3", "order-7"):
            named_requests.find_request(identifier, shop.pk)
    read = [rows_read(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"]) for plan in plans]
    assert len(read) == 2 and max(read) <= 10, read


def test_a_short_id_means_the_newest_request_of_its_own_application(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    other = application("other")
    old, new, theirs, nobodys = arrive(conn, *(
        {"application_id": owner, "response_id": "chatcmpl-7", "started_at": timezone.now() - minutes * MINUTE}
        for owner, minutes in ((shop.pk, 9), (shop.pk, 8), (other.pk, 7), (None, 6))
    ))  # fmt: skip
    assert old.id != new.id
    assert send(key, request_id="chatcmpl-7", score=1).json()["request_id"] == str(new.id)
    secret = create_key(name="other", scopes=["rate"], application=other)[1]
    assert send(secret, request_id="chatcmpl-7", score=1).json()["request_id"] == str(theirs.id)
    of_none = create_key(name="all", scopes=["rate"])[1]
    assert send(of_none, request_id="chatcmpl-7", score=1).json()["request_id"] == str(nobodys.id)


def test_a_rating_that_waits_costs_a_few_statements(shop: Application) -> None:
    caller = Caller(1, shop.pk, shop.slug, capture_bodies=False, scopes=frozenset({"rate"}), expires_at=None)
    with CaptureQueriesContext(connection) as queries:
        ratings.receive(identifier="order-7", judgement=Judgement("ann", score=1), caller=caller)
    # The salt and two looks for the request, then in a transaction: the lock, the same rating, the count, the row.
    assert len([query for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT"))]) == 7
    store([row(1, application_id=shop.pk, response_id="order-7")])
    assert Rating.objects.get().request_id is not None


def test_a_request_that_arrives_between_the_look_and_the_wait_is_found_by_the_next_look(
    key: str, shop: Application, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_then_arrive(identifier: str, application_id: int | None) -> None:
        arrive(conn, {"application_id": shop.pk, "response_id": RESPONSE})

    monkeypatch.setattr(ratings, "find_request", look_then_arrive)
    assert send(key, request_id=RESPONSE, score=1).json()["request_id"] is None
    assert waiting_ratings.attach_waiting() == 1
    assert Rating.objects.get().request_id is not None
