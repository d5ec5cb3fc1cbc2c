"""Converts an ASGI request into WSGI variables."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]

FIXED: dict[str, Any] = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "wsgi.version": (1, 0),
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
# These headers describe the body as it was sent; the view gets a body that is joined already.
LEFT_OUT = frozenset((b"content-length", b"content-type", b"transfer-encoding", b"proxy"))


def environ_of(scope: Scope, stream: Any, size: int) -> dict[str, Any]:
    """PEP 3333's variables; `stream` is the body of `size` bytes."""
    host, port = scope["server"] or ("", "")
    client, client_port = scope["client"] or ("", "")
    environ = {
        **FIXED,
        "REQUEST_METHOD": scope["method"],
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": client,
        "REMOTE_PORT": str(client_port),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": stream,
    }
    if size:
        environ["CONTENT_LENGTH"] = str(size)
    add_headers(environ, scope["headers"])
    return environ


def add_headers(environ: dict[str, Any], headers: list[tuple[bytes, bytes]]) -> None:
    """Add the headers, repeated ones joined. Those with an underscore are left out: WSGI reads `X_Key` as `X-Key`."""
    for name, raw in headers:
        value = raw.decode("latin-1")
        if name == b"content-type":
            environ["CONTENT_TYPE"] = value
        elif name not in LEFT_OUT and b"_" not in name:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            joint = "; " if name == b"cookie" else ","
            environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
