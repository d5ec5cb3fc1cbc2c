"""Azure OpenAI, Gemini and OpenRouter behind the gateway: their addresses, keys, usage and errors, simulated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anthropic
import openai
import pytest
from aiohttp.payload import BytesIOPayload, get_payload

from sandbox import clouds
from sandbox.testing import Sandbox, running_sandbox
from tests.providers.engines.test_engine_ladder import check
from tests.traffic.gateway_stack import KEY, VENDOR_KEY, Stack, calm, stack
from traffic.gateway.answers import read_answer
from traffic.gateway.protocols import OPENAI
from traffic.gateway.routes import Target
from traffic.gateway.upstream import LargeBody, key_header, url_of
from traffic.gateway.usage_tokens import Tokens, openai_tokens

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

MESSAGES: Any = [{"role": "user", "content": "Hello?"}]
CLOUDS = {
    "azure_openai": ("/azure", clouds.AZURE_DEPLOYMENT, [20, 10, 0, 0, 4]),
    "gemini": ("/gemini/v1beta/openai", clouds.GEMINI_MODEL, [12, 0, 0, 0, 24]),
    "openrouter": ("/openrouter/api/v1", clouds.OPENROUTER_MODEL, [12, 0, 0, 0, 4]),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch, running_sandbox() as running:
        patch.setattr(clouds, "KEY", VENDOR_KEY)
        yield running


@contextmanager
def cloud(stack: Stack, sandbox: Sandbox, engine: str, model: str = "") -> Iterator[str]:
    """Our own deployment in a cloud; the model that it has there."""
    path, served, _tokens = CLOUDS[engine]
    change = "UPDATE providers_deployment SET engine = '{}', url = '{}', model = '{}', api_key = {} WHERE slug = 'own'"
    key = "(SELECT api_key FROM providers_deployment WHERE slug = 'claude')"
    with stack.changed(
        change.format(engine, sandbox.url + path, model or served, key),
        change.format("llamacpp", stack.own.url, "own-model", "''"),
    ):
        yield model or served


def tokens(row: dict[str, Any]) -> list[int | None]:
    return [row[name] for name in ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")]


@pytest.mark.parametrize("engine", CLOUDS)
def test_both_clients_reach_a_cloud_whole_and_streamed(calm: Stack, sandbox: Sandbox, engine: str) -> None:
    expected = CLOUDS[engine][2]
    with cloud(calm, sandbox, engine) as model:
        client = openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0)
        plain = client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES)
        assert plain.parse().choices[0].message.content == "Hello from the cloud."
        stream = client.chat.completions.create(model=model, messages=MESSAGES, stream=True)
        streamed_id = stream.response.headers["x-breakeven-request-id"]
        chunks = list(stream)
        assert (
            "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
            == "Hello from the cloud."
        )
        messages = anthropic.Anthropic(base_url=calm.url, api_key=KEY, max_retries=0)
        with messages.messages.stream(model=model, max_tokens=20, messages=MESSAGES) as translated:
            assert "".join(translated.text_stream) == "Hello from the cloud."
            assert translated.response.headers["x-breakeven-translated"] == "messages-to-chat"
            translated_id = translated.response.headers["x-breakeven-request-id"]
        for request_id in (plain.headers["x-breakeven-request-id"], streamed_id, translated_id):
            row = calm.rows(request_id)
            assert (tokens(row), row["outcome"], row["model"]) == (expected, "ok", model)
            assert row["reported_cost"] is None or engine == "openrouter"
        assert (row["reported_cost"] is not None) is (engine == "openrouter")


@pytest.mark.parametrize("engine", CLOUDS)
def test_an_error_of_a_cloud_reaches_both_clients_with_its_words(calm: Stack, sandbox: Sandbox, engine: str) -> None:
    with cloud(calm, sandbox, engine, model="another") as model:
        with pytest.raises(openai.APIStatusError) as refused:
            openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0).chat.completions.create(
                model=model, messages=MESSAGES
            )
        assert refused.value.status_code in (400, 404)
        with pytest.raises(anthropic.APIStatusError) as told:
            anthropic.Anthropic(base_url=calm.url, api_key=KEY, max_retries=0).messages.create(
                model=model, max_tokens=5, messages=MESSAGES
            )
        words = {"azure_openai": "does not exist", "gemini": "is not found", "openrouter": "not a valid model"}
        assert words[engine] in told.value.response.json()["error"]["message"]


@pytest.mark.parametrize("engine", CLOUDS)
def test_a_check_proves_key_and_model_of_a_cloud(sandbox: Sandbox, engine: str) -> None:
    path, model, _tokens = CLOUDS[engine]
    result = check(engine, sandbox.url + path, model=model, api_key=VENDOR_KEY, completion=True)
    assert (result.ok, result.step, result.cause) == (True, "completion", "")
    assert not check(engine, sandbox.url + path, model="another", api_key=VENDOR_KEY).ok
    if engine != "openrouter":  # which lists its models to everybody
        assert not check(engine, sandbox.url + path, model=model, api_key="wrong").ok


@pytest.mark.parametrize(
    ("address", "path", "url"),
    [
        ("", "/v1/chat/completions", "/openai/deployments/a%2Fb/chat/completions?api-version=2024-10-21"),
        ("/openai/v1/", "/v1/embeddings", "/openai/deployments/a%2Fb/embeddings?api-version=2024-10-21"),
        ("/?api-version=2026-01-01", "/v1/completions", "/openai/deployments/a%2Fb/completions?api-version=2026-01-01"),
        ("", "/v1/responses", "/openai/v1/responses"),
        ("", "/v1/responses/resp_1/input_items", "/openai/v1/responses/resp_1/input_items?x=1"),
    ],
)  # fmt: skip
def test_azures_path_names_the_deployment_and_its_version(address: str, path: str, url: str) -> None:
    target = Target(1, "a", "azure", "azure_openai", f"https://x.example{address}", "a/b", api_key="k")
    assert str(url_of(target, path, "x=1")) == f"https://x.example{url}"
    assert key_header(target) == ("api-key", "k")


def test_thoughts_that_gemini_counts_in_the_total_alone_are_output() -> None:
    usage = {"prompt_tokens": 12, "completion_tokens": 4, "total_tokens": 36}
    assert openai_tokens(usage) == Tokens(12, 0, 0, 0, 24, 20)
    apart = {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "total_tokens": 54,
        "prompt_tokens_details": {"cached_tokens": 50},
    }
    assert openai_tokens(apart) == Tokens(3, 50, 0, 0, 1)
    error = b'[{"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}}]'
    assert read_answer(OPENAI, error).error_type == "error"


def test_an_application_has_names_of_its_own_for_models(calm: Stack) -> None:
    aliases = "UPDATE traffic_application SET model_aliases = '{}' WHERE slug = 'shop'"
    client = openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0)
    with calm.changed(aliases.format('{"gpt-4o": "own-model", "best": "own-model"}'), aliases.format("{}")):
        for name in ("gpt-4o", "best"):
            answer = client.chat.completions.with_raw_response.create(model=name, messages=MESSAGES)
            row = calm.rows(answer.headers["x-breakeven-request-id"])
            assert (row["model"], row["route"], row["raw"]["asked_model"]) == ("own-model", "own-model", name)
            assert json.loads(calm.own.seen[-1]["body"])["model"] == "own-model"
        direct = b'{ "model": "own-model", "messages": [] }'
        client.post("/chat/completions", cast_to=object, content=direct)
        assert calm.own.seen[-1]["body"] == direct
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="best", messages=MESSAGES)


def test_a_large_body_is_sent_without_a_copy_of_it() -> None:
    body = b"a" * 2_000_000
    assert LargeBody(body).getbuffer().obj is body
    payload = get_payload(LargeBody(body))
    assert isinstance(payload, BytesIOPayload) and payload.size == len(body)
