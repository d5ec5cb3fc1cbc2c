"""A judge scores a share of a task's answers below its cap, apart from people, and is held against them."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from providers.models import AuditEntry, Deployment
from tests.factories import DeploymentFactory, TokenPriceFactory
from tests.traffic.people import ANSWER, PROMPT, application, arrive, logged_in, person
from traffic.ingest.context import clear_cache
from traffic.judges import queries, services
from traffic.models import Application, Judge, JudgeScore, Rating, Request, RequestBody
from traffic.ratings import services as ratings
from traffic.ratings.judgement import Judgement

pytestmark = pytest.mark.django_db(transaction=True)


class Server(ThreadingHTTPServer):
    """Streams one reply to each call, and keeps what it was asked."""

    reply = '{"stars": 4, "reason": "Right."}'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[dict[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        parts = [
            {"id": "1", "choices": [{"index": 0, "delta": {"content": self.server.reply}, "finish_reason": None}]},
            {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            {"id": "1", "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 10, "total_tokens": 60}},
        ]
        stream = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in parts) + b"data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(stream)))
        self.end_headers()
        self.wfile.write(stream)

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    clear_cache()
    made = Server()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def shop() -> Application:
    return application("shop")


@pytest.fixture
def judge(server: Server) -> Judge:
    """At a vendor whose tokens cost money; it judges every answer of `rag`."""
    TokenPriceFactory.create(provider="acme", model="big", uncached_input=Decimal(2), cache_read=Decimal(1),
                              output=Decimal(10))  # fmt: skip
    url = f"http://127.0.0.1:{server.server_port}"
    vendor = DeploymentFactory.create(slug="big", provider="acme", engine="llamacpp", url=url, model="big", local=True)
    return Judge.objects.create(task="rag", deployment=vendor, percent=100, rubric="5: right.", cap_usd=1, enabled=True)


@pytest.fixture
def answered(conn: psycopg.Connection, shop: Application) -> Callable[..., list[Request]]:
    def make(count: int, **given: Any) -> list[Request]:
        values = {"application_id": shop.pk, "prompt": PROMPT, "answer": ANSWER, "started_at": timezone.now()}
        before = Request.objects.count()
        return arrive(conn, *({**values, "external_id": f"j{before + n}", **given} for n in range(count)))

    return make


def test_answers_are_scored_once_and_their_calls_are_requests_of_the_judge(
    judge: Judge, answered: Callable[..., list[Request]], server: Server
) -> None:
    request = answered(1)[0]
    assert services.run_judges() == 1
    assert services.run_judges() == 0
    score = JudgeScore.objects.get()
    assert (score.request_id, score.state, score.stars, score.reason) == (request.id, "ok", 4, "Right.")
    call = Request.objects.get(source="judge")
    assert call.application is not None and (call.application.slug, call.application.test_only) == ("judge", True)
    # 50 tokens at 2 and 10 at 10 USD a million.
    assert call.cost == score.charged == Decimal("0.0002")
    sent = server.bodies[0]["messages"][0]["content"]
    assert "5: right." in sent and "May I return it?" in sent and ANSWER in sent
    assert list(RequestBody.objects.values_list("request_id", flat=True)) == [request.id]
    assert not Rating.objects.exists()


def test_what_was_judged_is_logged_without_a_text(
    judge: Judge, answered: Callable[..., list[Request]], server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="traffic")
    answered(2)
    services.run_judges()
    [line] = [row.getMessage() for row in caplog.records if row.__dict__.get("event") == "answers_judged"]
    assert line == f"answers_judged task={judge.task} sent=2 results=2"
    assert PROMPT not in caplog.text and ANSWER not in caplog.text


def test_no_call_passes_the_cap(judge: Judge, answered: Callable[..., list[Request]], server: Server) -> None:
    Judge.objects.update(cap_usd=Decimal("0.008"))
    answered(5)
    services.run_judges()
    assert 0 < len(server.bodies) < 5
    Judge.objects.update(cap_usd=Decimal("0.0001"))
    assert services.run_judges() == 0


def test_workers_claim_one_after_the_other_and_share_the_cap(
    judge: Judge, answered: Callable[..., list[Request]]
) -> None:
    answered(5)
    Judge.objects.update(cap_usd=Decimal("0.008"))

    def claim_elsewhere() -> int:
        try:
            return len(services.claim(judge))  # as it was before the cap was lowered
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            claimed = services.claim(judge)
            assert other.submit(claim_elsewhere).result(60) == 0, "while the first has not committed"
        assert 0 < len(claimed) < 5
        assert other.submit(claim_elsewhere).result(60) == 0, "the rest is less than a call may cost"
    assert sum(score.charged for score in JudgeScore.objects.all()) <= Decimal("0.008")


@pytest.mark.parametrize(
    "given",
    [
        {"raw": {"private": True}},
        {"provider": "self"},  # it may have been private
        {"task": "qa"},
        {"answer": None},
        {"outcome": "error"},
    ],
)
def test_what_a_vendor_must_not_read_and_what_is_no_answer_is_not_sent(
    judge: Judge, answered: Callable[..., list[Request]], given: dict[str, Any]
) -> None:
    answered(1, **given)
    assert services.run_judges() == 0


def test_texts_of_an_application_that_no_longer_stores_them_are_not_sent(
    judge: Judge, answered: Callable[..., list[Request]], shop: Application
) -> None:
    answered(1)
    Application.objects.filter(pk=shop.pk).update(capture_bodies=False)
    assert services.run_judges() == 0


def test_a_judge_that_is_disabled_or_has_no_price_sends_nothing(
    judge: Judge, answered: Callable[..., list[Request]]
) -> None:
    answered(1)
    Judge.objects.update(enabled=False)
    assert services.run_judges() == 0
    Judge.objects.update(enabled=True)
    Deployment.objects.update(model="unpriced")
    assert services.run_judges() == 0


def test_a_share_of_the_answers_is_judged(judge: Judge, answered: Callable[..., list[Request]], server: Server) -> None:
    answered(15)
    Judge.objects.update(percent=30)
    services.run_judges()
    assert len(server.bodies) < 15


@pytest.mark.parametrize(
    ("text", "stars"),
    [
        ('{"stars": 5, "reason": "Good"}', 5), ('Sure:\n```json\n{"stars": 1}\n```', 1), ('{"stars": 6}', None),
        ('{"stars": true}', None), ("four", None), ("", None), ("[" * 5_000, None), ('{"stars": "4"}', None),
    ],
)  # fmt: skip
def test_a_reply_that_is_not_as_asked_for_has_no_stars(text: str, stars: int | None) -> None:
    assert services.verdict(text)[0] == stars


def test_a_reply_without_stars_counts_as_failed(
    judge: Judge, answered: Callable[..., list[Request]], server: Server
) -> None:
    server.reply = "I would rather not."
    answered(1)
    services.run_judges()
    [result] = queries.results()
    assert (result.judged, result.failed, result.trusted) == (0, 1, False)


def scored(judge: Judge, requests: list[Request], stars: list[int], of_people: list[int]) -> None:
    for request, judged, people in zip(requests, stars, of_people, strict=True):
        JudgeScore.objects.create(judge=judge, day=request.day, request_id=request.id, state="ok", stars=judged)
        ratings.rate(request=request, judgement=Judgement("ann", stars=people))


def test_a_judge_is_trusted_when_it_agrees_with_people_on_enough_answers(
    judge: Judge, answered: Callable[..., list[Request]]
) -> None:
    scored(judge, answered(9), [1, 5, 4, 2, 5, 1, 3, 4, 2], [1, 5, 4, 2, 5, 1, 3, 4, 2])
    [result] = queries.results()
    assert (result.agreement.items, result.trusted) == (9, False)
    scored(judge, answered(3), [5, 1, 4], [5, 1, 4])
    [result] = queries.results()
    assert result.trusted and result.agreement.alpha == pytest.approx(1.0)
    scored(judge, answered(6), [1, 5, 1, 5, 1, 5], [5, 1, 5, 1, 5, 1])
    [result] = queries.results()
    assert not result.trusted and result.agreement.alpha is not None and result.agreement.alpha < 0.667
    page = logged_in(person("ada", "traffic.view_trial")).get("/quality/judges/").content.decode()
    assert "not to be trusted yet" in page and "Save judge" not in page


def test_a_judge_is_set_up_and_changed_by_the_form(server: Server) -> None:
    own = DeploymentFactory.create(slug="own")
    client = logged_in(person("ops", "traffic.view_trial", "traffic.add_trial"))
    form = {"task": "rag", "deployment": own.pk, "percent": 5, "rubric": "5: right.", "cap_usd": "2",
            "least_alpha": "0.8"}  # fmt: skip
    assert client.post("/quality/judges/", form | {"percent": 101}).status_code == 422
    assert client.post("/quality/judges/", form).status_code == 302
    made = Judge.objects.get()
    assert (made.percent, made.least_alpha, made.enabled) == (5, 0.8, False)
    assert client.post("/quality/judges/", form | {"percent": 7, "enabled": "on"}).status_code == 302
    shown = client.get("/quality/judges/?task=rag").content.decode()  # what is stored, not the defaults of a new judge
    assert 'value="7"' in shown and 'value="2.0' in shown and "5: right.</textarea>" in shown
    made.refresh_from_db()
    assert (made.percent, made.enabled) == (7, True)
    assert AuditEntry.objects.filter(object_type="traffic.judge").count() == 2
    reader = logged_in(person("reader", "traffic.view_trial"))
    assert reader.post("/quality/judges/", form).status_code == 403


def test_reasons_go_with_the_texts_and_stars_stay(judge: Judge, answered: Callable[..., list[Request]]) -> None:
    answered(1)
    services.run_judges()
    assert services.forget_reasons(timezone.now().date()) == 0
    assert services.forget_reasons(timezone.now().date() + timedelta(days=2)) == 1
    assert JudgeScore.objects.get().stars == 4
    services.erase_scores([JudgeScore.objects.get().request_id])
    assert not JudgeScore.objects.exists()
