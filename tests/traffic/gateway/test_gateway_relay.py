"""Calls through a real gateway process: what reaches the engine, what comes back, and the row that is kept."""

from __future__ import annotations

import json
import socket
import time
from hashlib import sha256
from typing import Any

import anthropic
import httpx
import openai
import pytest

from tests.traffic.gateway_stack import INGEST_KEY, KEY, OTHER_KEY, VENDOR_KEY, Stack, calm, stack, until
from traffic.gateway.app import TASKS
from traffic.gateway.bounds import MOST_BODY
from traffic.models import Task

__all__ = ["calm", "stack"]  # fixtures
pytestmark = pytest.mark.django_db

MESSAGES: Any = [{"role": "user", "content": "Hello?"}]
ASKED: dict[str, Any] = {"model": "claude-test", "max_tokens": 10, "messages": MESSAGES}


def post(stack: Stack, path: str, body: Any = None, key: str = KEY, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else json.dumps(ASKED if body is None else body).encode()
    return httpx.post(
        f"{stack.url}{path}",
        content=content,
        headers={"x-api-key": key, "content-type": "application/json", **named},
        timeout=20,
    )


def test_the_official_anthropic_client_works_and_its_call_is_recorded(calm: Stack) -> None:
    client = anthropic.Anthropic(base_url=calm.url, api_key=KEY, max_retries=0)
    answer = client.messages.with_raw_response.create(model="claude-test", max_tokens=10, messages=MESSAGES)
    assert answer.parse().content[0].text == "Hello."  # type: ignore[union-attr]  # one text block
    assert answer.headers["x-breakeven-deployment"] == "claude"
    assert answer.headers["x-breakeven-rule"] == "otherwise"
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["provider"], row["model"], row["outcome"], row["http_status"]) == (
        "anthropic",
        "claude-test",
        "ok",
        200,
    )
    classes = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
    assert [row[name] for name in classes] == [20, 300, 40, 10, 7]
    assert row["ttft_ms"] is None
    assert row["latency_ms"] > 0
    assert (row["source"], row["route"], row["streamed"]) == ("gateway", "otherwise", False)


def test_the_official_anthropic_client_streams(calm: Stack) -> None:
    client = anthropic.Anthropic(base_url=calm.url, api_key=KEY, max_retries=0)
    with client.messages.stream(model="claude-test", max_tokens=10, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == "Hello."
        request_id = stream.response.headers["x-breakeven-request-id"]
    row = calm.rows(request_id)
    assert (row["uncached_input"], row["output"], row["streamed"], row["outcome"]) == (20, 7, True, "ok")
    assert 0 < row["ttft_ms"] <= row["latency_ms"]


def test_the_official_openai_client_works_and_its_call_is_recorded(calm: Stack) -> None:
    client = openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0)
    answer = client.chat.completions.with_raw_response.create(model="own-model", messages=MESSAGES)
    assert answer.parse().choices[0].message.content == "Hello."
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["uncached_input"], row["cache_read"], row["output"], row["reasoning"]) == (20, 100, 9, 4)
    assert (row["provider"], row["route"]) == ("self", "own-model")


def test_the_official_openai_client_streams_with_usage(calm: Stack) -> None:
    client = openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY, max_retries=0)
    stream = client.chat.completions.create(
        model="own-model",
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": True},
    )
    request_id = stream.response.headers["x-breakeven-request-id"]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "Hello."
    row = calm.rows(request_id)
    assert (row["uncached_input"], row["output"], row["outcome"]) == (38, 12, "ok")
    assert row["ttft_ms"] is not None


def test_a_stream_without_usage_has_unknown_tokens_and_none_are_asked_for(calm: Stack) -> None:
    body = {**ASKED, "model": "own-model", "stream": True}
    answer = post(calm, "/v1/chat/completions", body)
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert row["uncached_input"] is None
    assert row["output"] is None
    assert "stream_options" not in json.loads(calm.own.seen[0]["body"])


def test_llamacpp_timings_stand_in_for_the_usage_of_a_stream(calm: Stack) -> None:
    calm.own.behaviour = "timings"
    answer = post(calm, "/v1/chat/completions", {**ASKED, "model": "own-model", "stream": True})
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["uncached_input"], row["cache_read"], row["output"]) == (5, 33, 12)


def test_only_the_model_is_replaced_on_the_way_to_the_engine(calm: Stack) -> None:
    body = (
        b'{ "model":"some-claude", "max_tokens": 10,"temperature":1.0, "x":12345678901234567890123,'
        b'"messages":[{"role":"user","content":"\\u00e9 \xc3\xa9  ok"}] }'
    )
    answer = post(
        calm, "/v1/messages?beta=true", body, anthropic_version="2023-06-01", anthropic_beta="x-1", cookie="a=b"
    )
    seen = calm.claude.seen[0]
    assert seen["body"] == (
        b'{"model":"claude-test","max_tokens":10,"temperature":1.0,"x":12345678901234567890123,'
        b'"messages":[{"role":"user","content":"\\u00e9 \xc3\xa9  ok"}]}'
    )
    assert seen["path"] == "/v1/messages?beta=true"
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["x-api-key"] == VENDOR_KEY
    assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2023-06-01", "x-1")
    assert not {"cookie", "authorization"} & headers.keys()
    assert not any(name.startswith("x-breakeven") for name in headers)
    assert calm.rows(answer.headers["x-breakeven-request-id"])["raw"]["asked_model"] == "some-claude"


def test_the_answer_passes_untouched(calm: Stack) -> None:
    answer = post(calm, "/v1/messages")
    assert answer.content.startswith(b'{\n "id": "msg_')  # the engine's own spacing
    assert answer.headers["request-id"] == "req_1"
    streamed = post(calm, "/v1/messages", {**ASKED, "stream": True})
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert streamed.content.startswith(b"event: message_start\ndata: {")
    assert streamed.content.endswith(b'event: message_stop\ndata: {"type": "message_stop"}\n\n')


@pytest.mark.parametrize("failure", ["429", "500", "503", "529", "drop"])
def test_a_failing_target_is_left_for_the_next_before_the_first_byte(calm: Stack, failure: str) -> None:
    calm.own.behaviour = failure
    answer = post(calm, "/v1/messages", x_breakeven_task="rag")
    assert answer.status_code == 200
    assert answer.headers["x-breakeven-deployment"] == "claude"
    assert answer.headers["x-breakeven-rule"] == "routine"
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["provider"], row["outcome"]) == ("anthropic", "ok")
    assert row["raw"]["tries"][0]["deployment"] == "own"


def test_an_error_of_the_caller_is_not_tried_elsewhere(calm: Stack) -> None:
    calm.own.behaviour = "400"
    answer = post(calm, "/v1/messages", x_breakeven_task="rag")
    assert answer.status_code == 400
    assert not calm.claude.seen
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["http_status"], row["error_type"]) == ("error", 400, "invalid_request_error")
    assert row["output"] == 0


def test_the_last_targets_own_error_passes_with_its_headers(calm: Stack) -> None:
    calm.claude.behaviour = "429"
    calm.own.behaviour = "429"
    answer = post(calm, "/v1/messages")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert "x-breakeven-error" not in answer.headers


def test_a_private_call_never_leaves_our_own_machines(calm: Stack) -> None:
    calm.own.behaviour = "500"
    answer = post(calm, "/v1/messages", x_breakeven_private="1", x_breakeven_task="code")
    assert answer.status_code == 500
    assert answer.headers["x-breakeven-rule"] == "private"
    forced = post(calm, "/v1/messages", x_breakeven_private="1", x_breakeven_route="claude")
    assert forced.status_code == 404
    assert not calm.claude.seen


def test_a_call_can_insist_on_a_route_or_a_deployment(calm: Stack) -> None:
    by_rule = post(calm, "/v1/messages", x_breakeven_route="routine")
    assert (by_rule.headers["x-breakeven-rule"], by_rule.headers["x-breakeven-deployment"]) == ("routine", "own")
    by_deployment = post(calm, "/v1/messages", x_breakeven_route="own")
    assert (by_deployment.headers["x-breakeven-rule"], by_deployment.headers["x-breakeven-deployment"]) == (
        "forced",
        "own",
    )
    nowhere = post(calm, "/v1/messages", x_breakeven_route="nowhere")
    assert (nowhere.status_code, nowhere.headers["x-breakeven-error"]) == (404, "no-target")


def test_a_stream_that_breaks_off_is_an_error_and_the_caller_sees_it(calm: Stack) -> None:
    calm.claude.behaviour = "break"
    with pytest.raises(httpx.RemoteProtocolError):
        post(calm, "/v1/messages", {**ASKED, "stream": True})
    row = calm.newest(error_type="upstream-broke-off")
    assert (row["outcome"], row["http_status"], row["output"]) == ("error", 200, None)
    assert row["raw"]["usage"]["input_tokens"] == 20
    assert "output_tokens" not in row["raw"]["usage"]


def test_an_error_inside_a_stream_is_an_error(calm: Stack) -> None:
    calm.claude.behaviour = "stream-error"
    answer = post(calm, "/v1/messages", {**ASKED, "stream": True})
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["error_type"]) == ("error", "overloaded_error")


def test_a_caller_that_hangs_up_is_recorded_and_the_engine_is_let_go(calm: Stack) -> None:
    calm.claude.behaviour = "endless"
    with httpx.stream(
        "POST", f"{calm.url}/v1/messages", json={**ASKED, "stream": True}, headers={"x-api-key": KEY}
    ) as answer:
        request_id = answer.headers["x-breakeven-request-id"]
        next(answer.iter_bytes())
    assert calm.claude.hung_up.wait(120)
    row = calm.rows(request_id)
    assert (row["outcome"], row["error_type"]) == ("cancelled", "caller_hung_up")
    assert row["raw"]["usage"]["cache_read_input_tokens"] == 300


def test_a_caller_that_hangs_up_before_an_answer_is_recorded(calm: Stack) -> None:
    calm.claude.behaviour = "silent"
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{calm.url}/v1/messages", json=ASKED, headers={"x-api-key": KEY}, timeout=0.3)
    row = calm.newest(outcome="cancelled", streamed=False)
    assert row["http_status"] is None
    assert row["output"] is None


def test_an_engine_that_stays_silent_is_a_timeout(calm: Stack) -> None:
    calm.claude.behaviour = "silent"
    answer = post(calm, "/v1/messages")
    assert answer.status_code == 504
    assert answer.headers["x-breakeven-error"] == "upstream-timeout"
    assert answer.json() == {
        "type": "error",
        "error": {"type": "timeout_error", "message": "claude did not answer in time."},
    }
    row = calm.rows(answer.headers["x-breakeven-request-id"])
    assert (row["outcome"], row["output"]) == ("timeout", None)


def test_a_body_in_chunks_that_are_none_is_400_and_never_500(calm: Stack) -> None:
    named = f"host: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(calm.url.rsplit(":", 1)[1]))) as caller:
        caller.settimeout(120)
        caller.sendall(f"POST /v1/messages HTTP/1.1\r\n{named}-1\r\n\r\n".encode())
        answer = caller.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"x-breakeven-error: bad-request" in answer.lower()


def test_a_slow_caller_slows_the_engine_down(calm: Stack) -> None:
    calm.claude.behaviour = "flood"
    body = json.dumps({**ASKED, "stream": True}).encode()
    with socket.create_connection(("127.0.0.1", int(calm.url.rsplit(":", 1)[1]))) as caller:
        head = f"POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
        caller.sendall(head.encode() + body)
        caller.recv(1000)
        until(lambda: _stands_still(calm))
        assert calm.claude.written < 60_000_000


def _stands_still(stack: Stack) -> bool:
    before = stack.claude.written
    time.sleep(0.3)
    return before == stack.claude.written > 0


def test_tokens_are_counted_by_the_engine_and_that_is_no_request(calm: Stack) -> None:
    answer = post(calm, "/v1/messages/count_tokens")
    assert answer.json() == {"input_tokens": 12}
    assert answer.headers["x-breakeven-deployment"] == "claude"
    calm.rows(post(calm, "/v1/messages").headers["x-breakeven-request-id"])  # rows arrive in their order
    query = "SELECT count(*) FROM traffic_request WHERE id = %s"
    assert calm.conn.execute(query, [answer.headers["x-breakeven-request-id"]]).fetchone() == (0,)


def test_bodies_are_kept_where_the_application_opted_in_and_the_call_did_not_opt_out(calm: Stack) -> None:
    kept = post(calm, "/v1/messages", {**ASKED, "stream": True}).headers["x-breakeven-request-id"]
    withheld = post(calm, "/v1/messages", x_breakeven_no_store="1").headers["x-breakeven-request-id"]
    others = post(calm, "/v1/messages", key=OTHER_KEY, x_breakeven_application="lab").headers["x-breakeven-request-id"]
    for request_id in (kept, withheld, others):
        calm.rows(request_id)
    query = "SELECT request_id::text, prompt, answer FROM traffic_request_body WHERE request_id = ANY(%s)"
    bodies = calm.conn.execute(query, [[kept, withheld, others]]).fetchall()
    assert [body[0] for body in bodies] == [kept]
    assert json.loads(bodies[0][1]) == MESSAGES
    assert bodies[0][2] == "Hello."


def test_models_are_listed_in_a_shape_that_both_clients_read(calm: Stack) -> None:
    by_openai = openai.OpenAI(base_url=f"{calm.url}/v1", api_key=KEY).models.list()
    by_anthropic = anthropic.Anthropic(base_url=calm.url, api_key=KEY).models.list()
    assert {model.id for model in by_openai} == {model.id for model in by_anthropic} == {"claude-test", "own-model"}
    listed = httpx.get(f"{calm.url}/v1/models", headers={"authorization": f"Bearer {KEY}"}).json()
    assert listed.keys() == {"object", "data", "has_more", "first_id", "last_id"}
    fields = {"id", "object", "created", "owned_by", "type", "display_name", "created_at"}
    assert listed["data"][0].keys() == fields
    assert {(one["created"], one["created_at"]) for one in listed["data"]} == {(1704067200, "2024-01-01T00:00:00Z")}


def test_a_call_is_refused_in_the_callers_shape(calm: Stack) -> None:
    unknown = post(calm, "/v1/messages", key="be_nobody")
    assert (unknown.status_code, unknown.headers["x-breakeven-error"]) == (401, "unknown-key")
    assert unknown.json()["error"]["type"] == "authentication_error"
    missing = httpx.post(f"{calm.url}/v1/chat/completions", json=ASKED)
    assert (missing.status_code, missing.json()["error"]["code"]) == (401, "no-key")
    wrong = post(calm, "/v1/chat/completions", key=INGEST_KEY)
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (403, "permission_error")
    other = post(calm, "/v1/messages", x_breakeven_application="lab")
    assert (other.status_code, other.headers["x-breakeven-error"]) == (403, "other-application")
    assert post(calm, "/v1/messages", b"[1]").status_code == 400
    assert post(calm, "/v1/messages", b'{"messages": []}').status_code == 400
    assert post(calm, "/v1/messages", x_breakeven_task="poetry").status_code == 400
    assert httpx.get(f"{calm.url}/v1/messages").status_code == 405
    assert httpx.get(f"{calm.url}/nowhere").json()["error"]["code"] == "no-such-path"


def test_either_header_may_carry_the_key(calm: Stack) -> None:
    assert post(calm, "/v1/messages", key="sk-of-elsewhere", authorization=f"bearer {KEY}").status_code == 200


def test_tasks_are_those_of_the_request_log() -> None:
    assert set(Task.values) == TASKS


@pytest.mark.parametrize(
    ("path", "kind"), [("chat/completions", "invalid_request_error"), ("messages", "not_found_error")]
)
def test_a_model_that_nobody_knows_is_a_404_with_the_nearest_names(calm: Stack, path: str, kind: str) -> None:
    answer = post(calm, f"/v1/{path}", {**ASKED, "model": "own-modle"})
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-such-model")
    words = "No deployment serves the model own-modle. The nearest names: own-model."
    assert (answer.json()["error"]["message"], answer.json()["error"]["type"]) == (words, kind)
    strange = post(calm, f"/v1/{path}", {**ASKED, "model": "zzz"}).json()["error"]["message"]
    assert strange.endswith("GET /v1/models lists the models of this key.")
    assert not calm.own.seen and not calm.claude.seen


@pytest.mark.parametrize("model", ["claude-opus-9", "gpt-4o", "o3", "auto"])
def test_a_vendors_model_that_is_not_served_is_answered_as_the_routes_say(calm: Stack, model: str) -> None:
    assert post(calm, "/v1/messages", {**ASKED, "model": model}).headers["x-breakeven-deployment"] == "claude"


def test_what_cannot_be_embedded_here_is_a_404(calm: Stack) -> None:
    answer = post(calm, "/v1/embeddings", {"model": "claude-test", "input": "x"})
    assert (answer.status_code, answer.headers["x-breakeven-error"]) == (404, "no-such-model")
    assert answer.json()["error"]["message"] == "No deployment of claude-test supports calls of this kind."


def test_a_body_over_the_limit_is_refused(calm: Stack) -> None:
    answer = post(calm, "/v1/messages", b"x" * (MOST_BODY + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


def test_a_large_body_below_the_limit_passes(calm: Stack) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 8_000_000}}
    answer = post(calm, "/v1/messages", {**ASKED, "messages": [{"role": "user", "content": [image]}]})
    assert answer.status_code == 200
    assert answer.headers["x-breakeven-rule"] == "long-prompt"
    assert len(calm.claude.seen[0]["body"]) > 8_000_000


def test_the_process_says_that_it_is_alive(calm: Stack) -> None:
    assert httpx.get(f"{calm.url}/healthz").json() == {"status": "ok"}


def limited_key(stack: Stack, secret: str, **columns: Any) -> int:
    """A key of the shop with limits, made behind the gateway's back; its id."""
    given = {"hash": sha256(secret.encode()).digest(), "quota": None, "per_minute": None, **columns}
    found = stack.conn.execute(
        "INSERT INTO traffic_key (application_id, name, hint, hash, scopes, created_at, per_minute, quota, quota_unit,"
        " quota_period) SELECT id, 'limited', 'be_', %(hash)s, '{gateway}', now(), %(per_minute)s, %(quota)s,"
        " 'requests', 'day' FROM traffic_application WHERE slug = 'shop' RETURNING id",
        given,
    ).fetchone()
    assert found is not None
    return int(found[0])


def test_a_limit_of_calls_a_minute_answers_429_in_the_callers_shape(calm: Stack) -> None:
    limited_key(calm, "be_slow", per_minute=2)
    assert post(calm, "/v1/messages", key="be_slow").status_code == 200
    assert post(calm, "/v1/messages/count_tokens", key="be_slow").status_code == 200
    refused = post(calm, "/v1/messages", key="be_slow")
    assert (refused.status_code, refused.headers["x-breakeven-error"]) == (429, "rate-limit")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    said = "This key may call 2 times a minute."
    assert refused.json() == {"type": "error", "error": {"type": "rate_limit_error", "message": said}}
    refused = post(calm, "/v1/chat/completions", {**ASKED, "model": "own-model"}, key="be_slow")
    assert refused.status_code == 429
    assert refused.json()["error"] == {
        "message": said,
        "type": "rate_limit_error",
        "param": None,
        "code": "rate-limit",
    }
    with pytest.raises(openai.RateLimitError):
        openai.OpenAI(base_url=f"{calm.url}/v1", api_key="be_slow", max_retries=0).models.list()
    assert post(calm, "/v1/messages").status_code == 200  # another key goes on


def test_a_quota_counts_what_was_stored_and_then_stops_the_key(calm: Stack) -> None:
    key = limited_key(calm, "be_little", quota=1)
    assert post(calm, "/v1/messages", key="be_little").status_code == 200

    def counted() -> Any:
        return calm.conn.execute("SELECT requests, tokens FROM traffic_keyuse WHERE key_id = %s", [key]).fetchone()

    assert until(counted) == (1, 377)  # 20 + 300 + 40 + 10 + 7
    refused = until(lambda: (got := post(calm, "/v1/messages", key="be_little")).status_code == 429 and got)
    assert refused.headers["x-breakeven-error"] == "quota"
    assert 1 <= int(refused.headers["retry-after"]) <= 86_400
    assert refused.json()["error"]["type"] == "rate_limit_error"
