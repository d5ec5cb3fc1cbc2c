"""How a vendor stops a machine that we rent: one call, shown to a person before it is made."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.utils.functional import Promise


@dataclass(frozen=True)
class Stop:
    """One vendor's way. `{id}` and `{handle}` in path and body are the lease's; in a command the parts of its handle,
    by their names: `projects/a/zones/b` has `{projects}` and `{zones}`."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    loses: str | Promise = ""  # what is lost and what is paid for all the same, in a sentence
    console: str = ""  # where a person does it by hand
    destroys: bool = False  # whether it cannot be started again
    command: str = ""  # of the vendor's own tool; empty: the call itself, by curl


@dataclass(frozen=True)
class StopCall:
    """The call for one lease. Holds no key."""

    method: str
    url: str
    body: Any = None

    @property
    def line(self) -> str:
        """`POST https://… {"state": "stopped"}`."""
        return f"{self.method} {self.url}" + (f" {json.dumps(self.body)}" if self.body is not None else "")


def stop_call(stop: Stop, base_url: str, lease_id: str, handle: str) -> StopCall:
    """What would be called; pure."""
    path = _filled(stop.path, quote(lease_id, safe=""), quote(handle, safe="/"))
    body = None if stop.body is None else _filled_body(stop.body, lease_id)
    return StopCall(stop.method, base_url.replace("{api}", "compute") + path, body)


def _filled(text: str, lease_id: str, handle: str) -> str:
    return text.replace("{id}", lease_id).replace("{handle}", handle)


def _filled_body(value: Any, lease_id: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled_body(inner, lease_id) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled_body(inner, lease_id) for inner in value]
    return value.replace("{id}", lease_id) if isinstance(value, str) else value


def command(stop: Stop, call: StopCall, kind: str, lease_id: str, handle: str) -> str:
    """What a person types to do the same; the key is named, never written."""
    if stop.command:
        parts = handle.split("/")
        named = {name: shlex.quote(value) for name, value in zip(parts[::2], parts[1::2], strict=False)}
        return stop.command.format(**named)
    words = ["curl", "-X", call.method, shlex.quote(call.url), "-H", f'"Authorization: Bearer ${kind.upper()}_API_KEY"']
    if call.body is not None:
        words += ["-H", "'Content-Type: application/json'", "-d", shlex.quote(json.dumps(call.body))]
    return " ".join(words)
