"""A running front, and somebody who is signed in to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.traffic.otlp_exports import body, protobuf, span
from tests.traffic.web_process import Intake

PASSWORD = "a-door-of-its-own-17"

BATCH = protobuf(body(span(1), span(2)))

# No test waits for one: whoever is stopped by another never gets an answer.
PATIENT = 60


@contextmanager
def signed_in(intake: Intake, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=intake.web.url, timeout=PATIENT) as client:
        page = client.get("/login/").text
        answer = client.post("/login/", data={"username": name, "password": PASSWORD, **token_of(page)})
        assert answer.status_code == 302
        yield client


def token_of(page: str) -> dict[str, str]:
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token is not None
    return {"csrfmiddlewaretoken": token[1]}
