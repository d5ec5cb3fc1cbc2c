"""Readiness of the stack: one probe for each process, and the ready file for programs that wait for it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

DEMO_MODEL = "smollm2-135m-instruct"  # what the demo's own deployment serves


@dataclass(frozen=True)
class Probe:
    """A check of one process; `ask` returns None when it is ready, else the reason why not."""

    name: str
    ask: Callable[[], str | None]


def http_probe(name: str, port: int, path: str) -> Probe:
    """Ready when `path` on the loopback's `port` answers 200."""

    def ask() -> str | None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(500).decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
        return None if answer.status == 200 else f"{path} answers {answer.status} {body}"

    return Probe(name, ask)


def file_probe(name: str, path: Path, what: str) -> Probe:
    """Ready when the process has written its file."""
    return Probe(name, lambda: None if path.exists() else what)


def ready_text(url: str, environment: Mapping[str, str], demo: Mapping[str, object], model: str) -> str:
    """The JSON of the ready file: addresses of the stack; in the demo also its keys and the real engine's model."""
    content: dict[str, object] = {
        "url": url,
        "gateway_url": environment["GATEWAY_URL"],
        "database_url": environment["DATABASE_URL"],
        "redis_url": environment["REDIS_URL"],
        "data_dir": environment["BREAKEVEN_DATA"],
    }
    if demo:
        keys = ("admin", "ingest_key", "api_key", "rate_key", "gateway_key")
        content |= {"sandbox_url": environment["SANDBOX_URL"], **{key: demo[key] for key in keys}, "demo_model": model}
    return json.dumps(content, indent=1) + "\n"
