"""Asks an engine for the usage of a stream whose caller did not, and takes that one event out of the answer.

OpenAI's streams end with an event of no choices and the usage, where `stream_options.include_usage` asks for it.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from traffic.gateway.bounds import MOST_EVENT, MOST_READ, TooMuch
from traffic.gateway.protocols import GatewayRequest
from traffic.gateway.routes import Target

# Engines that are known to take the option. llama.cpp tells more by its `timings`, and without being asked; of any
# other server that calls itself compatible nobody knows whether it refuses what it does not know.
TELLING = frozenset({"vllm", "sglang", "lmdeploy", "ollama", "tgi", "azure_openai", "gemini", "openrouter"})
TELLING_PROVIDERS = frozenset({"openai"})


def adds_usage_option(request: GatewayRequest, target: Target) -> bool:
    """Whether the gateway asks this target for the usage of this call, because the caller does not."""
    return not request.asks_for_usage and (target.engine in TELLING or target.provider in TELLING_PROVIDERS)


class UsageFilter:
    """Passes whole events on as they came, but for the one that tells the usage alone."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of an event that is not whole yet
        self._size = 0

    def feed(self, chunk: bytes) -> bytes:
        """What of the stream may pass now. Raises TooMuch where an event has no end."""
        # The end of an event may be cut too.
        whole = b"".join((self._rest[-1][-3:], chunk)) if self._rest else chunk
        if max(whole.rfind(b"\n\n"), whole.rfind(b"\n\r\n")) < 0:
            self._rest.append(chunk)
            self._size += len(chunk)
            if self._size > MOST_EVENT:
                raise TooMuch(f"an event of more than {MOST_EVENT:,} bytes")
            return b""
        data = b"".join((*self._rest, chunk))
        end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\n\r\n") + 3)
        rest = data[end:]
        self._rest, self._size = [rest] if rest else [], len(rest)
        return without_usage(data[:end])

    def finish(self) -> bytes:
        """What is left when the stream is over."""
        rest, self._rest, self._size = b"".join(self._rest), [], 0
        return without_usage(rest)


def without_usage(events: bytes) -> bytes:
    """Whole events without the one that tells usage and no choice."""
    if b'"usage"' not in events or b'"choices"' not in events:
        return events
    pieces: list[bytes] = []
    at = 0
    for end in (*(match.end() for match in _END.finditer(events)), len(events)):
        if not _is_usage(event := events[at:end]):
            pieces.append(event)
        at = end
    return b"".join(pieces)


_END = re.compile(rb"\n\r?\n")


class _Usage(msgspec.Struct):
    choices: Any = None
    usage: Any = None


_decoder = msgspec.json.Decoder(_Usage)


def _is_usage(event: bytes) -> bool:
    text = event.strip()
    if b'"usage"' not in text or not text.startswith(b"data:") or len(text) > MOST_READ:
        return False
    try:
        parsed = _decoder.decode(text[5:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return parsed.choices == [] and isinstance(parsed.usage, dict)
