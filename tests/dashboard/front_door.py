"""A stand-in for our web process, the sandbox and the gateway: real HTTP on loopback, everything that arrives kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, Any]]


class FrontDoor:
    """`calls` are (method, path, key, body) in order of arrival; `answer` decides what the next one gets."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []
        self.answer: Callable[[str, dict[str, Any]], Answer] = accept
        self.url = ""
        self._lock = threading.Lock()

    def take(self, method: str, path: str, key: str, body: dict[str, Any]) -> Answer:
        with self._lock:
            self.calls.append((method, path, key, body))
            return self.answer(path, body)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [body for _, called, _, body in self.calls if called == path]

    def rows(self) -> list[dict[str, Any]]:
        return [row for body in self.bodies("/api/v1/requests") for row in body["requests"]]


def accept(path: str, body: dict[str, Any]) -> Answer:
    return 200, {"accepted": len(body.get("requests", [])), "duplicates": 0, "rejected": []}


@contextmanager
def front_door() -> Iterator[FrontDoor]:
    door = FrontDoor()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)) or b"{}")
            key = self.headers.get("authorization", "").removeprefix("Bearer ")
            status, answer = door.take(self.command, self.path, key, body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_PUT = do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    door.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
