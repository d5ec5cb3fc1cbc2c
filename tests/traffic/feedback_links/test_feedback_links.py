"""A public link judges one answer once, without a login, and shows nothing of the answer."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from providers.models import AuditEntry
from tests.traffic.people import ANSWER, PROMPT, application, arrive, logged_in, person
from traffic.authentication.keys import callers, create_key
from traffic.authentication.limits import UnknownKeys
from traffic.feedback_links import services, views
from traffic.ingest.context import clear_cache
from traffic.models import Application, FeedbackLink, Rating, Request

URL = "/api/v1/feedback-links"


@pytest.fixture
def shop(conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> Application:
    clear_cache()
    callers.clear()
    # Its clock stands still: on a busy machine a test would take so long that a stranger may try again.
    monkeypatch.setattr(views, "visits", UnknownKeys(lambda: 1_000.0))
    return application("shop")


@pytest.fixture
def request_row(shop: Application, conn: psycopg.Connection) -> Request:
    return arrive(conn, {"application_id": shop.pk, "prompt": PROMPT, "answer": ANSWER})[0]


def send(key: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return Client().post(URL, json.dumps(body), content_type="application/json", headers=headers)


@pytest.fixture
def path(shop: Application, request_row: Request) -> str:
    """The link's path, as the API makes it."""
    answer = send(create_key(name="app", scopes=["rate"], application=shop)[1], request_id=str(request_row.id))
    assert answer.status_code == 201, answer.content
    assert answer.json()["request_id"] == str(request_row.id)
    return "/feedback/" + str(answer.json()["url"]).partition("/feedback/")[2]


def words(response: Any, status: int) -> str:
    assert response.status_code == status
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_a_stranger_judges_the_answer_once(path: str, request_row: Request) -> None:
    page = Client().get(path)
    text = words(page, 200)
    assert "Yes, it helped" in text and "No, it did not" in text
    assert ANSWER not in text and request_row.model not in text and "Shop" not in text
    # The address is the secret. `no-referrer` would make browsers send the form without its origin, which is refused.
    assert page["X-Robots-Tag"] == "noindex" and page["Referrer-Policy"] == "same-origin"
    assert "Your feedback is saved" in words(Client().post(path, {"score": "-1", "comment": "Too long."}), 200)
    rating = Rating.objects.get()
    assert (rating.request_id, rating.score, rating.comment) == (request_row.id, -1, "Too long.")
    assert rating.rater is None and rating.application == request_row.application
    assert "has been used" in words(Client().post(path, {"score": "1"}), 410)
    assert "has been used" in words(Client().get(path), 410)
    assert Rating.objects.get().score == -1


def test_a_look_at_the_page_does_not_use_the_link_up(path: str) -> None:
    for _look in range(3):
        words(Client().get(path), 200)
    words(Client().post(path, {"score": "1"}), 200)


@pytest.mark.parametrize("score", ["", "5", "good"])
def test_a_form_without_a_thumb_is_shown_again(path: str, score: str) -> None:
    page = words(Client().post(path, {"score": score, "comment": "Too <long>"}), 422)
    assert "Choose one of the two buttons." in page and "Too &lt;long&gt;" in page
    assert not Rating.objects.exists() and FeedbackLink.objects.get().used_at is None


def test_a_comment_that_is_too_long_is_shown_again_with_its_reason(path: str) -> None:
    page = words(Client().post(path, {"score": "1", "comment": "y" * 5_001}), 422)
    assert "5000 characters" in page and "y" * 5_001 in page
    assert FeedbackLink.objects.get().used_at is None


def test_an_expired_link_has_a_sentence(path: str) -> None:
    FeedbackLink.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "has expired" in words(Client().get(path), 410)
    assert "has expired" in words(Client().post(path, {"score": "1"}), 410)
    assert not Rating.objects.exists()


def test_a_link_whose_answer_is_gone_has_a_sentence(path: str, request_row: Request, conn: psycopg.Connection) -> None:
    conn.execute("DELETE FROM traffic_request WHERE day = %s AND id = %s", [request_row.day, request_row.id])
    assert "The answer is no longer stored" in words(Client().post(path, {"score": "1"}), 410)


def test_a_changed_address_is_not_valid(path: str) -> None:
    assert "not valid" in words(Client().get(path[:-3] + "xx/"), 404)
    assert "not valid" in words(Client().get("/feedback/1/"), 404)


def test_the_form_needs_its_token(path: str) -> None:
    assert Client(enforce_csrf_checks=True).post(path, {"score": "1"}).status_code == 403
    assert not Rating.objects.exists()


def test_who_tries_many_addresses_waits(path: str) -> None:
    answers = [Client().get(f"/feedback/{number}/") for number in range(views.visits.AT_ONCE + 2)]
    assert answers[0].status_code == 404
    assert answers[-1].status_code == 429 and int(answers[-1]["Retry-After"]) >= 1
    assert "Too many attempts" in words(answers[-1], 429)


def test_links_work_while_strangers_try_addresses(path: str) -> None:
    for number in range(views.visits.AT_ONCE + 1):
        answer = Client().get(f"/feedback/{number}/")
    assert answer.status_code == 429
    assert "Did the answer help you?" in words(Client().get(path), 200)
    assert "Your feedback is saved" in words(Client().post(path, {"score": "1"}), 200)


def test_guesses_are_not_looked_up(shop: Application, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert Client().get("/feedback/1/").status_code == 404


def test_the_making_and_the_use_are_in_the_audit_log(path: str) -> None:
    Client().post(path, {"score": "1"})
    link = FeedbackLink.objects.get()
    entries = AuditEntry.objects.filter(object_type="traffic.feedbacklink", object_id=str(link.pk)).order_by("id")
    assert [(entry.action, entry.actor_kind, entry.actor) for entry in entries] == [
        ("added", "key", "app"), ("changed", "stranger", "")
    ]  # fmt: skip
    assert not any(path in f"{entry.message}{entry.object_name}" for entry in entries)


def test_a_key_makes_links_for_its_own_application_only(shop: Application, request_row: Request) -> None:
    other = create_key(name="other", scopes=["rate"], application=application("other"))[1]
    assert send(other, request_id=str(request_row.id)).status_code == 404
    reader = create_key(name="reader", scopes=["read"], application=shop)[1]
    assert send(reader, request_id=str(request_row.id)).status_code == 403
    rater = create_key(name="rater", scopes=["rate"], application=shop)[1]
    assert send(rater, request_id=str(request_row.id), days=services.MOST_DAYS + 1).status_code == 422


def test_unused_links_of_an_application_are_bounded(
    shop: Application, request_row: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_OPEN", 1)
    key = create_key(name="app", scopes=["rate"], application=shop)[1]
    assert [send(key, request_id=str(request_row.id)).status_code for _n in range(2)] == [201, 429]
    FeedbackLink.objects.update(used_at=timezone.now())
    assert send(key, request_id=str(request_row.id)).status_code == 201


def test_a_person_makes_a_link_on_the_requests_page(shop: Application, request_row: Request) -> None:
    rater = person("rater", "traffic.add_rating")
    shop.members.add(rater)
    page = logged_in(rater).post(f"/requests/{request_row.id}/link/")
    text = words(page, 200)
    # The address is signed with the second of its making, so the page's is opened, not compared with one made later.
    shown = re.search(r"/feedback/[^/\"<]+/", page.content.decode())
    assert shown is not None and services.number_of(shown[0].split("/")[2]) == FeedbackLink.objects.get().pk
    assert "Yes, it helped" in words(Client().get(shown[0]), 200)
    assert "Works once, until" in text
    assert AuditEntry.objects.get(object_type="traffic.feedbacklink").actor == "rater"
    # It is not shown again, and not made by who may not see the request.
    assert "Works once" not in words(logged_in(rater).get(f"/requests/{request_row.id}/"), 200)
    stranger: User = person("stranger", "traffic.add_rating")
    assert logged_in(stranger).post(f"/requests/{request_row.id}/link/").status_code == 404


def test_a_person_who_made_too_many_links_reads_why(
    shop: Application, request_row: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_OPEN", 0)
    rater = person("rater", "traffic.add_rating")
    shop.members.add(rater)
    text = words(logged_in(rater).post(f"/requests/{request_row.id}/link/"), 429)
    assert "0 feedback links of this application are unused." in text and "Works once" not in text


def test_links_that_expired_long_ago_are_deleted(path: str) -> None:
    assert services.purge() == 0
    FeedbackLink.objects.update(expires_at=timezone.now() - services.REMEMBERED - timedelta(days=1))
    assert services.purge() == 1
