"""The demo's calls over HTTP: requests and ratings to our own API, bills to the sandbox; patient, and quick to stop."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import orjson

from demo.traffic import Row

BATCH = 5_000
TIMEOUT_S = 60.0
LONGEST_PAUSE_S = 5.0
LATER = frozenset({429, 502, 503, 504})


class DemoError(Exception):
    """Our own API refused what the demo sent: a mistake in the demo, named."""


class Halted(Exception):
    """The demo was asked to stop; what was under way is sent again at the next start."""


class Client:
    """One pool of connections for all threads. Every call waits for a server that is away, until `stop` is set."""

    def __init__(self, url: str, sandbox_url: str, stop: threading.Event) -> None:
        self.url = url
        self.sandbox_url = sandbox_url
        self.stop = stop
        self._http = httpx.Client(timeout=TIMEOUT_S, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def send_requests(self, rows: Sequence[Row], key: str) -> None:
        """All rows in batches of equal size. Raises DemoError when one is rejected, Halted."""
        parts = -(-len(rows) // BATCH)
        for part in range(parts):
            batch = rows[len(rows) * part // parts : len(rows) * (part + 1) // parts]
            answer = self._call("POST", f"{self.url}/api/v1/requests", {"requests": batch}, key)
            if answer["rejected"]:
                raise DemoError(f"{len(answer['rejected'])} rows were rejected, the first: {answer['rejected'][0]}")

    def send_rating(self, rating: Mapping[str, Any], key: str) -> None:
        """One rating. Raises DemoError, Halted."""
        self._call("POST", f"{self.url}/api/v1/feedback", rating, key)

    def send_logs(self, records: Sequence[Mapping[str, Any]], key: str) -> None:
        """Log records of OpenTelemetry. Raises DemoError, Halted."""
        self._call("POST", f"{self.url}/v1/logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}, key)

    def put_state(self, vendor: str, state: Mapping[str, Any]) -> None:
        """Tell a simulated vendor what it knows; rows of the same key are replaced."""
        self._call("PUT", f"{self.sandbox_url}/state/{vendor}", {**state, "replace": True})

    def read(self, path: str) -> str:
        """What a simulated vendor gives out. Raises httpx.HTTPError."""
        return self._http.get(f"{self.sandbox_url}{path}", timeout=TIMEOUT_S).raise_for_status().text

    def ping(self, path: str) -> None:
        """One ping of a batch job; lost where the server is away, as a cron's would be."""
        with contextlib.suppress(httpx.TransportError):
            self._http.get(f"{self.url}{path}", timeout=5, headers={"user-agent": "curl/8.14.1"})

    def wait_for(self, url: str) -> None:
        """Return once this address answers well. Raises Halted."""
        while not self.stop.is_set():
            try:
                if self._http.get(url, timeout=5).is_success:
                    return
            except httpx.TransportError:
                pass  # not there yet: that is what we wait for
            self.stop.wait(0.1)
        raise Halted

    def _call(self, method: str, url: str, content: Mapping[str, Any], key: str = "") -> dict[str, Any]:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {key}"} if key else {})
        body = orjson.dumps(content)
        pause = 0.2
        while not self.stop.is_set():
            try:
                response = self._http.request(method, url, content=body, headers=headers)
            except httpx.TransportError:
                response = None
            if response is not None and response.status_code not in LATER:
                if not response.is_success:
                    raise DemoError(f"{method} {url} answered {response.status_code}: {_said(response)}")
                answer: dict[str, Any] = orjson.loads(response.content)
                return answer
            self.stop.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
        raise Halted


def _said(response: httpx.Response) -> str:
    """The start of an answer, on one line; a page of HTML says nothing here."""
    if "html" in response.headers.get("content-type", ""):
        return "a page of HTML"
    return " ".join(response.text[:300].split())
