"""Stored texts are marked once, by a task; marks are filters of the list and of the export, and go with the texts."""

from __future__ import annotations

import json

import psycopg
import pytest
from django.test import Client
from django.utils import timezone

from tests.traffic.people import ANSWER, application, arrive, logged_in, person, text
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache
from traffic.marks.rules import Mark
from traffic.marks.services import mark_texts
from traffic.models import Application, Request, RequestBody

REFUSED = "I'm sorry, but I can't help with that."


@pytest.fixture
def shop(conn: psycopg.Connection) -> Application:
    clear_cache()
    callers.clear()
    return application("shop")


def answers(conn: psycopg.Connection, shop: Application, *texts: str | None) -> list[Request]:
    now = timezone.now()
    return arrive(conn, *({"application_id": shop.pk, "prompt": "Hello", "answer": answer, "started_at": now}
                          for answer in texts))  # fmt: skip


def marks() -> dict[str, int | None]:
    return {str(body.answer): body.marks for body in RequestBody.objects.all()}


def test_texts_are_marked_once(conn: psycopg.Connection, shop: Application) -> None:
    answers(conn, shop, ANSWER, REFUSED, None)
    assert mark_texts(most=1) == 1
    assert mark_texts() == 1
    assert mark_texts() == 0
    assert marks() == {ANSWER: 0, REFUSED: Mark.REFUSAL, "None": None}


def test_a_text_that_comes_later_is_looked_at_again(conn: psycopg.Connection, shop: Application) -> None:
    first = answers(conn, shop, None)[0]
    same = {"external_id": "a0", "application_id": shop.pk, "started_at": first.started_at}
    arrive(conn, same | {"answer": REFUSED})
    mark_texts()
    assert marks() == {REFUSED: Mark.REFUSAL}


def test_the_reason_that_telemetry_reports_marks_a_cut_answer(conn: psycopg.Connection, shop: Application) -> None:
    raw = {"attributes": {"gen_ai.response.finish_reasons": ["length"]}}
    arrive(conn, {"application_id": shop.pk, "answer": "Yes, but", "raw": raw, "started_at": timezone.now()})
    mark_texts()
    assert marks() == {"Yes, but": Mark.TRUNCATED}


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "max_output_tokens"])
def test_the_reason_that_the_gateway_or_a_sender_keeps_marks_a_cut_answer(
    conn: psycopg.Connection, shop: Application, reason: str
) -> None:
    same = {"application_id": shop.pk, "started_at": timezone.now()}
    arrive(conn, same | {"answer": "Yes, but", "raw": {"finish_reason": reason}},
           same | {"answer": "Yes.", "raw": {"finish_reason": "stop"}})  # fmt: skip
    mark_texts()
    assert marks() == {"Yes, but": Mark.TRUNCATED, "Yes.": 0}


def test_a_row_of_the_api_brings_why_its_answer_ended(shop: Application) -> None:
    key = create_key(name="app", scopes=["ingest"], application=shop)[1]
    row = {"started_at": timezone.now().isoformat(), "provider": "anthropic", "model": "m", "answer": "Yes, but"}
    sent = json.dumps({"requests": [row | {"finish_reason": "max_tokens"}]})
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().post("/api/v1/requests", sent, content_type="application/json", headers=headers)
    assert answer.json()["accepted"] == 1, answer.content
    mark_texts()
    assert marks() == {"Yes, but": Mark.TRUNCATED}


def test_where_no_texts_are_stored_there_are_no_marks(conn: psycopg.Connection) -> None:
    silent = application("silent", captures=False)
    arrive(conn, {"application_id": silent.pk, "started_at": timezone.now()})
    assert mark_texts() == 0


def test_the_list_and_the_export_are_filtered_by_marks(conn: psycopg.Connection, shop: Application) -> None:
    plain, refused = answers(conn, shop, ANSWER, REFUSED)
    mark_texts()
    reader = logged_in(person("ada", "traffic.view_request"))
    page = text(reader, "/requests/", mark="refusal")
    assert f"r-{refused.id}" in page and f"r-{plain.id}" not in page
    assert '<span class="secondary">refusal</span>' in page
    assert f"r-{refused.id}" not in text(reader, "/requests/", mark="empty")
    assert "Mark: “nonsense” does not exist." in text(reader, "/requests/", mark="nonsense")
    key = create_key(name="reader", scopes=["read"], application=None)[1]
    headers = {"Authorization": f"Bearer {key}"}
    answer = Client().get("/api/v1/export/requests?mark=refusal&mark=empty", headers=headers)
    rows = [json.loads(line) for line in b"".join(answer).splitlines()]
    assert [(row["id"], row["marks"]) for row in rows] == [(str(refused.id), "refusal")]
    everything = b"".join(Client().get("/api/v1/export/requests", headers=headers))
    lines = [json.loads(line) for line in everything.splitlines()]
    assert {line["id"]: line["marks"] for line in lines} == {str(refused.id): "refusal", str(plain.id): ""}


def test_the_page_of_a_request_shows_its_marks_to_who_may_read_it(conn: psycopg.Connection, shop: Application) -> None:
    refused = answers(conn, shop, REFUSED)[0]
    mark_texts()
    member = person("member")
    shop.members.add(member)
    assert "Automatic marks: refusal" in text(logged_in(member), f"/requests/{refused.id}/")
    other = logged_in(person("other", "traffic.view_request"))
    assert "Automatic marks" not in text(other, f"/requests/{refused.id}/")
