"""Where an error stands is said in the caller's own words, not by the names of our functions' parameters."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.test import Client, RequestFactory, override_settings
from django.urls import get_resolver

from dashboard.front.error_views import server_error
from dashboard.http.log_filters import RefusalsSummed
from lib.repeated_events import repeated
from traffic.authentication.keys import callers, create_key
from traffic.models import Scope


@pytest.fixture
def headers(db: Any) -> dict[str, str]:
    callers.clear()
    secret = create_key(name="all", scopes=list(Scope.values))[1]
    return {"Authorization": f"Bearer {secret}"}


LONG = "x" * 201


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (f"usage?provider={LONG}", ["query", "provider", 0]),
        (f"usage?model=a&model={LONG}", ["query", "model", 1]),
        ("usage?group_by=colour", ["query", "group_by"]),
        ("usage?from=x", ["query", "from"]),
        (f"offers?gpu={LONG}", ["query", "gpu", 0]),
        ("offers?max_price=-1", ["query", "max_price"]),
    ],
)
def test_a_wrong_parameter_is_named(headers: dict[str, str], address: str, place: list[str | int]) -> None:
    answer = Client().get(f"/api/v1/{address}", headers=headers)
    assert answer.status_code == 422
    assert [error["loc"] for error in answer.json()["errors"]] == [place]


@pytest.mark.parametrize(
    ("operation", "body", "place"),
    [
        ("feedback", {"request_id": "a", "score": 2}, ["body", "score"]),
        ("feedback", {"request_id": "a", "score": 0.5}, ["body", "score"]),
        ("feedback", {"request_id": "a", "score": True}, ["body", "score"]),
        ("feedback", {"request_id": "a", "score": "1"}, ["body", "score"]),
        ("feedback", {"request_id": "a", "stars": 0}, ["body", "stars"]),
        ("feedback", {"score": 1}, ["body", "request_id"]),
        ("feedback", {"request_id": "a", "score": 1, "colour": "red"}, ["body", "colour"]),
        ("feedback", {"request_id": "a"}, ["body"]),
        ("feedback", [], ["body"]),
        ("break-even", [], ["body"]),
        ("break-even", {"requests_per_month": -1}, ["body", "requests_per_month"]),
    ],
)
def test_a_wrong_field_is_named(headers: dict[str, str], operation: str, body: Any, place: list[str | int]) -> None:
    answer = Client().post(f"/api/v1/{operation}", json.dumps(body), "application/json", headers=headers)
    assert answer.status_code == 422, answer.content
    assert [error["loc"] for error in answer.json()["errors"]] == [place]


def test_a_whole_number_is_accepted_as_integer_and_as_decimal(headers: dict[str, str]) -> None:
    for score in ("1", "1.0", "-1.0", "0"):
        body = f'{{"request_id": "a", "score": {score}, "stars": 4.0}}'
        answer = Client().post("/api/v1/feedback", body, "application/json", headers=headers)
        assert answer.status_code in (200, 404), answer.content


@override_settings(DEMO=True)
def test_what_fails_before_anybody_is_looked_up_has_its_page_in_the_demo_too() -> None:
    request = RequestFactory().get("/")  # no middleware has seen it
    assert server_error(request).status_code == 500


class Unreadable(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("path", ["/settings/imports/", "/api/v1/requests"])
def test_what_django_refuses_is_answered_without_reading_the_body(path: str) -> None:
    request = RequestFactory().post(path, HTTP_HOST="a b", HTTP_COOKIE="csrftoken=abc")
    request.META |= {"CONTENT_TYPE": "multipart/form-data; boundary=x", "CONTENT_LENGTH": "9"}
    vars(request)["_stream"] = Unreadable()
    handler: Any = get_resolver().resolve_error_handler(400)
    answer = handler(request, exception=DisallowedHost("a b"))
    assert answer.status_code == 400
    assert b"its host or its form" in answer.content


@pytest.fixture
def console() -> Iterator[io.StringIO]:
    """What a process writes: its own handler, on a stream of the test's."""
    handlers = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)]
    (handler,) = [handler for handler in handlers if any(isinstance(own, RefusalsSummed) for own in handler.filters)]
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


def written(console: io.StringIO, event: str) -> list[str]:
    """Lines of an event, from its name on."""
    lines = console.getvalue().splitlines()
    return [line.partition(": ")[2] for line in lines if line.partition(": ")[2].startswith(event)]


def test_refusals_of_django_are_one_line_without_the_path_and_then_their_number(console: io.StringIO) -> None:
    client = Client(enforce_csrf_checks=True)
    for _n in range(5):
        assert client.post("/login/?MARKER", {"username": "x"}).status_code == 403
        logging.getLogger("django.security.DisallowedHost").error("MARKER", exc_info=DisallowedHost("a b"))
        logging.getLogger("django.request").error("Service Unavailable: /MARKER", extra={"status_code": 503})
    first = [
        "request_refused status=403 reason=csrf address=127.0.0.1",
        "request_refused status=400 reason=DisallowedHost",
        "request_refused status=503 reason=answered_as_refused",
    ]
    assert written(console, "request_refused") == first
    repeated.flush(everything=True)
    assert written(console, "request_refused") == [*first, *(f"{line} count=4 s=0" for line in first)]
    assert "MARKER" not in console.getvalue()


def test_fault_of_ours_is_one_traceback_a_minute_and_then_its_number(console: io.StringIO) -> None:
    for fault in [ZeroDivisionError] * 3 + [LookupError]:
        try:
            raise fault
        except (ZeroDivisionError, LookupError) as error:
            logging.getLogger("django.request").error("Internal Server Error", exc_info=error)
    assert console.getvalue().count("Internal Server Error") == 2
    repeated.flush(everything=True)
    (line,) = written(console, "request_crashed")
    assert line.startswith("request_crashed error=ZeroDivisionError place=") and line.endswith(" count=2 s=0")
