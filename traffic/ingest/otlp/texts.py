"""Log records that hold what was said in a call: each message in a record of its own, or all of it in one; pure.

A record tells by its trace and span which call it belongs to. It is no request itself.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from traffic.ingest.otlp.content import CHOICE, SAID, WHOLE, content_of, stored, text
from traffic.ingest.otlp.spans import Span

MOST_TIME = 2**63  # what a bigint holds; past it there is no call either
MOST_RECORDS = 1_000  # of one call; no conversation has more messages


@dataclass(frozen=True, slots=True)
class Said:
    """What one record adds to the body of a call: messages of the prompt as JSON, or text of the answer."""

    call: str  # trace id and span id, as a request's external id
    at_ns: int  # since 1970
    prompt: str | None
    answer: str | None
    whole: bool  # all of the call in one record
    application_id: int = 0


def said_in(record: Span) -> Said | None:
    """What a record says; None for one without a text, or that belongs to no span."""
    name = str(record.attributes.get("event.name") or record.name)
    if not (record.trace_id and record.span_id and 0 < record.start_ns < MOST_TIME):
        return None
    if name not in WHOLE and name != CHOICE and not SAID.fullmatch(name):
        return None
    event = (name, record.start_ns, record.attributes)
    prompt, answer = content_of(replace(record, attributes={}, events=[event]))
    if prompt is None and answer is None:
        return None
    return Said(f"{record.trace_id}:{record.span_id}", record.start_ns, prompt, answer, name in WHOLE)


def body_of(said: Sequence[Said]) -> tuple[str | None, str | None]:
    """Prompt and answer of one call from its records, which are in order of time. One with all of it goes first."""
    said = said[:MOST_RECORDS]
    whole = [one for one in said if one.whole]
    return prompt_of(said, whole), answer_of(said, whole)


def prompt_of(said: Sequence[Said], whole: Sequence[Said]) -> str | None:
    told = next((one.prompt for one in whole if one.prompt), None)
    parts = [told] if told else [one.prompt for one in said if one.prompt]
    return text(
        parts[0] if len(parts) == 1 else stored([one for part in parts for one in messages(part)]) if parts else None
    )


def answer_of(said: Sequence[Said], whole: Sequence[Said]) -> str | None:
    told = next((one.answer for one in whole if one.answer), None)
    return text(told or "\n".join(one.answer for one in said if one.answer))


def messages(prompt: str) -> list[dict[str, Any]]:
    """The messages of one record."""
    try:
        found = json.loads(prompt)
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, list) else [{"role": "user", "content": prompt}]
