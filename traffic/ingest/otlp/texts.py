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
class BodyPart:
    """What one record adds to the body of a call: messages of the prompt as JSON, or text of the answer."""

    call: str  # trace id and span id, as a request's external id
    at_ns: int  # since 1970
    prompt: str | None
    answer: str | None
    whole: bool  # all of the call in one record
    application_id: int = 0


def body_part_of(record: Span) -> BodyPart | None:
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
    return BodyPart(f"{record.trace_id}:{record.span_id}", record.start_ns, prompt, answer, name in WHOLE)


def body_of(parts: Sequence[BodyPart]) -> tuple[str | None, str | None]:
    """Prompt and answer of one call from its records, which are in order of time. One with all of it goes first."""
    parts = parts[:MOST_RECORDS]
    whole = [part for part in parts if part.whole]
    return prompt_of(parts, whole), answer_of(parts, whole)


def prompt_of(records: Sequence[BodyPart], whole: Sequence[BodyPart]) -> str | None:
    prompt = next((record.prompt for record in whole if record.prompt), None)
    prompts = [prompt] if prompt else [record.prompt for record in records if record.prompt]
    return text(
        prompts[0]
        if len(prompts) == 1
        else stored([message for part in prompts for message in messages(part)])
        if prompts
        else None
    )


def answer_of(records: Sequence[BodyPart], whole: Sequence[BodyPart]) -> str | None:
    answer = next((record.answer for record in whole if record.answer), None)
    return text(answer or "\n".join(record.answer for record in records if record.answer))


def messages(prompt: str) -> list[dict[str, Any]]:
    """The messages of one record."""
    try:
        parsed = json.loads(prompt)
    except (ValueError, RecursionError):
        parsed = None
    return parsed if isinstance(parsed, list) else [{"role": "user", "content": prompt}]
