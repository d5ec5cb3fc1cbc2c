"""Prompts and answers that telemetry carries. Read for applications that keep them and for no other; pure.

Emitters write them in five shapes: a list of messages in one attribute (the conventions, Langfuse, Vercel), one
attribute for each message (OpenLLMetry, OpenInference), an event for each message, an event with both, or whole texts.
A prompt comes out as the array of messages that the other ways in store, an answer as its text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from traffic.conversation import content_text
from traffic.ingest.otlp.logs import DETAILS
from traffic.ingest.otlp.spans import Attributes, Span
from traffic.json_depth import shallow

LONGEST = 1_000_000  # characters of one prompt or answer
SYSTEM = "gen_ai.system_instructions"
# Lists of messages, or whole texts: the first that is there.
PROMPTS = (
    "gen_ai.input.messages", "langfuse.observation.input", "ai.prompt.messages", "ai.prompt", "gen_ai.prompt",
    "llm.prompts", "input.value",
)  # fmt: skip
ANSWERS = (
    "gen_ai.output.messages", "langfuse.observation.output", "ai.response.text", "ai.response.object",
    "gen_ai.completion", "output.value",
)  # fmt: skip
# One attribute for each message and part of it.
NUMBERED = re.compile(
    r"(?:gen_ai\.(prompt|completion)|llm\.(input|output)_messages)\.(\d{1,4})\.(?:message\.)?(role|content)"
)
IS_PROMPT = {"prompt": True, "input": True, "completion": False, "output": False}
# An event for each message of the prompt; the choice is the answer.
SAID = re.compile(r"gen_ai\.(system|user|assistant|tool)\.message")
CHOICE = "gen_ai.choice"
WHOLE = ("gen_ai.content.prompt", "gen_ai.content.completion", DETAILS)  # events with the attributes of a span

Message = dict[str, Any]


def content_of(span: Span) -> tuple[str | None, str | None]:
    """Prompt and answer as they are stored; None for what the span does not hold."""
    attributes_read = span.attributes
    for name, _at, attributes in span.events:
        if name in WHOLE:
            attributes_read = {**attributes, **attributes_read}
    questions, answers = numbered(attributes_read)
    questions, answers = questions or of_events(span, prompt=True), answers or of_events(span, prompt=False)
    prompt = stored(questions) if questions else prompt_of(attributes_read)
    answer = (
        "\n".join(message["content"] for message in answers if message["content"])
        if answers
        else answer_of(attributes_read)
    )
    return text(prompt), text(answer)


def numbered(attributes: Attributes) -> tuple[list[Message], list[Message]]:
    """Messages of the prompt and of the answer where each part has an attribute of its own."""
    by_side: dict[bool, dict[int, Message]] = {True: {}, False: {}}
    for name, value in attributes.items():
        if name.startswith(("gen_ai.prompt.", "gen_ai.completion.", "llm.")) and (match := NUMBERED.fullmatch(name)):
            of, place = by_side[IS_PROMPT[match[1] or match[2]]], int(match[3])
            of.setdefault(place, {"role": "user", "content": ""})[match[4]] = written(value)
    questions, answers = (
        [messages[place] for place in sorted(messages)] for messages in (by_side[True], by_side[False])
    )
    return [message for message in questions if message["content"]], [
        message for message in answers if message["content"]
    ]


def of_events(span: Span, *, prompt: bool) -> list[Message]:
    """Messages of the prompt or of the answer that have a span event each."""
    messages = []
    for name, _at, attributes in span.events:
        match = SAID.fullmatch(name) if prompt else None
        if match or (name == CHOICE and not prompt):
            message = unpacked(attributes.get("message", attributes))
            if content := message.get("content") if isinstance(message, Mapping) else message:
                messages.append({"role": match[1] if match else "assistant", "content": written(content)})
    return messages


def prompt_of(attributes: Attributes) -> str | None:
    value = next((attributes[name] for name in PROMPTS if attributes.get(name)), None)
    system = unpacked(attributes.get(SYSTEM))
    messages = messages_of(unpacked(value))
    if messages is None and not system:
        return None if value is None else written(value)
    first = [{"role": "system", "content": parts_text(system)}] if system else []
    return stored([*first, *(messages or ([{"role": "user", "content": written(value)}] if value else []))])


def answer_of(attributes: Attributes) -> str | None:
    value = next((attributes[name] for name in ANSWERS if attributes.get(name)), None)
    messages = messages_of(unpacked(value))
    if messages:
        return "\n".join(message["content"] for message in messages if message["content"]) or None
    return None if value is None else written(value)


def messages_of(value: Any) -> list[Message] | None:
    """A list of messages in any vendor's form, or an object that holds one; None for what is none."""
    if isinstance(value, Mapping):
        value = value.get("messages") if "messages" in value else [value] if "role" in value else None
    if not isinstance(value, list) or not value or not all(isinstance(message, Mapping) for message in value):
        return None
    if not all("content" in message or "parts" in message for message in value):
        return None
    return [
        {
            "role": str(message.get("role", "user"))[:20],
            "content": parts_text(message.get("parts", message.get("content"))),
        }
        for message in value
    ]


def parts_text(parts: Any) -> str:
    """The text of a message's parts; the conventions call it `content`."""
    if not isinstance(parts, list):
        return content_text(parts)
    return "\n".join(
        str(part["content"])
        if isinstance(part, Mapping) and isinstance(part.get("content"), str)
        else content_text([part])
        for part in parts
    )


def unpacked(value: Any) -> Any:
    """The value that a JSON text holds; the value itself where it is no JSON."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return shallow(json.loads(value))
        except (ValueError, RecursionError):
            return value
    return value


def written(value: Any) -> str:
    return value if isinstance(value, str) else content_text(value)


def stored(messages: Iterable[Message]) -> str:
    return json.dumps(list(messages), ensure_ascii=False)


def text(value: str | None) -> str | None:
    """Text that can be stored: without NUL and without half a pair of surrogates, which JSON can spell."""
    if not value:
        return None
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:LONGEST] or None
