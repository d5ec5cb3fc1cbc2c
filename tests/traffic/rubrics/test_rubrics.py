"""Rubrics: their versions, marks on the Rate page, and what marks add up to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.traffic.people import application, arrive, logged_in, person, text
from traffic.defaults import ensure_defaults
from traffic.ingest.context import clear_cache
from traffic.models import Application, Rating, RatingDraft, Request, Rubric
from traffic.quality.criteria import by_criterion
from traffic.quality.scoreboard import period_of
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement
from traffic.rubrics import services
from traffic.rubrics.criteria import Criterion, made, marks_of
from traffic.rubrics.forms import RubricForm

RATE = "/quality/rate/"
GROUNDED = Criterion("grounded", "Grounded", "scale", ("no", "", "", "", "yes"))
RUNS = Criterion("runs", "Runs", "yes_no")
FAULTS = Criterion("faults", "Faults", "tags", ("slow", "made up"))


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    ensure_defaults()
    return application("shop")


@pytest.fixture
def ada(shop: Application) -> User:
    user = person("ada", "traffic.add_rating", "traffic.view_quality")
    shop.members.add(user)
    return user


def answers(conn: psycopg.Connection, shop: Application, n: int = 1, **values: Any) -> list[Request]:
    start = timezone.now() - timedelta(hours=1)
    return arrive(
        conn,
        *(
            {"application_id": shop.pk, "started_at": start, "external_id": f"r{k}{values}", "prompt": "Why?",
             "answer": f"Answer {k}.", **values}
            for k in range(n)
        ),
    )  # fmt: skip


def current(task: str) -> Rubric:
    return Rubric.objects.current().get(task=task)


@pytest.mark.parametrize(
    ("criterion", "sent", "stored"),
    [
        (GROUNDED, "5", 5), (GROUNDED, 1, 1), (RUNS, "1", 1), (RUNS, False, 0),
        (FAULTS, ["made up", "slow"], ["slow", "made up"]),
        (FAULTS, "slow", ["slow"]),
    ],
)  # fmt: skip
def test_a_mark_is_stored_as_its_kind_has_it(criterion: Criterion, sent: Any, stored: Any) -> None:
    assert marks_of([criterion], {criterion.key: sent}) == {criterion.key: stored}


@pytest.mark.parametrize(
    ("criterion", "sent", "sentence"),
    [
        (GROUNDED, "0", "Grounded must be 1 to 5."), (GROUNDED, 6, "Grounded must be 1 to 5."),
        (GROUNDED, "05", "Grounded must be 1 to 5."), (GROUNDED, 4.5, "Grounded must be 1 to 5."),
        (GROUNDED, {"a": 1}, "Grounded must be 1 to 5."), (RUNS, "2", "Runs must be yes or no."),
        (RUNS, "yes", "Runs must be yes or no."), (FAULTS, ["other"], "Faults must be tags of: slow, made up."),
        (FAULTS, [["slow"]], "Faults must be tags of: slow, made up."),
        (FAULTS, 3, "Faults must be tags of: slow, made up."),
    ],
)  # fmt: skip
def test_a_mark_out_of_range_is_a_sentence(criterion: Criterion, sent: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        marks_of([criterion], {criterion.key: sent})


def test_what_is_not_chosen_has_no_mark() -> None:
    assert marks_of([GROUNDED, FAULTS], {"grounded": "", "faults": []}) == {}
    with pytest.raises(ValueError, match="no criterion “x”"):
        marks_of([GROUNDED], {"x": 1})


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], "1 to 5 criteria"),
        ([("A", "scale", "one\ntwo\nthree")], "A needs five lines"),
        ([("A", "tags", "")], "A needs 1 to 8 different tags"),
        ([("A", "tags", "x\nx")], "A needs 1 to 8 different tags"),
        ([("A", "yes_no", ""), ("a", "yes_no", "")], "Two criteria are called a."),
    ],
)
def test_a_rubric_that_cannot_be_used_is_a_sentence(rows: Any, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        made(rows)
    assert made([("Is it right?", "scale", "no\nyes")])[0]["anchors"] == ["no", "", "", "", "yes"]


def test_eight_tags_of_full_length_fit_the_form() -> None:
    lines = "\r\n".join(f"{number}{'x' * 119}" for number in range(8))  # as browsers send them
    kinds = {f"kind_{number}": "tags" for number in range(1, 6)}
    form = RubricForm({"name": "Faults", "name_1": "Fault", "anchors_1": lines, **kinds})
    assert form.is_valid(), form.errors


def test_the_rate_page_shows_the_criteria_of_the_task_and_stores_marks(
    ada: User, shop: Application, conn: psycopg.Connection
) -> None:
    (row,) = answers(conn, shop)
    client, rubric = logged_in(ada), current("rag")
    page = text(client, RATE)
    beside = page[page.index('<form class="scale') :]
    assert f'form="rating-{row.id}"' in page and "criterion" not in beside, "under the answer: the buttons do not move"
    assert 'name="mark-grounded"' in page and 'data-key="q 5"' in page and "5: Every claim is in the sources" in page
    form = {"request": str(row.id), "rubric": rubric.pk, "stars": "4", "mark-grounded": "5", "mark-clear": "2"}
    assert client.post(RATE, form | {"mark-clear": "9"}).status_code == 422
    assert client.post(RATE, form).status_code == 302
    rating = Rating.objects.get()
    assert (rating.rubric, rating.marks) == (rubric, {"grounded": 5, "clear": 2})
    again = text(client, f"{RATE}?at={row.id}")
    assert again.count(" checked data-key") == 2
    client.post(f"/requests/{row.id}/rate/", {"stars": "3"})
    rating.refresh_from_db()
    assert (rating.stars, rating.marks) == (3, {"grounded": 5, "clear": 2}), "stars alone leave the marks"


def test_tags_and_yes_or_no_are_marks_of_code(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    (row,) = answers(conn, shop, task="code")
    form = {"request": str(row.id), "rubric": current("code").pk, "stars": "2", "mark-runs": "0",
            "mark-faults": ["security", "invented API"]}  # fmt: skip
    logged_in(ada).post(RATE, form)
    assert Rating.objects.get().marks == {"runs": 0, "faults": ["security", "invented API"]}


def test_a_rating_in_progress_is_kept_under_the_version_that_was_deleted_meanwhile(
    ada: User, shop: Application, conn: psycopg.Connection
) -> None:
    (row,) = answers(conn, shop)
    rubric = current("rag")
    services.retire(rubric)
    assert "mark-grounded" not in text(logged_in(ada), RATE)
    form = {"request": str(row.id), "rubric": rubric.pk, "stars": "4", "mark-grounded": "1"}
    logged_in(ada).post(RATE, form)
    assert (Rating.objects.get().rubric, Rating.objects.get().marks) == (rubric, {"grounded": 1})


def test_undo_brings_back_the_marks_as_a_draft(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    (row,) = answers(conn, shop)
    client = logged_in(ada)
    form = {"request": str(row.id), "rubric": current("rag").pk, "stars": "4", "mark-clear": "3", "comment": "So so."}
    client.post(RATE, form)
    client.post(f"/quality/ratings/{Rating.objects.get().pk}/undo/")
    assert not Rating.objects.exists()
    page = text(client, f"{RATE}?at={row.id}")
    assert page.count(" checked data-key") == 1 and 'value="So so."' in page


def test_a_draft_survives_a_reload_and_goes_with_the_rating(
    ada: User, shop: Application, conn: psycopg.Connection
) -> None:
    (row,) = answers(conn, shop)
    client = logged_in(ada)
    form = {"request": str(row.id), "rubric": current("rag").pk, "mark-clear": "3", "mark-grounded": "77",
            "comment": "half a sen"}  # fmt: skip
    assert client.post(f"{RATE}draft/", form).status_code == 204
    page = text(logged_in(ada), RATE)
    assert 'value="half a sen"' in page and page.count(" checked data-key") == 1
    other = person("bea", "traffic.add_rating")
    shop.members.add(other)
    assert "half a sen" not in text(logged_in(other), RATE)
    client.post(RATE, {"request": str(row.id), "stars": "4"})
    assert not RatingDraft.objects.exists()


def test_a_change_makes_a_version_and_old_ratings_keep_theirs(shop: Application, conn: psycopg.Connection) -> None:
    manager = logged_in(person("mara", "traffic.change_rubric", "traffic.view_quality"))
    first = current("rag")
    form = {"name": "RAG answers", "task": "rag", "name_1": "Grounded", "kind_1": "scale", "anchors_1": "no\nyes",
            **{f"kind_{n}": "scale" for n in range(2, 6)}}  # fmt: skip
    assert manager.post(f"/quality/rubrics/{first.pk}/", form | {"anchors_1": "x"}).status_code == 422
    assert current("rag") == first, "a form with an error changes nothing"
    assert manager.post(f"/quality/rubrics/{first.pk}/", form).status_code == 302
    second = current("rag")
    assert (second.version, second.criteria[0]["anchors"]) == (2, ["no", "", "", "", "yes"])
    assert manager.get(f"/quality/rubrics/{first.pk}/").status_code == 404
    taken = manager.post("/quality/rubrics/add/", form | {"name": "Other"})
    assert taken.status_code == 422 and "Answers of this task are rated by “RAG answers”." in taken.content.decode()
    assert "version 2" in text(manager, "/quality/rubrics/")
    manager.post(f"/quality/rubrics/{second.pk}/delete/")
    assert "RAG answers" not in text(manager, "/quality/rubrics/").split("Rubric deleted.")[-1].split("Criteria of")[-1]
    manager.post(f"/quality/rubrics/{second.pk}/undo/")
    assert current("rag").version == 3


def judged(request: Request, by: str, rubric: Rubric, **marks: Any) -> None:
    ratings.rate(request=request, judgement=Judgement(by, stars=4, rubric_id=rubric.pk, marks=marks))


def test_marks_add_up_by_criterion_and_version(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    rubric = current("rag")
    for number, row in enumerate(answers(conn, shop, 4)):
        judged(row, "a", rubric, grounded=(5, 4, 3, 4)[number], **({"clear": 2} if number else {}))
    grounded, _complete, clear = by_criterion(period_of(30))[""]
    assert (grounded.n, grounded.mean, clear.n, clear.mean) == (4, 4.0, 3, 2.0)
    assert grounded.interval is not None and grounded.interval == pytest.approx((3.2, 4.8), abs=0.01)
    assert clear.interval is None, "equal marks show no spread"
    newer = services.save(name=rubric.name, task="rag", criteria=rubric.criteria[:1], replaces=rubric)
    judged(answers(conn, shop, 1, model="other")[0], "a", newer, grounded=1)
    assert [(row.version, row.n) for row in by_criterion(period_of(30))[""]][::3] == [(1, 4), (2, 1)]
    page = text(logged_in(ada), "/quality/")
    assert "RAG answers" in page and "4.0 (3.2–4.8)" in page and "n 4" in page


def test_yes_or_no_is_a_share_and_tags_are_counted(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    code = current("code")
    for number, row in enumerate(answers(conn, shop, 4, task="code")):
        judged(row, "a", code, runs=int(number > 0), **({"faults": ["security"]} if number == 0 else {}))
    runs, _right, _readable, faults = by_criterion(period_of(30))[""]
    assert runs.mean == 0.75 and runs.interval == pytest.approx((0.3006, 0.9544), abs=1e-4)
    assert (faults.n, faults.counts["security"], faults.mean) == (4, 1, None)
    page = text(logged_in(ada), "/quality/")
    assert "75 % (30 %–95 %)" in page and "security 25 %" in page


def test_ratings_without_a_fault_count_and_a_tag_can_be_taken_off(
    ada: User, shop: Application, conn: psycopg.Connection
) -> None:
    client, rubric = logged_in(ada), current("code")
    rows = answers(conn, shop, 3, task="code")
    for number, row in enumerate(rows):
        form = {"request": str(row.id), "rubric": rubric.pk, "stars": "4"}
        client.post(RATE, form | ({"mark-faults": "security"} if number == 0 else {}))
    faults = by_criterion(period_of(7))[""][-1]
    assert (faults.n, faults.counts) == (3, {"security": 1})
    first = Rating.objects.filter(request_id=rows[0].id)
    client.post(f"/requests/{rows[0].id}/rate/", {"stars": "5"})
    assert first.get().marks == {"faults": ["security"]}, "the page of the request shows no criteria"
    client.post(RATE, {"request": str(rows[0].id), "rubric": rubric.pk, "stars": "5"})
    assert (first.get().marks, first.get().rubric_id) == ({}, rubric.pk)


def test_the_api_has_criteria_and_rubrics(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    (row,) = answers(conn, shop)
    judged(row, "a", current("rag"), grounded=5)
    manager = logged_in(person("mara", "costs.view_charge", "traffic.view_quality"))
    today = timezone.now().date()
    query = {"from": str(today - timedelta(days=2)), "to": str(today + timedelta(days=1)), "group_by": "task"}
    (group,) = manager.get("/api/v1/quality", query).json()["groups"]
    assert group["criteria"][0] == {
        "rubric": "RAG answers", "version": 1, "key": "grounded", "name": "Grounded", "kind": "scale", "n": 1,
        "mean": 5.0, "interval": None, "tags": {},
    }  # fmt: skip
    names = [rubric["name"] for rubric in manager.get("/api/v1/rubrics").json()["rubrics"]]
    assert names == ["Code", "Italian", "RAG answers"]


def test_a_program_sends_marks_with_its_feedback(ada: User, shop: Application, conn: psycopg.Connection) -> None:
    from tests.traffic.feedback import send
    from traffic.authentication.keys import callers, create_key

    callers.clear()
    key = create_key(name="test", scopes=["rate"], application=shop)[1]
    (row,) = answers(conn, shop)
    body = {"request_id": str(row.id), "stars": 5, "rubric": current("rag").pk, "marks": {"grounded": 4}}
    assert send(key, **body).status_code == 200
    assert Rating.objects.get().marks == {"grounded": 4}
    for wrong in ({"marks": {"grounded": 9}}, {"marks": {"x": 1}}, {"rubric": 999}, {"rubric": None}):
        assert send(key, **(body | wrong)).status_code == 422, wrong


def test_who_may_change_rubrics(shop: Application) -> None:
    client = Client()
    assert client.get("/quality/rubrics/")["Location"].startswith("/login/")
    reader = logged_in(person("rio", "traffic.view_quality"))
    assert reader.get("/quality/rubrics/").status_code == 200
    assert reader.get("/quality/rubrics/add/").status_code == 403
