"""A tiny HTTP server whose answers a test writes by hand, or takes from `recorded/`."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

RECORDED = Path(__file__).parent / "recorded"


class Answers:
    """`asked` holds (method, path, query, headers, body) of every call. With a certificate it speaks TLS."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.asked: list[tuple[str, str, list[tuple[str, str]], dict[str, str], bytes]] = []
        self._ready: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http{'s' if certificate else ''}://127.0.0.1:{self._server.server_address[1]}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def say(
        self,
        path: str,
        body: Any,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Queue an answer for a path; the last one of a path is repeated."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._ready.setdefault(path, []).append((status, {"content-type": kind, **(headers or {})}, raw))

    def forget(self) -> None:
        """What was queued."""
        self._ready.clear()

    def say_recorded(self, path: str, name: str) -> None:
        self.say(path, (RECORDED / f"{name}.json").read_bytes())

    def __enter__(self) -> Answers:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str) -> tuple[int, dict[str, str], bytes]:
        ready = self._ready.get(path) or [(404, {"content-type": "application/json"}, b"{}")]
        return ready.pop(0) if len(ready) > 1 else ready[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answers = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answers.asked.append((self.command, parts.path, parse_qsl(parts.query), headers, body))
                status, sent, raw = answers._take(parts.path)
                self.send_response(status)
                for name, value in sent.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            do_POST = do_PUT = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the test's output."""

        return Handler


@contextmanager
def trickling(start: bytes, drop: bytes) -> Iterator[str]:
    """The address of a server that answers with `start` and then sends `drop` every 50 ms."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _address = server.accept()
                    with suppress(OSError), connection:
                        connection.recv(65536)
                        connection.sendall(start)
                        while drop:
                            connection.sendall(drop)
                            time.sleep(0.05)
                        connection.recv(65536)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
