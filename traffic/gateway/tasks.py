"""Guesses the task of a call whose caller names none: a few rules on the request, each with a reason in words. Pure.

Off unless an application turns it on; the row says that its task is guessed and why (`guessed_task`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from traffic.gateway.protocols import CHATS, GatewayRequest

LOOKED_AT = 64 << 10  # bytes of the conversation's end, on the event loop
SHORT = 2_000  # bytes of a single question
_CODE = re.compile(rb"```|\\n(?:def|class|import|function|SELECT|CREATE TABLE|#include)\b|Traceback \(most recent")
_SOURCES = re.compile(
    rb"<(?:context|document|source)s?\b|(?:^|[^\w])(?:Context|Documents?|Sources?|Passages?)\s*:", re.IGNORECASE
)
_TURN = re.compile(rb'"role"\s*:\s*"assistant"')


@dataclass(frozen=True, slots=True)
class Guess:
    """A task, and the name of the rule that holds."""

    task: str
    reason: str


def guessed_task(request: GatewayRequest) -> Guess | None:
    """The task of the first rule that holds; None: it stays `other`."""
    if request.protocol not in CHATS:
        return None
    text = bytes(request.raw_prompt(b""))[-LOOKED_AT:]
    return next((Guess(task, reason) for task, reason, holds in RULES if holds(request, text)), None)


def _thinks(request: GatewayRequest, _text: bytes) -> bool:
    fields = (request.fields.get(name, b"null") for name in ("thinking", "reasoning_effort", "reasoning"))
    return any(bytes(field) != b"null" for field in fields)


def _asks(_request: GatewayRequest, text: bytes) -> bool:
    """Whether a short text ends with a question mark. Without a pattern: blanks would let one take for ever."""
    return len(text) <= SHORT and b"".join(text.split()).rstrip(b"}]").endswith(b'?"')


RULES: tuple[tuple[str, str, Callable[[GatewayRequest, bytes], bool]], ...] = (
    ("vision", "media", lambda request, _text: request.media),
    ("reasoning", "thinking", _thinks),
    ("code", "code", lambda _request, text: _CODE.search(text) is not None),
    ("rag", "sources", lambda _request, text: _SOURCES.search(text) is not None),
    ("chat", "turns", lambda _request, text: len(_TURN.findall(text)) > 0),
    ("qa", "question", _asks),
)
