"""The last step of the ladder: one streamed token, timed to its first content, in either protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext as _

from providers.engines import causes
from providers.engines.client import EngineClient
from providers.engines.faults import Fault

PROMPT = [{"role": "user", "content": "Say OK."}]


async def openai(client: EngineClient, url: str, headers: Mapping[str, str], model: str, *, local: bool) -> float:
    """Milliseconds to the first content of a chat completion; raises Fault."""
    body = {
        "model": model,
        "max_tokens": 1,
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": PROMPT,
    }
    return await _first_content(client, url, headers, body, _openai_content, local=local)


async def anthropic(client: EngineClient, url: str, headers: Mapping[str, str], model: str, *, local: bool) -> float:
    """Milliseconds to the first content of a message; raises Fault."""
    body = {"model": model, "max_tokens": 1, "stream": True, "messages": PROMPT}
    return await _first_content(client, url, headers, body, _anthropic_content, local=local)


async def _first_content(
    client: EngineClient,
    url: str,
    headers: Mapping[str, str],
    body: Mapping[str, Any],
    has_content: Callable[[Any], bool],
    *,
    local: bool,
) -> float:
    async with client.stream(url, headers=headers, body=body, local=local) as answer:
        if answer.status != 200:
            raise Fault("completion", causes.for_completion(await answer.reply()))
        ttft_ms: float | None = None
        async for line in answer.lines():
            if ttft_ms is None and has_content(_event(line)):
                ttft_ms = answer.elapsed_ms
        if ttft_ms is None:
            raise Fault("completion", _("The server returned a completion without content."))
        return round(ttft_ms, 3)


def _event(line: bytes) -> Any:
    """The JSON of one `data:` line of the stream, None for every other line."""
    if not line.startswith(b"data:") or line[5:].strip() in (b"", b"[DONE]"):
        return None
    try:
        event = json.loads(line[5:])
    except ValueError:
        raise Fault("completion", _("The server's stream is not readable.")) from None
    if isinstance(event, dict) and event.get("error"):
        raise Fault("completion", causes.stream_error(event))
    return event


def _openai_content(event: Any) -> bool:
    """The first chunk carries only the role, the last one only the usage: neither is content."""
    choices = event.get("choices") if isinstance(event, dict) else None
    delta = (choices[0].get("delta") or {}) if choices else {}
    return bool(delta.get("content") or delta.get("reasoning_content") or delta.get("reasoning"))


def _anthropic_content(event: Any) -> bool:
    return isinstance(event, dict) and event.get("type") == "content_block_delta"
