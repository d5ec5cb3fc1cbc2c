"""A whole answer said again as the stream of the same protocol."""

from __future__ import annotations

from traffic.gateway.protocols import Protocol
from traffic.gateway.translation import ODD, REPLY_READERS, Translation, neutral
from traffic.gateway.translation.neutral import Begin, Call, Declined, Delta, Done, Event, Part, Reply, Text, Thinking


def as_stream(protocol: Protocol, request: bytes, answer: bytes) -> bytes | None:
    """The bytes of the stream; None where the neutral form does not hold all of the answer. `request`: the caller's."""
    translation = Translation(protocol, protocol, request)
    try:
        whole = neutral.object_at(neutral.decode(answer), "The answer")
        reply = REPLY_READERS[protocol](whole)
        if _content(translation.written(reply)) != _content(whole):
            return None
        writer = translation.writer()
        return b"".join(writer.write(event) for event in _events(reply))
    except ODD:
        return None


def _events(reply: Reply) -> list[Event]:
    events: list[Event] = [Begin(reply.id, reply.model, reply.usage)]
    for key, part in enumerate(reply.parts):
        events += _deltas(key, part)
    return [*events, Done(reply.stop, reply.sequence, reply.usage)]


def _deltas(key: int, part: Part) -> list[Event]:
    match part:
        case Text():
            return [Delta("text", key, part.text)]
        case Declined():
            return [Delta("declined", key, part.text)]
        case Call():
            return [Delta("call", key, "", part.id, part.name), Delta("call", key, part.arguments)]
        case Thinking(hidden=hidden) if hidden:
            return [Delta("hidden", key, hidden)]
        case Thinking():
            signed: list[Event] = [Delta("signature", key, part.signature)] if part.signature else []
            return [Delta("thinking", key, part.text), *signed]
        case _:
            return neutral.refuse(f"content.{key}")


def _content(answer: object) -> object:
    """What an answer says, without ids, times and what is empty, which writers put there."""
    if isinstance(answer, list):
        return [_content(item) for item in answer]
    if not isinstance(answer, dict):
        return answer
    if "usage" in answer:  # the answer itself
        content = answer.get("content") or answer.get("choices") or answer.get("output")
        return _content(content), answer.get("stop_reason"), answer.get("stop_sequence"), answer.get("status")
    dropped = ("id", "status") if "status" in answer else ()  # of items of Responses, whose ids name nothing
    fields = {name: _content(value) for name, value in answer.items() if name not in dropped}
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
