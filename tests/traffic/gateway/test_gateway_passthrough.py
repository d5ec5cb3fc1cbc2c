"""Files and batches pass to the vendor that holds them, and every application reaches its own alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.traffic.gateway_stack import KEY, OTHER_KEY, VENDOR_KEY, Stack, calm, stack
from traffic.models import Route

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

BATCH: Any = [{"custom_id": "a", "params": {"model": "claude-test", "max_tokens": 5, "messages": []}}]


@pytest.fixture(scope="module")
def vendors(stack: Stack, django_db_blocker: Any) -> Iterator[Stack]:
    """Our own deployment is one of OpenAI's, and routes name both vendors."""
    with django_db_blocker.unblock():
        Route.objects.create(slug="files", name="Files", to_provider="openai", order=1, tasks=["batch"])
        Route.objects.create(slug="rest", name="Rest", to_provider="anthropic", order=2)
    try:
        with stack.changed(
            "UPDATE providers_deployment SET provider = 'openai', engine = 'openai_compatible' WHERE slug = 'own'",
            "UPDATE providers_deployment SET provider = 'self', engine = 'llamacpp' WHERE slug = 'own'",
        ):
            yield stack
    finally:
        with django_db_blocker.unblock():
            Route.objects.all().delete()


@pytest.fixture
def both(vendors: Stack, calm: Stack) -> Stack:
    return vendors


LAB = {"x-breakeven-application": "lab"}


def test_anthropics_batches_pass_and_their_results_lead_through_the_gateway(both: Stack) -> None:
    client = anthropic.Anthropic(base_url=both.url, api_key=KEY, max_retries=0)
    before = both.count()
    made = client.messages.batches.create(requests=BATCH)
    assert made.id.startswith("msgbatch_")
    assert client.messages.batches.retrieve(made.id).results_url == f"{both.url}/v1/messages/batches/{made.id}/results"
    (result,) = client.messages.batches.results(made.id)
    assert result.custom_id == "a"
    assert made.id in [batch.id for batch in client.messages.batches.list()]
    assert client.messages.batches.cancel(made.id).id == made.id
    seen = {name.lower(): value for name, value in both.claude.seen[0]["headers"].items()}
    assert seen["x-api-key"] == VENDOR_KEY
    assert both.count() == before  # no calls to a model


def test_what_another_application_made_is_not_there(both: Stack) -> None:
    mine = anthropic.Anthropic(base_url=both.url, api_key=KEY, max_retries=0)
    theirs = anthropic.Anthropic(base_url=both.url, api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    made = mine.messages.batches.create(requests=BATCH)
    both.claude.seen.clear()
    for work in (theirs.messages.batches.retrieve, theirs.messages.batches.cancel, theirs.messages.batches.delete):
        with pytest.raises(anthropic.NotFoundError) as refused:
            work(made.id)
        assert refused.value.response.headers["x-breakeven-error"] == "no-such-object"
    assert not both.claude.seen
    assert made.id not in [batch.id for batch in theirs.messages.batches.list()]
    assert made.id in [batch.id for batch in mine.messages.batches.list()]


def test_openais_files_and_batches_stay_with_who_made_them(both: Stack) -> None:
    client = openai.OpenAI(base_url=f"{both.url}/v1", api_key=KEY, max_retries=0)
    file = client.files.create(file=("a.jsonl", b'{"custom_id": "a"}\n'), purpose="batch")
    assert b'{"custom_id": "a"}' in both.own.seen[0]["body"]
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert client.batches.retrieve(batch.id).status == "completed"
    assert batch.output_file_id is not None
    assert client.files.content(batch.output_file_id).content.startswith(b'{"custom_id":"a"')
    assert {file.id, batch.output_file_id} <= {item.id for item in client.files.list()}
    assert client.files.delete(file.id).deleted
    other = openai.OpenAI(base_url=f"{both.url}/v1", api_key=OTHER_KEY, max_retries=0, default_headers=LAB)
    with pytest.raises(openai.NotFoundError):
        other.files.content(batch.output_file_id)
    with pytest.raises(openai.NotFoundError):
        other.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    assert not list(other.files.list())


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/files/../models", 200, None),  # which the client makes /v1/models of
        ("GET", "/v1/files/a/b/c", 404, "no-such-path"),
        ("GET", "/v1/files//content", 404, "no-such-path"),
        ("GET", "/v1/files/file-none", 404, "no-such-object"),
        ("POST", "/v1/batches", 400, "bad-request"),
        ("PUT", "/v1/files", 404, "no-such-path"),
    ],
)
def test_what_is_no_call_to_a_store_is_refused(
    both: Stack, method: str, path: str, status: int, code: str | None
) -> None:
    content = b"{}" if method == "POST" else None
    answer = httpx.request(method, f"{both.url}{path}", headers={"authorization": f"Bearer {KEY}"}, content=content)
    assert (answer.status_code, answer.headers.get("x-breakeven-error")) == (status, code)


def test_a_private_call_and_a_wish_for_another_deployment_lead_to_no_store(both: Stack) -> None:
    for headers in ({"x-breakeven-private": "1"}, {"x-breakeven-route": "claude"}):
        answer = httpx.get(f"{both.url}/v1/files", headers={"authorization": f"Bearer {KEY}", **headers})
        assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-target")
