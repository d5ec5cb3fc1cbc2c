"""The queue stays blind, its end says who answered, and a person finds and changes what they rated."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from lib import sql
from providers.models import AuditEntry
from tests.traffic.people import application, arrive, logged_in, person, text
from tests.traffic.request_rows import rows_read
from traffic.models import Abstention, Application, Rating, RatingDraft, Request
from traffic.ratings import queue, services
from traffic.ratings.judgement import Judgement
from traffic.visibility import rateable

RATE, MINE = "/quality/rate/", "/quality/my-ratings/"


@pytest.fixture
def ada(transactional_db: None) -> User:
    return person("ada", "traffic.add_rating", "traffic.view_quality")


@pytest.fixture
def shop(ada: User) -> Application:
    return application("shop", ada)


def answers(
    conn: psycopg.Connection, shop: Application, count: int, apart: timedelta = timedelta(minutes=1)
) -> list[Request]:
    start = timezone.now() - timedelta(hours=1) - count * apart
    return arrive(
        conn,
        *(
            {"application_id": shop.pk, "started_at": start + n * apart, "prompt": "[]", "answer": f"Answer {n}.",
             "external_id": f"r{n}"}
            for n in range(count)
        ),
    )  # fmt: skip


def rate(client: Client, request: Request, **form: str) -> None:
    assert client.post(RATE, {"request": str(request.id), "stars": "4", **form}).status_code == 302


def test_the_order_is_a_persons_own_and_stays(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    rows = answers(conn, shop, 12)
    bea = person("bea", "traffic.add_rating")
    shop.members.add(bea)
    orders = [queue.waiting(who, rateable(who)) for who in (ada, bea)]
    assert set(orders[0]) == set(orders[1]) == {row.id for row in rows}
    assert orders[0] != orders[1] and orders[0] == queue.waiting(ada, rateable(ada))
    assert [row.id for row in reversed(rows)] not in orders  # which would give runs of one model away


def test_the_texts_of_new_days_are_looked_up_one_by_one(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    answers(conn, shop, 400, timedelta(hours=0.6))  # PostgreSQL has no statistics of these ten days
    assert len(queue.waiting(ada, [shop.pk])) == queue.LONGEST
    statement, values = queue.WAITING, queue.waiting_values(ada, [shop.pk])
    with transaction.atomic(), connection.cursor() as cursor:
        # Whether tables this small are read whole depends on when PostgreSQL last looked at them.
        cursor.execute(
            "SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
        )
        ((plan,),) = sql.rows(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
    read = rows_read(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"])
    assert read < 600, read  # of each answer a request and a text


def test_a_text_is_written_in_its_own_direction(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    arrive(conn, {"application_id": shop.pk, "prompt": "ما هي العاصمة؟", "answer": "العاصمة هي **باريس**."})
    page = text(logged_in(ada), RATE)
    assert re.search(r'<div class="text" dir="auto">\s*ما هي العاصمة؟', page)
    assert re.search(r'<div dir="auto" class="answer-text">\s*<p>العاصمة هي <strong>باريس</strong>', page)


def test_the_end_of_the_queue_names_the_models(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    client = logged_in(ada)
    for row in answers(conn, shop, 2):
        rate(client, row)
    page = text(client, RATE)
    assert "All done: 2 answers rated today." in page and page.count("claude-test") >= 2


def test_my_ratings_lists_mine_alone_and_leads_back(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    first, second = answers(conn, shop, 2)
    client = logged_in(ada)
    rate(client, first, comment="Made <b>up</b>.")
    bea = person("bea", "traffic.add_rating")
    shop.members.add(bea)
    rate(logged_in(bea), second)
    page = text(client, MINE)
    assert f"{RATE}?at={first.id}" in page and str(second.id) not in page
    assert "Made &lt;b&gt;up&lt;/b&gt;." in page and "1 answer rated today." in page


def test_my_ratings_names_no_model_before_the_batch_ends(
    conn: psycopg.Connection, shop: Application, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = answers(conn, shop, 3)
    client = logged_in(ada)
    rate(client, first)
    page = text(client, MINE)
    assert "after today’s batch" in page and "claude-test" not in page and f"/requests/{first.id}/" not in page
    again = text(client, f"{RATE}?at={first.id}")
    assert "You have rated this answer" in again and "claude-test" not in again
    assert f"/requests/{first.id}/" not in again
    assert models_of(client) == [None]
    admin = logged_in(person("root", is_superuser=True))
    assert models_of(admin, ada) == [None], "another's are as blind"
    Rating.objects.update(created_at=timezone.now() - timedelta(days=1))
    assert "claude-test" in text(client, MINE), "yesterday's batch has ended"
    assert "claude-test" in text(client, f"{RATE}?at={first.id}")
    rate(client, second)
    assert models_of(client) == models_of(admin, ada) == ["claude-test", None]
    monkeypatch.setattr("traffic.ratings.page.DAILY", 1)
    assert "after today’s batch" not in text(client, MINE), "the day's goal is reached"
    monkeypatch.undo()
    assert "after today’s batch" in text(client, MINE)
    rate(client, third)
    page = text(client, MINE)
    assert "after today’s batch" not in page and f"/requests/{third.id}/" in page, "nothing waits any more"
    assert models_of(client) == models_of(admin, ada) == ["claude-test"] * 3


def models_of(client: Client, of: User | None = None) -> list[str | None]:
    """The models in one's own download, or in that `of` another, the oldest rating first."""
    path = f"/quality/raters/{of.pk}/ratings.jsonl" if of else f"{MINE}ratings.jsonl"
    return [json.loads(line)["model"] for line in client.get(path).getvalue().splitlines()]


def test_a_long_list_has_pages(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    (row,) = answers(conn, shop, 1)
    client = logged_in(ada)
    rate(client, row)
    page = text(client, MINE, before=str(Rating.objects.get().pk))
    assert str(row.id) not in page
    for odd in ("x", "-1", "9" * 40):
        assert client.get(MINE, {"before": odd}).status_code == 200
    assert "You have not rated an answer yet." in text(logged_in(person("cleo", "traffic.add_rating")), MINE)


def test_a_comment_survives_undo(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    row, other = answers(conn, shop, 2)
    client = logged_in(ada)
    rate(client, row, comment="Almost, but the date is wrong.")
    back = client.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/")
    assert "Almost, but the date is wrong." in text(client, back["Location"])
    assert "Almost" not in text(client, f"{RATE}?at={other.id}")
    rate(client, row)
    assert "Almost" not in text(client, f"{RATE}?at={row.id}")


def test_what_cannot_be_judged_is_no_rating_and_not_offered_again(
    conn: psycopg.Connection, shop: Application, ada: User
) -> None:
    row, other = answers(conn, shop, 2)
    client = logged_in(ada)
    answer = client.post(RATE, {"request": str(row.id), "cannot": "1", "next": str(other.id)})
    assert answer["Location"] == f"{RATE}?at={other.id}"
    assert not Rating.objects.exists() and queue.waiting(ada, rateable(ada)) == [other.id]
    page = text(client, MINE)
    assert "Not judged" in page
    back = client.post(f"/quality/abstentions/{Abstention.objects.get().pk}/undo/")
    assert back["Location"] == f"{RATE}?at={row.id}" and set(queue.waiting(ada, rateable(ada))) == {row.id, other.id}


def test_nobody_withdraws_anothers_note(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    (row,) = answers(conn, shop, 1)
    note = services.abstain(request=row, rater=ada)
    assert services.abstain(request=row, rater=ada) == note
    assert (
        logged_in(person("eve", "traffic.add_rating")).post(f"/quality/abstentions/{note.pk}/undo/").status_code == 404
    )


def test_notes_about_days_that_are_not_offered_go(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    old, new = answers(conn, shop, 2)
    services.abstain(request=old, rater=ada)
    Abstention.objects.update(day=timezone.now().date() - timedelta(days=queue.DAYS + 1))
    services.abstain(request=new, rater=ada)
    assert [note.request_id for note in Abstention.objects.all()] == [new.id]


def test_a_name_is_hidden_from_others_by_choice(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    (row,) = answers(conn, shop, 1)
    client = logged_in(ada)
    client.post(RATE, {"request": str(row.id), "stars": "1", "comment": "Wrong."})
    other = logged_in(person("mara", "traffic.view_quality", "traffic.view_request"))
    for address in ("/quality/", f"/requests/{row.id}/"):
        assert "ada" in text(other, address)
    client.post("/quality/my-ratings/name/", {"hide": "1"})
    assert "Your name is hidden" in text(client, "/quality/my-ratings/")
    for address in ("/quality/", f"/requests/{row.id}/"):
        assert ">ada" not in text(other, address) and "name hidden" in text(other, address)
    client.post("/quality/my-ratings/name/", {"hide": "0"})
    assert "ada" in text(other, "/quality/")
    assert AuditEntry.objects.filter(object_type="traffic.raterpreference").count() == 2


def test_all_that_a_person_rated_is_a_file(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    row, other = answers(conn, shop, 2)
    client = logged_in(ada)
    client.post(RATE, {"request": str(row.id), "stars": "4", "comment": "Good."})
    client.post(RATE, {"request": str(other.id), "cannot": "1", "comment": "Not my field."})
    services.rate(request=row, judgement=Judgement("ada", stars=1))  # of a program that calls its user ada
    admin = logged_in(person("root", is_superuser=True))
    own = client.get("/quality/my-ratings/ratings.jsonl")
    for response in (own, admin.get(f"/quality/raters/{ada.pk}/ratings.jsonl")):
        lines = [json.loads(line) for line in response.getvalue().splitlines()]
        assert [line["kind"] for line in lines] == ["rating", "abstention"]
        assert lines[0] | {"created_at": ""} == {
            "kind": "rating", "request_id": str(row.id), "created_at": "", "application": "shop", "deployment": None,
            "model": row.model, "task": "rag", "score": None, "stars": 4, "comment": "Good.", "rubric_name": None,
            "rubric_version": None, "marks": {},
        }  # fmt: skip
        assert (lines[1]["request_id"], lines[1]["reason"]) == (str(other.id), "Not my field.")
    assert client.get(f"/quality/raters/{ada.pk}/ratings.jsonl").status_code == 403
    assert admin.get("/quality/raters/999999/ratings.jsonl").status_code == 404
    assert AuditEntry.objects.filter(action="export").count() == 2


def test_a_nul_that_is_posted_is_left_out(conn: psycopg.Connection, shop: Application, ada: User) -> None:
    (row,) = answers(conn, shop, 1)
    client, form = logged_in(ada), {"request": str(row.id), "comment": "a\0b"}
    assert client.post(f"{RATE}draft/", form).status_code == 204
    assert RatingDraft.objects.get().typed["comment"] == "ab"
    rate_at = client.post(RATE, form | {"cannot": "1"})
    assert rate_at.status_code == 302 and Abstention.objects.get().reason == "ab"
