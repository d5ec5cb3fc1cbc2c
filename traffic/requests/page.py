"""What the Requests pages show of a request, from plain rows. Pure."""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from traffic.ingest.data_quality import MEANINGS, SHARED_ID
from traffic.models import Outcome, Rating, Request, Task
from traffic.quality.queries import acceptable

TASKS = dict(Task.choices)
MARKS = {"ok": "ok", "error": "bad", "timeout": "bad", "cancelled": "info", "refused": "warn"}


@dataclass(frozen=True, slots=True)
class Row:
    """A request with what the list says about it."""

    it: Request
    ratings: Sequence[Rating]

    @property
    def mark(self) -> str:
        return MARKS.get(self.it.outcome, "unknown")

    @property
    def task(self) -> str:
        """As people call it; Django's own way to ask looks every list of choices through for what cannot be hashed."""
        return str(TASKS.get(self.it.task, self.it.task))

    @property
    def word(self) -> str:
        return str(Outcome(self.it.outcome).label) if self.it.outcome in Outcome.values else self.it.outcome

    @property
    def input(self) -> int | None:
        """All input tokens, cached or not."""
        classes = (self.it.uncached_input, self.it.cache_read, self.it.cache_write_5m, self.it.cache_write_1h)
        return None if self.it.uncached_input is None else sum(count or 0 for count in classes)

    @property
    def cached(self) -> float | None:
        """Share of the input that was read from the cache."""
        return (self.it.cache_read or 0) / self.input if self.input else None

    @property
    def tokens_per_second(self) -> float | None:
        """Output tokens by the time after the first one."""
        if not self.it.output or self.it.latency_ms is None:
            return None
        generating = self.it.latency_ms - (self.it.ttft_ms or 0 if self.it.streamed else 0)
        return self.it.output / generating * 1000 if generating > 0 else None

    @property
    def stars(self) -> float | None:
        stars = [rating.stars for rating in self.ratings if rating.stars is not None]
        return sum(stars) / len(stars) if stars else None

    @property
    def liked(self) -> int:
        return sum(acceptable(rating) for rating in self.ratings)


def row(request: Request, ratings: Sequence[Rating]) -> Row:
    return Row(request, ratings)


def rows(requests: Sequence[Request], ratings: Mapping[uuid.UUID, Sequence[Rating]]) -> list[Row]:
    return [Row(request, ratings.get(request.id, ())) for request in requests]


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a request's time: milliseconds, and where it lies as per cent of the whole."""

    label: str
    ms: float
    at: float
    width: float
    kind: str  # how it is drawn


def timeline(request: Request) -> list[Segment]:
    """How the time of a request was spent, as far as it is known; empty when it is not.

    The engine's own timings (llama.cpp) tell waiting from reading the prompt.
    """
    total = request.latency_ms
    if not total:
        return []
    first = min(request.ttft_ms, total) if request.streamed and request.ttft_ms is not None else None
    timings = (request.raw or {}).get("timings")
    reading = number(timings, "prompt_ms")
    parts: list[tuple[str, float, str]] = []
    if first is None and not answered(request):
        parts.append((_("waiting for an answer"), total, "queue"))
    elif first is None:
        parts.append((_("whole answer"), total, "stream"))
    elif reading is not None and reading <= first:
        parts += [(_("queued"), first - reading, "queue"), (_("reading the prompt"), reading, "read")]
        parts.append((_("streaming"), total - first, "stream"))
    else:
        parts += [(_("queued and reading the prompt"), first, "queue"), (_("streaming"), total - first, "stream")]
    return placed(parts, total)


def answered(request: Request) -> bool:
    """Whether an answer came; a refusal is one."""
    return request.outcome not in (Outcome.ERROR, Outcome.TIMEOUT, Outcome.CANCELLED)


def from_own_cache(raw: Any) -> bool:
    """Whether a proxy (LiteLLM) answered out of its own cache: no vendor was asked, no token is paid."""
    return isinstance(raw, dict) and raw.get("cache_hit") is True


def placed(parts: Sequence[tuple[str, float, str]], total: float) -> list[Segment]:
    segments, at = [], 0.0
    for label, ms, kind in parts:
        segments.append(Segment(label, ms, round(at / total * 100, 2), round(ms / total * 100, 2), kind))
        at += ms
    return segments


def number(values: Any, name: str) -> float | None:
    """A non-negative number of a vendor's object; None for anything else."""
    value = values.get(name) if isinstance(values, dict) else None
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0 else None


def tries(raw: Any) -> list[dict[str, Any]]:
    """Deployments that were asked before the one that answered, and why they did not."""
    attempts = raw.get("tries") if isinstance(raw, dict) else None
    return [
        {
            "deployment": attempt.get("deployment"),
            "why": attempt.get("error") or _("status %(n)s") % {"n": attempt.get("status")},
        }
        for attempt in (attempts if isinstance(attempts, list) else [])
        if isinstance(attempt, dict)
    ]


def doubts_of(raw: Any, *, shared_id: bool = False) -> list[str]:
    """What ingest doubted of it, as sentences; a word that is no longer known stands for itself.

    `shared_id`: another application has a request with its response id.
    """
    doubts = raw.get("doubts") if isinstance(raw, dict) else None
    words = [word for word in (doubts if isinstance(doubts, list) else []) if isinstance(word, str)]
    words += [SHARED_ID] if shared_id else []
    return [str(MEANINGS.get(word, word)) for word in dict.fromkeys(words)]


MONEY = re.compile(r"cost|price|spend|usd", re.IGNORECASE)


def without_money(raw: Any) -> Any:
    """A vendor's object without what it says about money: some send an answer's cost next to its tokens."""
    if isinstance(raw, dict):
        return {name: without_money(value) for name, value in raw.items() if not MONEY.search(name)}
    return [without_money(value) for value in raw] if isinstance(raw, list) else raw


def curl(request: Request, prompt: str | None, gateway: str) -> str:
    """The same call again, through the gateway; without the prompt a placeholder stands in its place."""
    messages = messages_of(prompt) or [{"role": "user", "content": "…"}]
    anthropic = request.provider == "anthropic"
    body: dict[str, Any] = {"model": request.model}
    if anthropic:
        body["max_tokens"] = 1024
        if messages[0].get("role") == "system":
            body["system"] = messages.pop(0)["content"]
    body["messages"] = messages
    if request.streamed:
        body["stream"] = True
    parts = [
        f"curl {gateway}/v1/{'messages' if anthropic else 'chat/completions'}",
        '-H "Authorization: Bearer $GATEWAY_KEY"',
        "-H 'content-type: application/json'",
        f"-H 'x-breakeven-task: {request.task}'",
        f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}",
    ]
    return " \\\n  ".join(parts)


def messages_of(prompt: str | None) -> list[dict[str, Any]]:
    """The messages array of a stored prompt; a plain one is one question."""
    if not prompt:
        return []
    try:
        messages = json.loads(prompt) if prompt.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        messages = None
    if (
        isinstance(messages, list)
        and messages
        and all(isinstance(message, dict) and "content" in message for message in messages)
    ):
        return messages
    return [{"role": "user", "content": prompt}]
