"""The health ladder against servers that answer as documented, and as they do when something is wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from providers.engines import ENGINES, CheckResult, EngineClient, Target, engine_of
from providers.models import Deployment
from providers.uptime import due_checks
from tests.providers import engine_stubs as stubs
from tests.providers.certificates import certificate
from tests.providers.engine_stubs import Answer, Stub, as_events, as_json, as_text, model_list, serving

KEY = "sk-ant-of-the-suite"


def check(kind: str, url: str, trust: ssl.SSLContext | None = None, **target: Any) -> CheckResult:
    async def climb() -> CheckResult:
        async with EngineClient(trust=trust) as client:
            return await engine_of(kind).check(
                client, Target(base_url=url, **{"local": True, "timeout_s": 5, **target})
            )

    return asyncio.run(climb())


def checked(kind: str, stub: Stub, **target: Any) -> CheckResult:
    with serving(stub):
        return check(kind, stub.url, **target)


HEALTHY: dict[str, tuple[Callable[[], Stub], str, str]] = {
    "vllm": (lambda: stubs.vllm("qwen"), "qwen", ""),
    "sglang": (lambda: stubs.sglang("qwen"), "qwen", ""),
    "lmdeploy": (lambda: stubs.lmdeploy("qwen"), "qwen", ""),
    "tgi": (lambda: stubs.tgi("org/falcon"), "org/falcon", ""),
    "ollama": (lambda: stubs.ollama("smol:latest"), "smol", ""),
    "anthropic": (lambda: stubs.claude("claude-sonnet-5-5-20260901"), "claude-sonnet-5-5", KEY),
    "llamacpp": (
        lambda: Stub(
            {"GET /health": as_json({"status": "ok"}), "GET /v1/models": model_list("tiny", owner="llamacpp")}
        ),
        "tiny",
        "",
    ),
    "bedrock": (
        lambda: Stub({"GET /foundation-models": as_json({"modelSummaries": [{"modelId": "anthropic.claude-x"}]})}),
        "anthropic.claude-x",
        "AKIA:secret",
    ),
    "azure_openai": (lambda: stubs.azure("gpt-ours"), "gpt-ours", "azure-key-of-the-suite"),
    "gemini": (lambda: Stub({"GET /v1/models": model_list("models/gemini-3", owner="google")}), "gemini-3", ""),
    "openrouter": (lambda: Stub({"GET /v1/models": model_list("openai/gpt-x", owner="")}), "openai/gpt-x", ""),
    "openai_compatible": (lambda: Stub({"GET /v1/models": model_list("gpt-x", owner="system")}), "gpt-x", ""),
}


@pytest.mark.parametrize(
    ("answer", "slots"),
    [
        (as_json({"total_slots": 4, "modalities": "odd"}), 4),
        (as_json({"total_slots": 10**30}), None),
        (as_json({"total_slots": 0}), None),
        (as_json({"total_slots": "4"}), None),
        (as_json([4]), None),
        (as_json({"total_slots": 4}, 404), None),
        (as_text("none"), None),
        (as_text("[" * 100_000), None),
    ],
)
def test_what_an_engine_says_of_its_slots_is_taken_within_reason_and_is_no_fault(
    answer: Answer, slots: int | None
) -> None:
    stub = HEALTHY["llamacpp"][0]()
    stub.routes["GET /props"] = answer

    async def ask(url: str) -> CheckResult:
        made = Deployment(slug="llama", engine="llamacpp", url=url, local=True, model="tiny")
        async with EngineClient() as client:
            return await due_checks.check(client, made)

    with serving(stub):
        result = asyncio.run(ask(stub.url))
    assert (result.ok, result.slots) == (True, slots)


@pytest.mark.parametrize(
    ("modalities", "takes_media"),
    [({"vision": False, "audio": False}, False), ({"vision": True, "audio": False}, True), (None, None), ([], None)],
)
def test_whether_a_model_takes_images_is_what_its_engine_says(modalities: Any, takes_media: bool | None) -> None:
    stub = HEALTHY["llamacpp"][0]()
    stub.routes["GET /props"] = as_json({"total_slots": 4, "modalities": modalities})

    async def ask(url: str) -> CheckResult:
        async with EngineClient() as client:
            return await due_checks.check(
                client, Deployment(slug="l", engine="llamacpp", url=url, local=True, model="tiny")
            )

    with serving(stub):
        assert asyncio.run(ask(stub.url)).takes_media is takes_media


@pytest.mark.parametrize("kind", ENGINES)
def test_a_healthy_engine_is_up_at_the_model_list(kind: str) -> None:
    make, model, key = HEALTHY[kind]
    result = checked(kind, make(), model=model, api_key=key)
    assert (result.ok, result.state, result.step, result.cause) == (True, "up", "models", "")
    assert result.latency_ms > 0
    assert result.ttft_ms is None


@pytest.mark.parametrize("kind", ENGINES)
def test_another_model_than_expected_is_named(kind: str) -> None:
    make, _, key = HEALTHY[kind]
    result = checked(kind, make(), model="another", api_key=key)
    assert (result.ok, result.step) == (False, "models")
    assert "another is not served there. Served: " in result.cause


@pytest.mark.parametrize("kind", ENGINES)
def test_every_engine_says_what_it_is(kind: str) -> None:
    engine = engine_of(kind)
    assert (engine.kind, bool(engine.label)) == (kind, True)
    assert engine.protocols <= {"openai", "anthropic"}
    assert engine.protocols


@pytest.mark.parametrize("kind", ENGINES)
def test_nothing_listening_is_told_as_such(kind: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    result = check(kind, f"http://127.0.0.1:{port}")
    assert (result.ok, result.state, result.step) == (False, "down", "connect")
    assert result.cause == f"127.0.0.1:{port} refuses the connection: nothing listens there."


@pytest.mark.parametrize("kind", ["vllm", "anthropic"])
def test_a_completion_gives_the_time_to_the_first_content(kind: str) -> None:
    make, model, key = HEALTHY[kind]
    result = checked(kind, make(), model=model, api_key=key, completion=True)
    assert (result.ok, result.step) == (True, "completion")
    assert result.ttft_ms is not None
    assert result.ttft_ms > 0


def test_ollama_is_never_asked_for_a_completion() -> None:
    stub = stubs.ollama("smol:latest")
    assert checked("ollama", stub, model="smol:latest", completion=True).step == "models"
    assert not [seen for seen in stub.seen if seen[0] == "POST"]


def test_llama_cpp_that_loads_is_starting_and_not_down() -> None:
    loading = as_json({"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, 503)
    result = checked("llamacpp", Stub({"GET /health": loading}))
    assert (result.ok, result.state, result.cause) == (False, "starting", "llama.cpp is still loading its model.")


def test_any_other_503_is_down_with_the_servers_words() -> None:
    unhealthy = as_json({"error": "unhealthy", "error_type": "healthcheck"}, 503)
    result = checked("tgi", Stub({"GET /health": unhealthy}))
    assert (result.state, result.cause) == ("down", "The server returns 503: unhealthy")


def test_another_engine_is_recognised_by_its_model_list() -> None:
    wrong = Stub({"GET /health": as_json({"status": "ok"}), "GET /v1/models": model_list("tiny", owner="llamacpp")})
    assert checked("vllm", wrong).cause == "This is llama.cpp, not vLLM: change the engine of this deployment."


def test_another_engine_without_our_liveness_route_is_recognised_too() -> None:
    result = checked("vllm", stubs.ollama("smol:latest"))
    assert result.cause == "This is Ollama, not vLLM: change the engine of this deployment."


def test_a_wrong_path_is_told_from_a_wrong_engine() -> None:
    assert checked("vllm", Stub({})).cause == "/health does not exist: wrong path, or not vLLM (404)."


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (as_json({"error": "Unauthorized"}, 401), "The server requires a key or rejects ours (401)."),
        (as_json({}, 403), "The key has no permission for this server (403)."),
        (as_json({"error": {"message": "boom"}}, 500), "The server returns 500: boom"),
        (as_text("<html>Bad gateway", 502, "text/html"), "The server returns 502 on /v1/models."),
        (as_text("<html>Welcome", 200, "text/html"), "The server returns a web page instead of its model list"),
        (as_text("{", 200), "The server's model list is not valid JSON."),
        (as_json({"data": "no list"}), "The response is not a model list of vLLM"),
        (as_json([1]), "The response is not a model list of vLLM"),
        (as_json({"data": []}), "The server has no model loaded. Expected: qwen."),
        (Answer(302, headers={"Location": "https://login.test/x?token=1"}), "redirects to https://login.test."),
        (as_text("x" * 1_100_000), "The response is longer than 1024 KiB"),
    ],
)
def test_each_way_to_be_wrong_has_its_sentence(answer: Answer, sentence: str) -> None:
    stub = stubs.vllm()
    stub.routes["GET /v1/models"] = answer
    result = checked("vllm", stub, model="qwen")
    assert (result.ok, result.state) == (False, "down")
    assert sentence in result.cause


def test_a_server_that_limits_our_checks_is_up() -> None:
    stub = stubs.vllm()
    stub.routes["GET /v1/models"] = as_json({"error": "slow down"}, 429)
    result = checked("vllm", stub, model="qwen", completion=True)
    assert (result.ok, result.step) == (True, "models")
    assert "limits our checks (429)" in result.cause


def test_a_key_is_sent_and_never_shown() -> None:
    stub = stubs.vllm()
    stub.routes["GET /v1/models"] = as_json({"error": {"message": "bad key sk-secret-123456"}}, 400)
    result = checked("vllm", stub, api_key="sk-secret-123456")
    assert stub.seen[-1][2]["authorization"] == "Bearer sk-secret-123456"
    assert "secret" not in result.cause
    assert "secret" not in repr(Target("http://x", api_key="sk-secret-123456"))


def test_a_slow_answer_ends_at_the_deployments_timeout() -> None:
    stub = stubs.vllm()
    stub.routes["GET /v1/models"] = as_json({}, delay_s=1.0)
    result = checked("vllm", stub, timeout_s=0.2)
    assert (result.ok, result.step, result.cause) == (False, "liveness", "No response within 0.2 s.")


def test_something_that_is_no_web_server_is_told_as_such() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        async def climb() -> CheckResult:
            ssh = await asyncio.start_server(lambda _, writer: writer.write(b"SSH-2.0-x\r\n"), sock=server)
            async with ssh, EngineClient() as client:
                return await engine_of("vllm").check(client, Target(f"http://127.0.0.1:{port}", local=True))

        assert asyncio.run(climb()).cause == f"127.0.0.1:{port} does not respond in HTTP."


def test_a_refused_completion_says_why() -> None:
    stub = stubs.vllm()
    stub.routes["POST /v1/chat/completions"] = as_json({"error": {"message": "out of memory"}}, 500)
    result = checked("vllm", stub, model="qwen", completion=True)
    assert (result.step, result.cause) == ("completion", "The server refuses a completion (500): out of memory")


@pytest.mark.parametrize(
    ("events", "sentence"),
    [
        ([{"error": {"message": "worker died"}}], "The server stopped a completion: worker died"),
        (["{nonsense"], "The server's stream is not readable."),
        ([{"choices": []}, "[DONE]"], "The server returned a completion without content."),
    ],
)
def test_a_broken_stream_is_a_failure_though_it_began_with_200(events: list[Any], sentence: str) -> None:
    stub = stubs.vllm()
    stub.routes["POST /v1/chat/completions"] = as_events(*events)
    result = checked("vllm", stub, model="qwen", completion=True)
    assert (result.ok, result.cause) == (False, sentence)


def test_a_base_address_may_end_in_v1() -> None:
    with serving(stubs.vllm()) as stub:
        assert check("vllm", stub.url + "/v1/", model="qwen").ok
    with serving(Stub({"GET /v1beta/openai/models": model_list("g", owner="x")})) as stub:
        assert check("openai_compatible", stub.url + "/v1beta/openai", model="g").ok


# Addresses.


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9"])
def test_a_private_address_needs_the_word_local(url: str) -> None:
    result = check("vllm", url, local=False)
    assert (result.ok, result.step) == (False, "connect")
    assert "Only addresses marked as local" in result.cause


def test_the_cloud_metadata_address_is_refused_even_when_local() -> None:
    assert "link-local" in check("vllm", "http://169.254.169.254/").cause


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.7", "169.254.169.254", "::ffff:10.0.0.7"])
def test_a_name_that_leads_inside_by_now_is_refused_when_it_is_checked(
    monkeypatch: pytest.MonkeyPatch, inside: str
) -> None:
    """DNS rebinding: judged good when it was entered, moved since; what was judged is what is connected to."""
    family = socket.AF_INET6 if ":" in inside else socket.AF_INET
    where: Any = (inside, 80, 0, 0) if ":" in inside else (inside, 80)
    asked = []

    def lookup(host: str, *_args: Any, **_options: Any) -> list[Any]:
        asked.append(host)
        return [(family, socket.SOCK_STREAM, 6, "", where)]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    result = check("vllm", "http://rebound.example", local=False)
    assert (result.ok, result.step) == (False, "connect")
    assert "rebound.example leads to the" in result.cause
    assert asked == ["rebound.example"]


def test_a_redirect_is_not_followed_to_where_it_leads() -> None:
    inside = Stub({"GET /v1/models": model_list("qwen")})
    stub = stubs.vllm()
    with serving(inside):
        stub.routes["GET /v1/models"] = Answer(302, headers={"Location": f"{inside.url}/v1/models"})
        assert "redirects to" in checked("vllm", stub, model="qwen").cause
    assert inside.seen == []


def test_a_body_that_grows_when_unpacked_is_capped() -> None:
    stub = stubs.vllm()
    bomb = gzip.compress(b" " * (33 * 1024 * 1024))
    stub.routes["GET /v1/models"] = Answer(200, bomb, headers={"Content-Encoding": "gzip"})
    result = checked("vllm", stub, model="qwen")
    assert (result.ok, result.state) == (False, "down")
    assert "The response is longer than 1024 KiB" in result.cause


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1/", "http://", "not a url", "http://127.0.0.1:99999/", "http://2130706433:9"]
)
def test_an_address_that_is_none_is_a_sentence(url: str) -> None:
    result = check("vllm", url)
    assert (result.ok, result.step) == (False, "connect")
    assert result.cause == "The address of this deployment is not a valid URL."


# TLS.


def test_the_expiry_of_the_certificate_is_read(tmp_path: Path) -> None:
    context, pem, expires = certificate(tmp_path, days=20)
    with serving(stubs.vllm(), context) as stub:
        result = check("vllm", stub.url, ssl.create_default_context(cafile=pem), model="qwen")
    assert (result.ok, result.tls_expires_at) == (True, expires)


def test_an_expired_certificate_is_told_as_such(tmp_path: Path) -> None:
    context, pem, _ = certificate(tmp_path, days=-1)
    with serving(stubs.vllm(), context) as stub:
        assert "has expired" in check("vllm", stub.url, ssl.create_default_context(cafile=pem)).cause


def test_an_untrusted_certificate_is_told_as_such(tmp_path: Path) -> None:
    context, _, _ = certificate(tmp_path, days=20)
    with serving(stubs.vllm(), context) as stub:
        assert "not signed by a trusted authority" in check("vllm", stub.url).cause


def test_https_to_an_http_server_is_told_as_such() -> None:
    with serving(stubs.vllm()) as stub:
        assert "Check whether it is http instead of https" in check("vllm", stub.url.replace("http:", "https:")).cause
