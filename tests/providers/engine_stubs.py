"""Small servers over real HTTP that speak the documented bodies of the inference servers."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    key: str = ""  # when set, only requests that carry it are answered


def as_json(body: Any, status: int = 200, **more: Any) -> Answer:
    return Answer(status, json.dumps(body).encode(), **more)


def as_text(body: str, status: int = 200, content_type: str = "text/plain", **more: Any) -> Answer:
    return Answer(status, body.encode(), content_type, **more)


def as_events(*events: Any, status: int = 200) -> Answer:
    lines = [f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events]
    return as_text("".join(lines), status, "text/event-stream")


class Stub:
    """`routes` maps "GET /path" to an answer and may be changed while it serves; `seen` are the requests so far."""

    def __init__(self, routes: Mapping[str, Answer], other: Answer | None = None) -> None:
        self.routes = dict(routes)
        self.other = other or as_json({"detail": "Not Found"}, 404)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.url = ""

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.seen.append((method, path, {name.lower(): value for name, value in headers.items()}, body))
        found = self.routes.get(f"{method} {path}", self.other)
        keys = (headers.get(name, "") for name in ("Authorization", "x-api-key", "api-key"))
        given = "".join(keys).removeprefix("Bearer ")
        if found.key and found.key != given:
            return as_json({"error": "Unauthorized"}, 401)
        return found


def _handler(stub: Stub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = stub.answer(self.command, self.path, dict(self.headers), body)
            if answer.delay_s:
                time.sleep(answer.delay_s)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a client that would not wait
                self.wfile.write(answer.body)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # the default of 5 makes a burst of checks wait a second for its SYN to be sent again


@contextmanager
def serving(stub: Stub, tls: ssl.SSLContext | None = None) -> Iterator[Stub]:
    server = _Server(("127.0.0.1", 0), _handler(stub))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    stub.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def model_list(*names: str, owner: str = "vllm") -> Answer:
    data = [{"id": name, "object": "model", "created": 1795499000, "owned_by": owner} for name in names]
    return as_json({"object": "list", "data": data})


def chat_stream(text: str = "OK") -> Answer:
    return as_events(
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"index": 0, "delta": {"content": text}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]},
        {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}},
        "[DONE]",
    )


VLLM_METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen"} 3.0
vllm:num_requests_running{engine="1",model_name="qwen"} 2.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="qwen"} 4.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="qwen",reason="capacity"} 4.0
# TYPE vllm:kv_cache_usage_perc gauge
vllm:kv_cache_usage_perc{engine="0",model_name="qwen"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="qwen"} 0.75
# TYPE vllm:prompt_tokens_total counter
vllm:prompt_tokens_total{engine="0",model_name="qwen"} 536.0
vllm:prompt_tokens_created{engine="0",model_name="qwen"} 1.79e+09
vllm:prompt_tokens_cached_total{engine="0",model_name="qwen"} 128.0
vllm:generation_tokens_total{engine="0",model_name="qwen"} 88.0
vllm:num_preemptions_total{engine="0",model_name="qwen"} 1.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="qwen"} 7.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="qwen"} 2.0
vllm:request_success_total{engine="0",finished_reason="abort",model_name="qwen"} 1.0
vllm:request_success_total{engine="0",finished_reason="error",model_name="qwen"} 0.0
# TYPE vllm:time_to_first_token_seconds histogram
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="qwen"} 4.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="0.5",model_name="qwen"} 9.0
vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="qwen"} 10.0
vllm:time_to_first_token_seconds_count{engine="0",model_name="qwen"} 10.0
vllm:time_to_first_token_seconds_sum{engine="0",model_name="qwen"} 3.0
process_start_time_seconds 1.7955e+09
python_gc_objects_collected_total{generation="0"} 900.0
"""

SGLANG_METRICS = """\
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="qwen",tp_rank="0"} 6.0
sglang:num_queue_reqs{engine_type="unified",model_name="qwen",tp_rank="0"} 2.0
# TYPE sglang:token_usage gauge
sglang:token_usage{engine_type="unified",model_name="qwen",tp_rank="0"} 0.28
sglang:gen_throughput{engine_type="unified",model_name="qwen",tp_rank="0"} 86.5
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="qwen"} 8128.0
sglang:generation_tokens_total{model_name="qwen"} 7557.0
sglang:cached_tokens_total{cache_source="device",model_name="qwen"} 400.0
sglang:cached_tokens_total{cache_source="host",model_name="qwen"} 100.0
sglang:num_requests_total{model_name="qwen"} 40.0
sglang:num_aborted_requests_total{model_name="qwen"} 3.0
# TYPE sglang:time_to_first_token_seconds histogram
sglang:time_to_first_token_seconds_bucket{le="0.1",model_name="qwen"} 10.0
sglang:time_to_first_token_seconds_bucket{le="1.0",model_name="qwen"} 30.0
sglang:time_to_first_token_seconds_bucket{le="+Inf",model_name="qwen"} 40.0
sglang:time_to_first_token_seconds_sum{model_name="qwen"} 12.0
sglang:time_to_first_token_seconds_count{model_name="qwen"} 40.0
process_start_time_seconds 1.7955e+09
"""

TGI_METRICS = """\
# TYPE tgi_request_count counter
tgi_request_count 12
# TYPE tgi_request_failure counter
tgi_request_failure{err="validation"} 1
tgi_request_failure{err="overloaded"} 2
# TYPE tgi_queue_size gauge
tgi_queue_size 5
# TYPE tgi_batch_current_size gauge
tgi_batch_current_size 8
# TYPE tgi_request_input_length histogram
tgi_request_input_length_bucket{le="+Inf"} 12
tgi_request_input_length_sum 2400
tgi_request_input_length_count 12
tgi_request_generated_tokens_sum 960
tgi_request_generated_tokens_count 12
"""


def vllm(model: str = "qwen") -> Stub:
    return Stub(
        {
            "GET /health": Answer(content_type="text/plain"),
            "GET /v1/models": model_list(model),
            "GET /metrics": as_text(VLLM_METRICS, content_type="text/plain; version=1.0.0; charset=utf-8"),
            "POST /v1/chat/completions": chat_stream(),
        }
    )


LMDEPLOY_METRICS = """\
# TYPE lmdeploy:num_requests_running gauge
lmdeploy:num_requests_running{engine="0",model_name="qwen"} 4.0
lmdeploy:num_requests_running{engine="1",model_name="qwen"} 3.0
lmdeploy:num_requests_waiting{engine="0",model_name="qwen"} 1.0
lmdeploy:num_requests_waiting{engine="1",model_name="qwen"} 0.0
# TYPE lmdeploy:gpu_cache_usage_perc gauge
lmdeploy:gpu_cache_usage_perc{engine="0",model_name="qwen"} 0.4
lmdeploy:gpu_cache_usage_perc{engine="1",model_name="qwen"} 0.6
# TYPE lmdeploy:prompt_tokens_total counter
lmdeploy:prompt_tokens_total{engine="0",model_name="qwen"} 900.0
lmdeploy:generation_tokens_total{engine="0",model_name="qwen"} 300.0
# TYPE lmdeploy:time_to_first_token_seconds histogram
lmdeploy:time_to_first_token_seconds_bucket{engine="0",le="0.1",model_name="qwen"} 2.0
lmdeploy:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="qwen"} 5.0
process_start_time_seconds 1.7955e+09
"""


def lmdeploy(model: str = "qwen") -> Stub:
    return Stub(
        {
            "GET /health": Answer(content_type="text/plain"),
            "GET /v1/models": model_list(model, owner="lmdeploy"),
            "GET /metrics": as_text(LMDEPLOY_METRICS, content_type="text/plain; version=1.0.0; charset=utf-8"),
            "POST /v1/chat/completions": chat_stream(),
        }
    )


def sglang(model: str = "qwen") -> Stub:
    return Stub(
        {
            "GET /health": Answer(content_type="text/plain"),
            "GET /v1/models": model_list(model, owner="sglang"),
            "GET /metrics": as_text(SGLANG_METRICS, content_type="text/plain; version=1.0.0; charset=utf-8"),
            "POST /v1/chat/completions": chat_stream(),
        }
    )


def tgi(model: str = "org/falcon") -> Stub:
    info = {"model_id": model, "model_sha": "0", "max_total_tokens": 4096, "router": "text-generation-router"}
    return Stub(
        {
            "GET /health": Answer(content_type="text/plain"),
            "GET /info": as_json(info | {"version": "3.3.6-dev0"}),
            "GET /metrics": as_text(TGI_METRICS),
            "POST /v1/chat/completions": chat_stream(),
        }
    )


def ollama(*models: str) -> Stub:
    tags = [{"name": name, "model": name, "size": 5137025024, "details": {"format": "gguf"}} for name in models]
    return Stub(
        {
            "GET /": as_text("Ollama is running"),
            "GET /api/version": as_json({"version": "0.13.0"}),
            "GET /api/tags": as_json({"models": tags}),
            "GET /v1/models": model_list(*models, owner="library"),
        },
        other=as_text("404 page not found", 404),
    )


def azure(*deployments: str, key: str = "azure-key-of-the-suite") -> Stub:
    path = "/openai/deployments"
    routes = {f"GET {path}?api-version=2023-03-15-preview": model_list(*deployments, owner="organization-owner")}
    routes |= {f"POST {path}/{name}/chat/completions?api-version=2024-10-21": chat_stream() for name in deployments}
    routes = {route: replace(answer, key=key) for route, answer in routes.items()}
    missing = {"error": {"code": "404", "message": "Resource not found"}}
    return Stub(routes, other=as_json(missing, 404))


def claude(*models: str, key: str = "sk-ant-of-the-suite") -> Stub:
    data = [
        {"type": "model", "id": name, "display_name": name, "created_at": "2026-01-01T00:00:00Z"} for name in models
    ]
    page = {"data": data, "has_more": False, "first_id": None, "last_id": None}
    stream = as_text(
        'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9}}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"OK"}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        content_type="text/event-stream",
    )
    return Stub(
        {"GET /v1/models?limit=1000": as_json(page, key=key), "POST /v1/messages": stream},
        other=as_json({"type": "error", "error": {"type": "not_found_error", "message": "Not found"}}, 404),
    )
