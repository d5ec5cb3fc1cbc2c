"""How a vendor stops a machine that we rent: one call, said before it is made."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from providers.connectors.base import Connector


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


def stop_lease(connector: Connector, lease_id: str, handle: str) -> None:
    """Stop it now. Raises ConnectorError; when none comes the vendor has taken the call."""
    from providers.connectors.base import ConnectorError

    if connector.stop is None:
        raise ConnectorError(_("%(vendor)s stops nothing by API.") % {"vendor": connector.label}, permanent=True)
    call = stop_call(connector.stop, connector.base_url, lease_id, handle)
    with connector.writing() as http:
        answer = http.send(call.method, call.url, **({} if call.body is None else {"json": call.body}))
        if answer.status == 204 or not answer.body.strip():
            return
        body = http.read(answer)
    if isinstance(body, dict) and body.get("error"):
        raise ConnectorError(_("%(vendor)s did not stop it; look at its console.") % {"vendor": connector.label})
