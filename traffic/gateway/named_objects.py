"""What a call names of the objects that a vendor keeps in its account, which all applications share.

Files, answers and their sound are known by who made them; so are stored prompts, vector stores and voices, though the
gateway makes none. Conversations and containers are not, so that a call that names one is refused. JSON is read with
both of two equal names, for the vendor may take the other one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from traffic.gateway.protocols import (
    ANTHROPIC,
    MEDIA,
    OPENAI,
    RESPONSES,
    Protocol,
    count,
    find,
    has_escaped_letters,
    holds,
)
from traffic.gateway.refusals import Refusal

MOST_NAMES = 100  # ids of one call
MOST_PARTS = 200_000  # values of a body that is taken apart

FILE_NAMES = ("file_id", "file_ids", "vector_store_ids")
ANSWER_NAME = "previous_response_id"
KEPT_NAMES = ("conversation", "container")
# As the bytes that end a name, for a quote within a text is always escaped. The few that are looked for in every body
# cost a millisecond for each of its MiB.
_SIGNS = tuple(f'{name}"'.encode() for name in (ANSWER_NAME, *KEPT_NAMES))
_FILE_SIGNS = tuple(f'{name}"'.encode() for name in FILE_NAMES)


class Pairs(list[tuple[str, Any]]):
    """A JSON object, with both of two equal names."""


def may_name(protocol: Protocol, body: bytes) -> bool:
    """Whether the body is worth taking apart, by its bytes alone. Of a large one not for the event loop."""
    if holds(body, *_SIGNS) or has_escaped_letters(body):
        return True
    if holds(body, b"file_id", b"vector_store") and holds(body, *_FILE_SIGNS):
        return True
    if not holds(body, b'"id"'):
        return False
    return protocol == RESPONSES or (protocol in (OPENAI, MEDIA) and holds(body, b'"audio"', b'"voice"'))


def names_of(protocol: Protocol, body: bytes) -> list[str]:
    """The ids that a JSON body names. Slow for large bodies: not for the event loop.

    Raises Refusal where it names what the vendor keeps otherwise, or cannot be read.
    """
    if sum(count(body, sign) for sign in (b",", b"[", b"{")) > MOST_PARTS:
        raise Refusal(400, "bad-request", f"A call that names files may have {MOST_PARTS:,} values at most.")
    try:
        call = json.loads(body.decode("utf-8", "replace"), object_pairs_hook=Pairs, strict=False)
    except (ValueError, RecursionError):
        raise Refusal(400, "bad-request", "The body cannot be read for the ids that it names.") from None
    fields = call if isinstance(call, Pairs) else Pairs()
    for name, value in fields:
        if name in KEPT_NAMES or (name == ANSWER_NAME and protocol != RESPONSES):
            _refuse_kept(name, value)
        if protocol == RESPONSES and name == "input":
            _refuse_references(value)
    ids = [text for name, value in fields for text in _kept_by_id(protocol, name, value)]
    ids += _files(
        protocol, [(name, value) for name, value in fields if name != "metadata"]
    )  # which is the caller's own
    if len(ids) > MOST_NAMES:
        raise Refusal(400, "bad-request", f"A call may name {MOST_NAMES} objects at most.")
    return list(dict.fromkeys(ids))


def _kept_by_id(protocol: Protocol, name: str, value: Any) -> list[str]:
    """The ids of an earlier answer or its sound, of a stored prompt, and of voices, in a field of the call."""
    if name == ANSWER_NAME:
        return [value] if isinstance(value, str) and value else []
    if name == "prompt" and protocol == RESPONSES:
        return _ids(value)
    if name == "voice":
        return _ids(value)
    if name == "audio" and isinstance(value, Pairs):
        return [text for key, voice in value if key == "voice" for text in _ids(voice)]
    if name == "messages" and protocol == OPENAI and isinstance(value, list):
        messages = [message for message in value if isinstance(message, Pairs)]
        return [text for message in messages for key, sound in message if key == "audio" for text in _ids(sound)]
    return []


def _ids(value: Any) -> list[str]:
    return [text for key, text in value if key == "id" and isinstance(text, str)] if isinstance(value, Pairs) else []


def _files(protocol: Protocol, waiting: list[tuple[str, Any]]) -> list[str]:
    """The ids of files within these values, at any depth. Raises Refusal for the id of a container."""
    ids: list[str] = []
    while waiting:
        name, value = waiting.pop()
        if name in FILE_NAMES:
            ids.extend(_texts(value))
        elif name == "container":
            _refuse_kept(name, value)
        if isinstance(value, Pairs):
            ours = protocol == ANTHROPIC and ("type", "tool_use") in value  # its input is for the caller's own tool
            waiting.extend(pair for pair in value if not (ours and pair[0] == "input"))
        elif isinstance(value, list):
            waiting.extend(("", item) for item in value)
    return ids


def refuse_form(body: bytes) -> None:
    """Forms name files by their content. Raises Refusal where a field of a form has an id in its place."""
    at = find(body, b"file_id")
    for _ in range(MOST_NAMES):
        if at < 0:
            return
        line = body[max(0, at - 200) : at].rpartition(b"\n")[2].lower()
        if b"name" in line:
            break
        at = find(body, b"file_id", at + 1)
    raise Refusal(400, "bad-request", "file_id: a form sends the file itself.")


def refuse_batch_lines(body: bytes) -> None:
    """The lines of a batch's file are calls. Raises Refusal where one may name what the vendor keeps."""
    if holds(body, b"\nbatch") and may_name(RESPONSES if holds(body, b"responses") else OPENAI, body):
        words = "The lines of a batch's file may name no file_id, answer, conversation, container or id."
        raise Refusal(400, "bad-request", words)


def _texts(value: Any) -> Iterable[str]:
    items = value if isinstance(value, list) and not isinstance(value, Pairs) else [value]
    return [item for item in items if isinstance(item, str)]


def _refuse_kept(name: str, value: Any) -> None:
    """Of a container, a description of a new one is none that is kept; a conversation may be named by an object."""
    ids = [part for key, part in value if key == "id"] if isinstance(value, Pairs) else [value]
    if any(isinstance(part, str) and part for part in ids):
        words = (
            f"{name}: applications share the vendor's account, so its id is not accepted. Send the contents instead."
        )
        raise Refusal(404, "no-such-object", words)


def _refuse_references(items: Any) -> None:
    """Refuse items of an input that have an id in the place of a content."""
    for item in items if isinstance(items, list) and not isinstance(items, Pairs) else ():
        if not isinstance(item, Pairs) or not any(name == "id" for name, _ in item):
            continue
        filled = {name for name, value in item if value is not None}
        if ("type", "item_reference") in item or filled <= {"id", "type", "status"}:
            words = "input: applications share the vendor's account, so send whole items and not their ids."
            raise Refusal(404, "no-such-object", words)
