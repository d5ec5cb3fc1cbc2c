"""Feedback to the contract: by either id, once a rater, also when it comes before its request."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from lib.periods import Period
from tests.factories import PairFactory
from tests.traffic.feedback import URL, send
from tests.traffic.people import application, arrive, logged_in, person, text
from tests.traffic.request_rows import NOON, RESPONSE, row
from traffic.authentication.keys import callers, create_key
from traffic.comparisons import services as comparisons
from traffic.comparisons.rater import Rater
from traffic.ingest.context import clear_cache
from traffic.ingest.pipeline import store
from traffic.ingest.pricing import PricingContext
from traffic.ingest.store import ingest
from traffic.models import Application, PairChoice, RaterKind, Rating, RatingDay, Request
from traffic.quality.queries import quality
from traffic.ratings import named_requests
from traffic.ratings import services as ratings
from traffic.ratings import waiting as waiting_ratings
from traffic.ratings.judgement import Judgement


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    callers.clear()
    return application("shop")


@pytest.fixture
def key(shop: Application) -> str:
    return create_key(name="test", scopes=["rate"], application=shop)[1]


def arrived(conn: psycopg.Connection, shop: Application, **given: Any) -> Request:
    return arrive(conn, {"application_id": shop.pk, "response_id": RESPONSE, **given})[0]


def test_a_rating_by_our_id_is_stored_with_what_the_request_says(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    request = arrived(conn, shop)
    answer = send(key, request_id=str(request.id), score=1, stars=5, comment="Right.", by="ann")
    assert answer.status_code == 200
    assert answer.json()["request_id"] == str(request.id)
    rating = Rating.objects.get(pk=answer.json()["id"])
    assert (rating.day, rating.application, rating.model, rating.task) == (request.day, shop, "claude-test", "rag")
    assert (rating.score, rating.stars, rating.comment, rating.by) == (1, 5, "Right.", "ann")


@pytest.mark.parametrize("days_ago", [0, 5, 40, 300])
def test_a_response_id_is_found_however_old(
    key: str, shop: Application, conn: psycopg.Connection, days_ago: int
) -> None:
    request = arrived(conn, shop, started_at=NOON - timedelta(days=days_ago))
    assert send(key, request_id=RESPONSE, score=0).json()["request_id"] == str(request.id)


def test_a_short_response_id_means_the_newest_answer_of_the_application(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    other = application("other")
    _old, new, _theirs = arrive(
        conn,
        {"application_id": shop.pk, "response_id": "chatcmpl-7"},
        {"application_id": shop.pk, "response_id": "chatcmpl-7", "started_at": NOON + timedelta(hours=1)},
        {"application_id": other.pk, "response_id": "chatcmpl-7", "started_at": NOON + timedelta(hours=2)},
    )
    assert send(key, request_id="chatcmpl-7", score=1).json()["request_id"] == str(new.id)


def test_the_id_that_the_application_gave_its_request_is_understood(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    request = arrived(conn, shop, external_id="order-4711")
    assert send(key, request_id="order-4711", score=1).json()["request_id"] == str(request.id)


def test_the_same_rater_again_replaces_and_another_adds(key: str, shop: Application, conn: psycopg.Connection) -> None:
    request = arrived(conn, shop)
    first = send(key, request_id=str(request.id), score=1, comment="Good.", by="ann").json()
    second = send(key, request_id=RESPONSE, stars=2, by="ann").json()
    send(key, request_id=RESPONSE, stars=4, by="bob")
    assert first["id"] == second["id"]
    mine = Rating.objects.get(by="ann")
    assert (mine.score, mine.stars, mine.comment) == (None, 2, "")
    assert Rating.objects.count() == 2


def test_a_rating_waits_and_is_attached_when_its_request_arrives(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    answer = send(key, request_id=RESPONSE, stars=4, by="ann")
    assert (answer.status_code, answer.json()["request_id"]) == (200, None)
    store([row(1, application_id=shop.pk, response_id=RESPONSE)])
    rating = Rating.objects.get(pk=answer.json()["id"])
    assert (rating.day, rating.model, rating.stars) == (NOON.date(), "claude-test", 4)


def test_a_rating_by_our_id_waits_too_for_the_gateway_writes_a_moment_later(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    installation = PricingContext.load(conn)
    coming = row(1, application_id=shop.pk)
    known = uuid.UUID(installation.stage(coming).id)
    assert send(key, request_id=str(known), score=1).json()["request_id"] is None
    ingest(conn, [coming], installation)  # by a way in that does not look for ratings
    assert waiting_ratings.attach_waiting() == 1
    assert Rating.objects.get().request_id == known


def test_a_waiting_rating_is_replaced_by_the_same_rater(key: str) -> None:
    first = send(key, request_id=RESPONSE, score=1, by="ann").json()
    assert send(key, request_id=RESPONSE, score=-1, by="ann").json()["id"] == first["id"]
    send(key, request_id=RESPONSE, score=1, by="bob")
    assert list(Rating.objects.waiting().order_by("by").values_list("by", "score")) == [("ann", -1), ("bob", 1)]


def test_of_a_waiting_and_a_stored_rating_of_one_rater_the_later_counts(
    shop: Application, conn: psycopg.Connection
) -> None:
    request = arrived(conn, shop, external_id="x")
    for minutes, stars in ((-5, 5), (5, 3)):
        ratings.rate(request=request, judgement=Judgement("ann", stars=1))
        judgement = Judgement("ann", stars=stars)
        waiting = waiting_ratings.wait(identifier=RESPONSE, judgement=judgement, application_id=shop.pk)
        Rating.objects.filter(pk=waiting.pk).update(created_at=timezone.now() + timedelta(minutes=minutes))
        assert waiting_ratings.attach_waiting() == 1
        assert Rating.objects.get().stars == (1 if minutes < 0 else stars)


def test_a_rating_never_goes_to_another_applications_request(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    other = application("other")
    request = arrived(conn, other)
    for identifier in (str(request.id), RESPONSE):
        assert send(key, request_id=identifier, score=1).json()["request_id"] is None
    assert waiting_ratings.attach_waiting() == 0
    late = RESPONSE + "LATER"
    assert send(key, request_id=late, score=1).json()["request_id"] is None
    store([row(2, application_id=other.pk, response_id=late)])
    assert Rating.objects.waiting().count() == 3


def test_a_key_for_all_rates_any_request(shop: Application, conn: psycopg.Connection) -> None:
    request = arrived(conn, shop)
    secret = create_key(name="all", scopes=["rate"])[1]
    assert send(secret, request_id=RESPONSE, score=1).json()["request_id"] == str(request.id)


@pytest.mark.parametrize(
    "wrong",
    [
        {"request_id": RESPONSE},
        {"request_id": RESPONSE, "score": 2},
        {"request_id": RESPONSE, "score": True},
        {"request_id": RESPONSE, "stars": 0},
        {"request_id": RESPONSE, "stars": 6},
        {"request_id": RESPONSE, "stars": "5"},
        {"request_id": RESPONSE, "stars": 4.5},
        {"request_id": "", "score": 1},
        {"request_id": "x" * 201, "score": 1},
        {"request_id": "a\0b", "score": 1},
        {"request_id": "\ud800", "score": 1},
        {"request_id": RESPONSE, "score": 1, "by": ""},
        {"request_id": RESPONSE, "score": 1, "by": "a\0"},
        {"request_id": RESPONSE, "score": 1, "comment": "\0"},
        {"request_id": RESPONSE, "score": 1, "comment": 7},
        {"request_id": RESPONSE, "score": 1, "star": 5},
        {"score": 1},
    ],
)
def test_a_wrong_field_is_422_and_stores_nothing(key: str, wrong: dict[str, Any]) -> None:
    answer = send(key, **wrong)
    assert answer.status_code == 422, answer.content
    assert set(answer.json()) == {"detail", "errors"}
    assert not Rating.objects.exists()


def test_a_body_that_is_no_json_is_400(key: str) -> None:
    answer = Client().post(URL, "{", content_type="application/json", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 400


def test_without_a_key_it_is_401_and_without_the_scope_403(shop: Application) -> None:
    assert Client().post(URL, "{}", content_type="application/json").status_code == 401
    reader = create_key(name="reader", scopes=["read"], application=shop)[1]
    assert send(reader, request_id=RESPONSE, score=1).status_code == 403


def test_what_a_twin_tells_later_is_copied_to_the_rating(shop: Application, conn: psycopg.Connection) -> None:
    request = arrived(conn, shop, task="other", started_at=timezone.now() - timedelta(minutes=5))
    ratings.rate(request=request, judgement=Judgement("ann", stars=5))
    again = row(9, started_at=request.started_at, external_id="a0", application_id=shop.pk, task="qa")
    store([again])
    assert ratings.refresh_copies() == 1
    assert Rating.objects.get().task == "qa"
    assert ratings.refresh_copies() == 0


def test_undo_brings_back_what_the_rater_thought_before(shop: Application, conn: psycopg.Connection) -> None:
    request = arrived(conn, shop)
    first = ratings.rate(request=request, judgement=Judgement("ann", stars=5, comment="Good."))
    before = ratings.judgement_of(first)
    second = ratings.rate(request=request, judgement=Judgement("ann", stars=1))
    ratings.undo(rating=second, before=before)
    rating = Rating.objects.get()
    assert (rating.stars, rating.comment) == (5, "Good.")
    ratings.undo(rating=rating, before=None)
    assert not Rating.objects.exists()


def test_an_id_of_any_day_is_looked_up_without_a_fault(shop: Application) -> None:
    for identifier in (UUID(int=0), UUID(int=2**128 - 1)):
        assert named_requests.find_request(str(identifier), shop.pk) is None


def test_looking_for_waiting_ratings_takes_the_same_queries_however_many_wait(
    shop: Application, conn: psycopg.Connection
) -> None:
    for number in range(30):
        waiting_ratings.wait(
            identifier=f"{RESPONSE}{number}", judgement=Judgement("ann", score=1), application_id=shop.pk
        )
    with CaptureQueriesContext(connection) as queries:
        assert waiting_ratings.attach_waiting() == 0
    assert len(queries) == 5  # what is due, the ratings, the salt, then the requests by their two kinds of id
    ingest(conn, [row(1, application_id=shop.pk, external_id=f"{RESPONSE}7")], PricingContext.load(conn))
    ingest(conn, [row(2, application_id=shop.pk, response_id=f"{RESPONSE}8")], PricingContext.load(conn))
    Rating.objects.update(look_at=timezone.now())
    assert waiting_ratings.attach_waiting() == 2
    assert Rating.objects.waiting().count() == 28


def test_a_short_response_id_that_came_too_early_is_attached_too(shop: Application, conn: psycopg.Connection) -> None:
    waiting_ratings.wait(identifier="chatcmpl-9", judgement=Judgement("ann", score=1), application_id=shop.pk)
    ingest(conn, [row(1, application_id=shop.pk, response_id="chatcmpl-9")], PricingContext.load(conn))
    assert waiting_ratings.attach_waiting() == 1


def test_a_rating_is_not_waited_for_longer_than_a_week(shop: Application, conn: psycopg.Connection) -> None:
    waiting_ratings.wait(identifier=RESPONSE, judgement=Judgement("ann", score=1), application_id=shop.pk)
    Rating.objects.update(created_at=timezone.now() - timedelta(days=8))
    arrived(conn, shop)
    assert not waiting_ratings.any_waits()
    assert waiting_ratings.attach_waiting() == 0
    assert not Rating.objects.exists()


# Who speaks in a rating.


def test_an_application_that_names_one_of_our_people_is_still_itself(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    request = arrived(conn, shop)
    admin = person("admin", "traffic.view_request", "traffic.view_quality")
    ratings.rate(request=request, judgement=Judgement("admin", stars=1, comment="This is wrong."), rater=admin)
    assert send(key, request_id=RESPONSE, by="admin", stars=5, comment="Excellent.").status_code == 200
    theirs, said = Rating.objects.get(rater=admin), Rating.objects.get(rater=None)
    assert (theirs.stars, theirs.comment, theirs.rater_words) == (1, "This is wrong.", "admin")
    assert (said.stars, said.rater_kind, said.rater_words) == (5, RaterKind.APPLICATION, "Shop: admin")
    page = text(logged_in(admin), f"/requests/{request.id}/")
    assert "<dt>Shop: admin" in page and "2 ratings" in page
    board = text(logged_in(admin), "/quality/")
    assert "<td>Shop: admin</td>" in board and board.count("Shop · RAG") == 2


def test_a_renamed_person_has_one_rating_of_an_answer_and_a_deleted_one_leaves_no_name(
    shop: Application, conn: psycopg.Connection
) -> None:
    request, ada = arrived(conn, shop), person("ada", "traffic.add_rating")
    ratings.rate(request=request, judgement=Judgement("", stars=1), rater=ada)
    ada.username = "countess"
    ada.save()
    shop.members.add(ada)
    client = logged_in(ada)
    assert f'href="/quality/rate/?at={request.id}"' in text(client, "/quality/my-ratings/")
    ratings.rate(request=request, judgement=Judgement("", stars=5), rater=ada)
    assert Rating.objects.get().stars == 5
    lines = b"".join(client.get("/quality/my-ratings/ratings.jsonl").streaming_content).splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1
    ratings.set_name_hidden(ada, True)
    pair = PairFactory.create()
    comparisons.choose(pair=pair, rater=Rater.of_user(ada), side="tie")
    ada.delete()
    rating, choice = Rating.objects.get(), PairChoice.objects.get()
    assert (rating.rater_words, choice.rater_words) == ("deleted person", "deleted person")
    assert not {rating.by, choice.by} & {"ada", "countess"}


@pytest.mark.django_db
def test_ratings_of_before_are_of_a_number_and_a_renamed_person_has_the_latest() -> None:
    ada, day, answer = person("ada"), timezone.now().date(), uuid.uuid4()
    ours = {"day": day, "rater_kind": "person"}
    for by, stars in (("ada", 1), ("countess", 5)):
        Rating.objects.create(**ours, request_id=answer, rater=ada, by=by, stars=stars)
    for name in ("gone", "gone", "left"):
        Rating.objects.create(**ours, request_id=uuid.uuid4(), by=name, stars=3)
    Rating.objects.create(day=day, request_id=answer, by="gone", stars=3)
    pair = PairFactory.create()
    for by, outcome in (("ada", "tie"), ("countess", "candidate")):
        pair.choices.create(rater=ada, rater_kind="person", by=by, outcome=outcome, candidate_first=True)
    for statement in import_module("traffic.migrations.0036_raters_by_number").STATEMENTS:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert list(Rating.objects.filter(rater=ada).values_list("by", "stars")) == [(f"#{ada.pk}", 5)]
    assert Rating.objects.of_person(ada).count() == 1
    deleted = Counter(Rating.objects.filter(rater=None, rater_kind="person").values_list("by", flat=True))
    assert sorted(deleted.values()) == [1, 2] and not deleted.keys() & {"gone", "left"}
    assert Rating.objects.filter(by="gone").count() == 1, "what an application calls its user stays"
    assert list(pair.choices.order_by("pk").values_list("by", flat=True)) == [f"#{ada.pk}", f"#{ada.pk}/2"]
    assert sum(RatingDay.objects.values_list("ratings", flat=True)) == Rating.objects.count()


def test_a_key_of_no_application_is_no_person_either(shop: Application, conn: psycopg.Connection) -> None:
    request = arrived(conn, shop)
    admin = person("admin")
    ratings.rate(request=request, judgement=Judgement("admin", stars=1), rater=admin)
    secret = create_key(name="all", scopes=["rate"])[1]
    assert send(secret, request_id=RESPONSE, by="admin", stars=5).status_code == 200
    assert Rating.objects.get(rater=admin).stars == 1
    assert Rating.objects.get(rater=None).rater_words == "program of no application: admin"


def test_two_programs_that_name_a_rater_alike_are_two_raters(shop: Application, conn: psycopg.Connection) -> None:
    other = application("other")
    for owner in (shop, other):
        arrive(conn, {"application_id": owner.pk, "external_id": owner.slug, "started_at": timezone.now()})
        secret = create_key(name=owner.slug, scopes=["rate"], application=owner)[1]
        assert send(secret, request_id=owner.slug, score=1).json()["request_id"]
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    (group,) = quality(Period(today - timedelta(days=1), today + timedelta(days=2)))
    assert (group.ratings, group.raters) == (2, 2)


# Whose request it is.


def test_a_response_id_of_two_applications_is_each_ones_own(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    other = application("other")
    theirs = arrived(conn, other, external_id="theirs")
    ours = arrived(conn, shop, external_id="ours")
    assert send(key, request_id=RESPONSE, score=1).json()["request_id"] == str(ours.id)
    secret = create_key(name="other", scopes=["rate"], application=other)[1]
    assert send(secret, request_id=RESPONSE, score=-1).json()["request_id"] == str(theirs.id)


def test_a_rating_waits_beside_a_collectors_row_until_its_application_tells_of_it(
    key: str, shop: Application, conn: psycopg.Connection
) -> None:
    ingest(conn, [row(1, response_id=RESPONSE)], PricingContext.load(conn))
    assert send(key, request_id=RESPONSE, stars=4).json()["request_id"] is None
    store([row(2, application_id=application("other").pk, response_id=RESPONSE)])
    assert Rating.objects.get().request_id is None
    store([row(3, application_id=shop.pk, response_id=RESPONSE)])
    rating = Rating.objects.get()
    assert rating.application == shop and rating.request_id is not None
