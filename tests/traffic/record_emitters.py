"""Record what real instrumentations send: `python -m tests.traffic.record_emitters PYTHON [NAME...]`.

PYTHON is an interpreter whose environment has the packages of `emitters.EMITTERS` and the official OTLP exporter over
HTTP; they are no dependencies of the suite, which replays `recorded/otlp_*.json`. Calls go to a real llama.cpp and to
the sandbox's Claude.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sandbox.anthropic import API_KEY
from sandbox.engine import Engine, EngineOptions
from sandbox.testing import running_sandbox
from tests.tiny_model import write_tiny_model
from tests.traffic.emitters import EMITTERS

HERE = Path(__file__).parent
IDS = ("traceId", "spanId", "parentSpanId")
LONGEST = 400  # characters of a text that stay: what people wrote and stack traces are cut
MACHINE = re.compile(r"^(process|host|os)\.|stacktrace$")


@contextmanager
def receiver() -> Iterator[tuple[str, list[bytes]]]:
    """An OTLP receiver that keeps every export as it came, decompressed."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            bodies.append(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing to tell."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", bodies
    server.shutdown()
    server.server_close()


def as_json(body: bytes) -> dict[str, Any]:
    """An export in OTLP's JSON, which spells ids in hex, without what says where it was recorded."""
    request = ExportTraceServiceRequest.FromString(body)
    content: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    spans = [span for of in request.resource_spans for scope in of.scope_spans for span in scope.spans]
    written = [span for of in content["resourceSpans"] for scope in of["scopeSpans"] for span in scope.get("spans", [])]
    for span, target in zip(spans, written, strict=True):
        for name, raw in zip(IDS, (span.trace_id, span.span_id, span.parent_span_id), strict=True):
            if raw:
                target[name] = raw.hex()
    clean: dict[str, Any] = scrubbed(content)
    return clean


def scrubbed(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: scrubbed(value) for key, value in item.items()}
    if isinstance(item, list):
        return [scrubbed(one) for one in item if not (isinstance(one, dict) and MACHINE.search(str(one.get("key"))))]
    return item[:LONGEST] if isinstance(item, str) and not item.startswith("{") else item


def record(name: str, python: str, url: str, dead: str) -> dict[str, Any]:
    with receiver() as (endpoint, bodies):
        environment = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": "emitter",
            "ANTHROPIC_API_KEY": API_KEY,
        }
        command = [python, "-P", str(HERE / "emitters.py"), name, url, dead]
        run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if run.returncode:
            sys.exit(f"{name}: {run.stderr[-3000:]}")
        about, *calls = map(json.loads, run.stdout.splitlines())
        return {**about, "calls": calls, "exports": [as_json(body) for body in bodies]}


def main(python: str, *names: str) -> None:
    with tempfile.TemporaryDirectory() as folder, running_sandbox() as sandbox, socket.create_server(("", 0)) as deaf:
        engine = Engine(EngineOptions(write_tiny_model(Path(folder) / "tiny.gguf"), name="tiny"))
        places = {"openai": engine.start(), "anthropic": f"{sandbox.url}/anthropic"}
        try:
            for name in names or EMITTERS:
                dead = f"http://127.0.0.1:{deaf.getsockname()[1]}"
                recorded = record(name, python, places[EMITTERS[name][0]], dead)
                path = HERE / "recorded" / f"otlp_{name}.json"
                path.write_text(json.dumps(recorded, indent=1, ensure_ascii=False) + "\n")
                sys.stdout.write(f"{path.name}: {len(recorded['calls'])} calls, {len(recorded['exports'])} exports\n")
        finally:
            engine.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
