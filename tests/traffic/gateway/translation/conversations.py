"""Conversations, answers and streams in the neutral form, as hypothesis draws them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from traffic.gateway.translation.neutral import (
    Begin,
    Call,
    Delta,
    Done,
    Event,
    File,
    Image,
    Message,
    Part,
    Reply,
    Request,
    Result,
    Schema,
    Text,
    Thinking,
    Tool,
)
from traffic.gateway.usage_tokens import Tokens

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
names = st.from_regex(r"\A[a-zA-Z0-9_-]{1,20}\Z")
counts = st.integers(0, 2**40)
objects = st.dictionaries(
    texts, st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts | st.lists(texts), max_size=3
)
arguments = objects.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False))
images = st.builds(Image, st.sampled_from(["https://x.example/a.png", "data:image/png;base64,aGk="]))
files = st.builds(File, st.just("data:application/pdf;base64,aGk="), names)
schemas = objects.map(lambda value: {"type": "object", **value})
tools = st.builds(Tool, names, st.none() | texts, schemas, st.sampled_from([None, True]))


@st.composite
def requests(draw: st.DrawFn, *, media: bool = True) -> Request:
    """A conversation of turns: the user asks, the model answers and calls tools, whose results come next."""
    user = st.builds(Text, texts) | images | files if media else st.builds(Text, texts)
    messages = [Message("user", draw(st.lists(user, min_size=1, max_size=3)), "")]
    for turn in range(draw(st.integers(0, 3))):
        calls = [Call(f"call_{turn}_{n}", name, said) for n, (name, said) in
                 enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3)))]  # fmt: skip
        said: list[Part] = [*draw(st.lists(st.builds(Text, texts), min_size=0 if calls else 1, max_size=1)), *calls]
        messages.append(Message("assistant", said, ""))
        results: list[Part] = [Result(call.id, [Text(draw(texts))]) for call in calls]
        messages.append(Message("user", results or [Text(draw(texts))], ""))
    choices = draw(st.sampled_from(["", "auto", "none", "required", "tool"]))
    made = draw(st.lists(tools, max_size=3, unique_by=lambda tool: tool.name))
    return Request(
        system=[Text(text) for text in draw(st.lists(texts, max_size=1))],
        messages=messages,
        tools=made,
        choice=choices if made else "",
        choice_name=made[0].name if made and choices == "tool" else "",
        parallel=draw(st.sampled_from([None, False])) if made and choices not in ("", "none") else None,
        most_output=draw(st.integers(1, 2**20)),
        temperature=draw(st.none() | st.floats(0, 1)),
        top_p=draw(st.none() | st.floats(0, 1)),
        stream=draw(st.booleans()),
        effort=draw(st.sampled_from(["", "low", "medium", "high"])),
        schema=draw(st.none() | st.builds(Schema, schemas, st.just("answer"), st.just(True))),
        user=draw(st.none() | names),
    )


usages = st.builds(Tokens, counts, counts, counts, st.just(0), counts, counts)


@st.composite
def replies(draw: st.DrawFn) -> Reply:
    calls = [Call(f"call_{n}", name, said) for n, (name, said) in
             enumerate(draw(st.lists(st.tuples(names, arguments), max_size=3)))]  # fmt: skip
    thoughts = draw(st.lists(st.builds(Thinking, texts), max_size=1))
    said: list[Part] = [*draw(st.lists(st.builds(Text, texts), min_size=0 if calls else 1, max_size=1))]
    stop = "calls" if calls else draw(st.sampled_from(["end", "length", "filter"]))
    return Reply(draw(names), draw(names), [*thoughts, *said, *calls], stop, None, draw(usages))  # type: ignore[arg-type]


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """The events of an answer, its blocks one after the other and their texts in pieces."""
    reply = draw(replies())
    events: list[Event] = [Begin(reply.id, reply.model)]
    for key, part in enumerate(reply.parts):
        if isinstance(part, Call):
            events.append(Delta("call", key, "", part.id, part.name))
            events += [Delta("call", key, piece) for piece in cut(draw, part.arguments)]
        elif isinstance(part, Text | Thinking):
            kind: Any = "text" if isinstance(part, Text) else "thinking"
            events += [Delta(kind, key, piece) for piece in cut(draw, part.text)]
    return [*events, Done(reply.stop, None, reply.usage)]


def cut(draw: st.DrawFn, text: str) -> list[str]:
    at = draw(st.integers(0, len(text)))
    return [piece for piece in (text[:at], text[at:]) if piece]


def merged(events: list[Event]) -> list[Any]:
    """Events with the pieces of each block joined and the placeholders of the beginning left out."""
    blocks: list[Any] = []
    for event in events:
        if isinstance(event, Delta):
            last = blocks[-1] if blocks else None
            if isinstance(last, list) and last[0] == event.kind and last[4] == event.key:
                last[1] += event.text
            else:
                blocks.append([event.kind, event.text, event.id, event.name, event.key])
        elif isinstance(event, Begin):
            blocks.append((event.id.removeprefix("resp_"), event.model))
        else:
            blocks.append(event)
    return [block[:4] if isinstance(block, list) else block for block in blocks]
