"""The form between the protocols: what a conversation, an answer and the events of a stream have in all three.

Each protocol has a reader into this form and a writer out of it. What a reader does not know, and what a writer cannot
say in its protocol, is refused by its name and never left out. Four things are only hints and do not change what an
answer says, so that they are carried over where the other side has them: cache marks and cache keys, a conversation's
earlier thoughts, `detail: auto`, and the wish to have thoughts summarised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, NoReturn

import msgspec

from traffic.gateway.usage_tokens import UNKNOWN, Tokens

MOST_PARTS = 200_000  # messages, parts and tools of a call that is translated
MOST_VALUES = 400_000  # objects, lists, and what stands in them
_NOT_OF_STRUCTURE = bytes(set(range(256)) - set(b'"{[,'))

Role = Literal["user", "assistant", "system"]
Stop = Literal["end", "length", "calls", "sequence", "filter", "pause"]


class Untranslatable(Exception):
    """Something that another protocol cannot say, or that is no value of its own; the message names it."""


def refuse(where: str, to: str = "another protocol") -> NoReturn:
    """Raises Untranslatable for what stands at `where` in the caller's request."""
    raise Untranslatable(f"{where} cannot be carried over to {to}.")


def wrong(where: str, expected: str) -> NoReturn:
    """Raises Untranslatable for a value of another type than its protocol has there."""
    raise Untranslatable(f"{where} must be {expected}.")


@dataclass(slots=True)
class Text:
    text: str
    cache: Any = None  # Anthropic's mark behind which the prompt is cached


@dataclass(slots=True)
class Image:
    url: str  # an address, or `data:` with its bytes in base64
    detail: str = ""
    cache: Any = None


@dataclass(slots=True)
class File:
    url: str  # the same
    name: str = ""
    cache: Any = None


@dataclass(slots=True)
class Call:
    """The model calls a tool; `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str
    cache: Any = None


@dataclass(slots=True)
class Result:
    """What a tool answered."""

    call_id: str
    parts: list[Text | Image | File]
    failed: bool = False
    cache: Any = None


@dataclass(slots=True)
class Thinking:
    """A model's thoughts. `signature` proves them to the vendor that wrote them, `hidden` are thoughts in cipher."""

    text: str
    signature: str = ""
    hidden: str = ""


@dataclass(slots=True)
class Declined:
    """The model says why it does not answer."""

    text: str


Part = Text | Image | File | Call | Result | Thinking | Declined


@dataclass(slots=True)
class Message:
    """`where` is its place in the caller's request, for refusals."""

    role: Role
    parts: list[Part]
    where: str


@dataclass(slots=True)
class Tool:
    name: str
    description: str | None
    schema: Any
    strict: bool | None = None
    cache: Any = None


@dataclass(slots=True)
class Schema:
    """The form that the answer must have; `schema` None: any JSON object."""

    schema: Any = None
    name: str = ""
    strict: bool | None = None
    description: str | None = None


@dataclass(slots=True)
class Request:
    """A call. `others` are the caller's fields of which only some protocols have the like, by their names."""

    system: list[Text] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    choice: str = ""  # of tools: auto, none, required, or tool
    choice_name: str = ""  # that must be called
    parallel: bool | None = None  # several calls of tools in one answer
    most_output: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: list[str] = field(default_factory=list)
    stream: bool = False
    effort: str = ""  # of thinking: none, minimal, low, medium, high, xhigh, max
    schema: Schema | None = None
    user: str | None = None
    others: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Reply:
    """A whole answer."""

    id: str
    model: str
    parts: list[Part]
    stop: Stop
    sequence: str | None = None  # the stop sequence that was written
    usage: Tokens = UNKNOWN


@dataclass(slots=True)
class Begin:
    """A stream's first event."""

    id: str
    model: str
    usage: Tokens = UNKNOWN  # what is known by then


@dataclass(slots=True)
class Delta:
    """A piece of an answer. A `key` that was not there before begins a new block of the answer; they come in turn.

    Of a call the first piece has its id and name.
    """

    kind: Literal["text", "thinking", "signature", "hidden", "declined", "call"]
    key: int
    text: str
    id: str = ""
    name: str = ""


@dataclass(slots=True)
class Done:
    """A stream's last event."""

    stop: Stop
    sequence: str | None = None
    usage: Tokens = UNKNOWN


@dataclass(slots=True)
class Failed:
    """A stream ends with an error of the engine."""

    kind: str
    message: str


Event = Begin | Delta | Done | Failed


# Reading what is not typed.


def text_at(value: Any, where: str) -> str:
    return value if isinstance(value, str) else wrong(where, "a text")


def flag_at(value: Any, where: str) -> bool:
    return value if isinstance(value, bool) else wrong(where, "true or false")


def count_at(value: Any, where: str) -> int:
    return value if type(value) is int else wrong(where, "a whole number")


def number_at(value: Any, where: str) -> float:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else wrong(where, "a number")


def object_at(value: Any, where: str) -> dict[str, Any]:
    return value if isinstance(value, dict) else wrong(where, "an object")


def list_at(value: Any, where: str) -> list[Any]:
    return value if isinstance(value, list) else wrong(where, "a list")


def objects_at(value: Any, where: str) -> list[tuple[str, dict[str, Any]]]:
    """The objects of a list, each with its place."""
    items = ((f"{where}.{number}", item) for number, item in enumerate(list_at(value, where)))
    return [(place, object_at(item, place)) for place, item in items]


def only(value: dict[str, Any], where: str, *names: str) -> None:
    """Raises Untranslatable where an object says more than these fields."""
    for name, content in value.items():
        if name not in names and content not in (None, [], {}):
            refuse(f"{where}.{name}"[:200])


def present(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}


def arguments_at(text: str, where: str) -> msgspec.Raw:
    """A call's arguments as the object that they must be."""
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        object_at(decode(text.encode()), where)
    except ValueError:
        wrong(where, "a JSON object")
    return msgspec.Raw(text.encode())


def encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def decode(body: bytes) -> Any:
    """JSON as plain objects. Raises ValueError, and Untranslatable where there would be too many."""
    if has_more_values(body, MOST_VALUES):
        raise Untranslatable(f"A call that is translated may have {MOST_VALUES:,} objects and values.")
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def has_more_values(body: bytes, most: int) -> bool:
    """Whether JSON has more objects, lists and values than that; counted by its bytes, before anything is made."""
    if _structure(body) <= most:
        return False
    # Much of that may stand in texts: without what is escaped, each second piece between quotes is one.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_OF_STRUCTURE)
    if plain.count(b'"') > 4 * most:
        return True
    return _structure(b"".join(plain.split(b'"')[::2])) > most


def _structure(body: bytes) -> int:
    return body.count(b"{") + body.count(b"[") + body.count(b",")


def data_url(kind: Any, data: Any, where: str) -> str:
    return f"data:{text_at(kind, f'{where}.media_type')};base64,{text_at(data, f'{where}.data')}"


def parts_of_data(url: str) -> tuple[str, str] | None:
    """Media type and base64 of a `data:` address; None where it is another."""
    head, comma, data = url.partition(",")
    if not head.startswith("data:") or not comma or not head.endswith(";base64"):
        return None
    return head[5:-7].partition(";")[0], data


def in_turns(request: Request, written: Callable[[Part, str], list[dict[str, Any]]], to: str) -> list[dict[str, Any]]:
    """Messages with neighbours of one role together: the results of parallel calls must stand in one."""
    messages: list[dict[str, Any]] = []
    for message in request.messages:
        if message.role == "system":
            refuse(f"{message.where}: a system message after the first of the conversation", to)
        blocks = [block for part in message.parts for block in written(part, message.where)]
        if messages and messages[-1]["role"] == message.role:
            messages[-1]["content"] += blocks
        elif blocks:
            messages.append({"role": message.role, "content": blocks})
    return messages


def joined(parts: Iterable[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


def total_input(usage: Tokens) -> int | None:
    """All tokens of the prompt, cached and written ones too."""
    if usage.uncached_input is None:
        return None
    return usage.uncached_input + (usage.cache_read or 0) + (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
