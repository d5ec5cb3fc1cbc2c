"""The lines that a new key's page shows run as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import Any

import httpx
import psycopg
import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from providers.models import Deployment
from tests.factories import ApplicationFactory, DeploymentFactory
from tests.traffic.gateway_stack import KEY, Stack, stack
from traffic.authentication.keys import callers, create_key
from traffic.clients.queries import example_models
from traffic.clients.snippets import Addresses, Models, Snippet, snippets
from traffic.ingest.context import clear_cache

__all__ = ["stack"]  # a fixture
PATH_AND_CLOCK = {name: os.environ[name] for name in os.environ if re.match(r"PATH$|LD_PRELOAD$|FAKETIME", name)}
GATEWAY, INTAKE = ["gateway"], ["ingest"]


def by_slug(url: str, secret: str, scopes: list[str], models: Models | None = None) -> dict[str, Snippet]:
    """The snippets with one address for everything."""
    return {s.slug: s for s in snippets(Addresses(url, url), models or Models(), secret, scopes)}


def run(snippet: Snippet, **environment: str) -> str:
    """What a snippet prints: Python or shell."""
    program = [sys.executable, "-c"] if snippet.language == "py" else ["bash", "-euc"]
    done = subprocess.run([*program, snippet.code], capture_output=True, text=True, timeout=120, check=False,
                          env={**PATH_AND_CLOCK, **environment})  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_key_gets_the_ways_that_its_scopes_open() -> None:
    assert {s.scope for s in by_slug("http://h", "k", GATEWAY).values()} == {"gateway"}
    assert {s.scope for s in by_slug("http://h", "k", INTAKE).values()} == {"ingest"}
    assert by_slug("http://h", "k", ["read"]) == {}
    assert len(by_slug("http://h", "k", [*GATEWAY, *INTAKE])) == 9


def test_each_snippet_holds_the_secret_once() -> None:
    for snippet in by_slug("http://h", "bk_secret", [*GATEWAY, *INTAKE]).values():
        assert snippet.code.count("bk_secret") == 1, snippet.slug


@pytest.mark.django_db
def test_both_sdks_and_curl_get_an_answer_through_the_gateway(stack: Stack) -> None:
    models = Models(anthropic="claude-test", openai="own-model")
    ways = by_slug(stack.url, KEY, GATEWAY, models)
    before = stack.count()
    for slug in ("anthropic", "openai", "curl"):
        assert run(ways[slug]).strip(), slug
    stack.newest(model="claude-test", outcome="ok")
    assert stack.newest(model="own-model", outcome="ok")
    assert stack.count() >= before + 2  # the third may still be on its way


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    clear_cache()
    callers.clear()
    return create_key(name="lines", scopes=INTAKE, application=ApplicationFactory.create(slug="lines"))[1]


def test_the_native_line_sends_a_request(live_server: Any, key: str, conn: psycopg.Connection) -> None:
    assert '"accepted": 1' in run(by_slug(live_server.url, key, INTAKE)["native"])
    assert conn.execute("SELECT output FROM traffic_request WHERE source = 'native'").fetchall() == [(200,)]


def test_the_lines_for_opentelemetry_reach_the_intake_in_both_forms(
    live_server: Any, key: str, conn: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, slug in enumerate(("otlp", "otlp-plain"), 1):
        for name, value in re.findall(
            r'^export (\w+)="?(.*?)"?$', by_slug(live_server.url, key, INTAKE)[slug].code, re.MULTILINE
        ):
            monkeypatch.setenv(name, value)
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.provider.name": "openai",
        }
        with provider.get_tracer("t").start_as_current_span("chat", attributes=attributes):
            pass
        provider.shutdown()
        assert conn.execute("SELECT count(*) FROM traffic_request WHERE source = 'otlp'").fetchone() == (number,)


def test_a_header_whose_space_stayed_encoded_is_read(live_server: Any, key: str) -> None:
    answer = httpx.post(
        f"{live_server.url}/v1/traces", json={"resourceSpans": []}, headers={"authorization": f"Bearer%20{key}"}
    )
    assert answer.status_code == 200


def test_litellms_lines_are_yaml_with_the_webhook() -> None:
    text = by_slug("http://h:8000", "bk_1", INTAKE)["litellm"].code
    (callback,) = yaml.safe_load(text)["callback_settings"].values()
    assert callback["endpoint"] == "http://h:8000/ingest/litellm"
    assert callback["headers"] == {"Authorization": "Bearer bk_1"}


@pytest.mark.django_db
def test_examples_ask_for_models_that_a_deployment_serves() -> None:
    Deployment.objects.all().delete()  # those of the stack
    assert example_models() == Models()
    DeploymentFactory.create(slug="own", engine="vllm", model="mistral-7b")
    assert example_models() == Models(anthropic="mistral-7b", openai="mistral-7b")
    DeploymentFactory.create(slug="claude", engine="anthropic", model="claude-opus-5-5")
    DeploymentFactory.create(slug="off", engine="anthropic", model="claude-none", enabled=False)
    DeploymentFactory.create(slug="legacy", engine="anthropic", model="claude-sonnet-4-5")
    assert example_models() == Models(anthropic="claude-opus-5-5", openai="mistral-7b")


def test_without_a_deployment_the_gateways_lines_say_that_one_is_needed() -> None:
    first = snippets(Addresses("http://h:8000", "http://h:8001"), Models(), "bk_1")[0]
    assert first.note == "The gateway answers only after a deployment is added under Set up, Deployments."
