"""Every line of the how-to about sending requests runs as it is written there, against a running server."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from django.core.management import call_command

from tests.documents import blocks
from tests.factories import ApplicationFactory
from traffic.authentication.keys import callers, create_key
from traffic.ingest.context import clear_cache
from traffic.models import Import

# Where `make test-days` moves the clock, it does so by variables that a process must inherit.
PATH_AND_CLOCK = {name: os.environ[name] for name in os.environ if re.match(r"PATH$|LD_PRELOAD$|FAKETIME", name)}


@pytest.fixture
def key(conn: psycopg.Connection) -> str:
    clear_cache()
    callers.clear()
    shop = ApplicationFactory.create(slug="shop", name="Shop")
    return create_key(name="how-to", scopes=["ingest"], application=shop)[1]


def run(url: str, key: str, *sections: str, python: str = "", **environment: str) -> str:
    """What the lines of the sections print, after the two that a reader fills in; `python` runs where they end."""
    first = "\n".join(blocks("", "sh")).replace("http://127.0.0.1:8000", url).replace("bk_...", key)
    script = "\n".join([first, *(code for section in sections for code in blocks(section, "sh"))])
    if python:
        script += f"\n{shlex.quote(sys.executable)} -c {shlex.quote(python)}"
    done = subprocess.run(
        ["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=False,
        env={**PATH_AND_CLOCK, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def sources(conn: psycopg.Connection) -> list[tuple[Any, ...]]:
    return conn.execute("SELECT source, model, output FROM traffic_request ORDER BY source, model, output").fetchall()


def test_the_lines_of_curl_send_one_request_each(live_server: Any, key: str, conn: psycopg.Connection) -> None:
    (client,) = blocks("Native API", "python")
    said = run(live_server.url, key, "OpenTelemetry", "Langfuse", "LiteLLM", "Native API", python=client)
    assert said.count('"accepted": 1') == 2 and said.count("'accepted': 1") == 1
    assert sources(conn) == [
        ("litellm", "gpt-5-mini", 40),
        ("native", "claude-opus-5-5", 210),
        ("native", "mistral-7b", None),
        ("otlp", "gpt-5-mini", 40),
    ]


def test_the_client_in_python_has_ten_lines_and_needs_nothing() -> None:
    (client,) = blocks("Native API", "python")
    body, _, _call = client.partition("\nfrom datetime")
    assert len([line for line in body.splitlines() if line.strip()]) <= 10
    assert body.startswith("import json, os, urllib.request\n")


def test_an_instrumented_program_sends_what_it_calls(
    live_server: Any, key: str, conn: psycopg.Connection, engine_url: str
) -> None:
    (program,) = blocks("OpenTelemetry", "python")
    given = {"OPENAI_BASE_URL": f"{engine_url}/v1", "OPENAI_API_KEY": "none"}
    assert "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n" in blocks("OpenTelemetry", "sh")[0]
    run(live_server.url, key, "OpenTelemetry", python=program, **given)
    assert ("otlp", "tiny", 20) in sources(conn)


def test_litellms_configuration_names_the_webhook_and_retries() -> None:
    (text,) = blocks("LiteLLM", "yaml")
    (callback,) = yaml.safe_load(text)["callback_settings"].values()
    assert callback["callback_type"] == "generic_api" and callback["max_retries"] >= 1
    assert callback["endpoint"].endswith("/ingest/litellm") and "Authorization" in callback["headers"]


def test_the_line_of_import_runs(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(Path(__file__).parent / "recorded" / "import_litellm.csv", tmp_path / "spend.csv")
    monkeypatch.chdir(tmp_path)
    (line,) = blocks("Import", "sh")
    python, program, command, *arguments = shlex.split(line)
    assert (python, program) == (".venv/bin/python", "manage.py")
    call_command(command, *arguments)
    assert Import.objects.get().state == "done"
