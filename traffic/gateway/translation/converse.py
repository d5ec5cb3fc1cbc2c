"""Amazon Bedrock's Converse: requests are written out of the neutral form, whole answers and streams read into it.

No caller speaks it. It is the way to those models of Bedrock that are not Claude.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from traffic.gateway.translation import neutral, streams
from traffic.gateway.translation.messages import HINTS
from traffic.gateway.translation.neutral import Delta, Event, Part, Reply, Request, Stop, object_at, present, refuse
from traffic.gateway.usage_tokens import converse_tokens

LABEL = "Converse"
STOPS: dict[Any, Stop] = {
    "end_turn": "end", "max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "calls",
    "stop_sequence": "sequence", "guardrail_intervened": "filter", "content_filtered": "filter",
}  # fmt: skip
IMAGES = ("png", "jpeg", "gif", "webp")
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
}
_USER = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{1,256}")
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_.:-]")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9 ()\[\]-]")


def write_request(request: Request, model: str) -> dict[str, Any]:
    """With `model` and `stream` beside the body, which are in the call's path. Raises Untranslatable."""
    for name in request.others.keys() - HINTS:
        refuse(name, LABEL)
    if request.temperature is not None and request.temperature > 1:
        refuse("A temperature above 1", LABEL)
    if request.user and not _USER.fullmatch(request.user):
        refuse("A user with other letters than of identifiers", LABEL)
    config = present(
        maxTokens=request.most_output, temperature=request.temperature, topP=request.top_p,
        stopSequences=request.stop or None,
    )  # fmt: skip
    return {
        "model": model,
        "stream": request.stream,
        "messages": neutral.in_turns(request, _written, LABEL),
        **present(
            system=[block for text in request.system for block in _written(text, "system")] or None,
            inferenceConfig=config or None,
            toolConfig=_written_tools(request),
            outputConfig=_written_output(request) or None,
            requestMetadata={"user": request.user} if request.user else None,
        ),
    }


def _written(part: Part, where: str) -> list[dict[str, Any]]:
    """The part's block, and the mark behind which the prompt is cached."""
    block = _block(part, where)
    cache = getattr(part, "cache", None)
    return [] if block is None else [block] if cache is None else [block, _cache_point(cache)]


def _cache_point(cache: Any) -> dict[str, Any]:
    ttl = cache.get("ttl") if isinstance(cache, dict) else None
    return {"cachePoint": {"type": "default", **present(ttl=ttl)}}


def _block(part: Part, where: str) -> dict[str, Any] | None:
    match part:
        case neutral.Text() | neutral.Declined():
            return {"text": part.text} if part.text.strip() else None  # it has no empty texts
        case neutral.Image():
            if part.detail not in ("", "high"):
                refuse(f"{where}: an image's detail", LABEL)
            kind, data = _data(part.url, where)
            if kind not in {f"image/{name}" for name in IMAGES}:
                refuse(f"{where}: an image of type {kind[:40]}", LABEL)
            return {"image": {"format": kind.removeprefix("image/"), "source": {"bytes": data}}}
        case neutral.File():
            kind, data = _data(part.url, where)
            if kind not in DOCUMENTS:
                refuse(f"{where}: a document of type {kind[:40]}", LABEL)
            name = " ".join(_NOT_IN_NAME.sub(" ", part.name).split())[:200] or "document"
            return {"document": {"format": DOCUMENTS[kind], "name": name, "source": {"bytes": data}}}
        case neutral.Call():
            arguments = neutral.arguments_at(part.arguments, f"{where}: the arguments of {part.name[:80]}")
            return {"toolUse": {"toolUseId": _written_id(part.id), "name": part.name, "input": arguments}}
        case neutral.Result():
            content = [block for piece in part.parts if (block := _block(piece, where)) is not None]
            result: dict[str, Any] = {"toolUseId": _written_id(part.call_id), "content": content}
            return {"toolResult": result | ({"status": "error"} if part.failed else {})}
        case neutral.Thinking():
            if part.hidden:
                return {"reasoningContent": {"redactedContent": part.hidden}}
            # Without its signature the vendor refuses it.
            text = {"text": part.text, "signature": part.signature}
            return {"reasoningContent": {"reasoningText": text}} if part.signature else None


def _written_id(call_id: str) -> str:
    return _NOT_IN_ID.sub("_", call_id)


def _data(url: str, where: str) -> tuple[str, str]:
    data = neutral.parts_of_data(url)
    return refuse(f"{where}: an image or a document by its address", LABEL) if data is None else data


_CHOICES = {"": "auto", "auto": "auto", "required": "any"}


def _written_tools(request: Request) -> dict[str, Any] | None:
    if request.choice == "none":
        parts = (part for message in request.messages for part in message.parts)
        if any(isinstance(part, neutral.Call | neutral.Result) for part in parts):
            refuse("That no tool may be called any more", LABEL)
        return None
    if not request.tools:
        return None
    if request.parallel is False:
        refuse("That tools are called one at a time", LABEL)
    tools: list[dict[str, Any]] = []
    for tool in request.tools:
        form = present(name=tool.name, description=tool.description or None, strict=tool.strict or None)
        form["inputSchema"] = {"json": tool.schema or {"type": "object", "properties": {}}}
        tools += [{"toolSpec": form}, *([] if tool.cache is None else [_cache_point(tool.cache)])]
    named = {"tool": {"name": request.choice_name}}
    return {"tools": tools, "toolChoice": named if request.choice == "tool" else {_CHOICES[request.choice]: {}}}


def _written_output(request: Request) -> dict[str, Any]:
    output = present(effort=request.effort if request.effort not in ("", "none", "minimal") else None)
    if request.schema is None:
        return output
    if request.schema.schema is None:
        refuse("response_format: a JSON object without a schema", LABEL)
    form = {"schema": neutral.encoded(request.schema.schema), "name": request.schema.name or "answer"}
    form |= present(description=request.schema.description)
    return {**output, "textFormat": {"type": "json_schema", "structure": {"jsonSchema": form}}}


# Answers.


def read_reply(body: dict[str, Any]) -> Reply:
    """It names neither itself nor its model. Raises Untranslatable."""
    message = object_at(object_at(body.get("output"), "output").get("message"), "output.message")
    blocks = neutral.objects_at(message.get("content"), "content")
    parts = [part for where, block in blocks for part in _parts(block, where)]
    stop = STOPS.get(body.get("stopReason"), "end")
    return Reply(new_id(), "", parts, stop, usage=converse_tokens(body.get("usage") or {}))


def new_id() -> str:
    return f"msg_{uuid.uuid4().hex}"


def _parts(block: dict[str, Any], where: str) -> list[Part]:
    match block:
        case {"text": str(text)}:
            return [neutral.Text(text)]
        case {"toolUse": dict(use)}:
            arguments = neutral.encoded(object_at(use.get("input") or {}, where))
            return [neutral.Call(str(use.get("toolUseId") or ""), str(use.get("name") or ""), arguments)]
        case {"reasoningContent": {"reasoningText": dict(thought)}}:
            return [neutral.Thinking(str(thought.get("text") or ""), str(thought.get("signature") or ""))]
        case {"reasoningContent": {"redactedContent": str(hidden)}}:
            return [neutral.Thinking("", hidden=hidden)]
        case {"citationsContent": {"content": list(pieces)}}:
            return [part for piece in pieces for part in _parts(piece, where)]
    return refuse(where)


class ConverseReader:
    """Reads a stream of Converse, whose frames `traffic.gateway.bedrock` makes events of, each with its type."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._stop: Stop = "end"

    def read(self, data: dict[str, Any]) -> list[Event]:
        match data:
            case {"type": "messageStart"}:
                return [neutral.Begin(new_id(), self._model)]
            case {"type": "contentBlockStart", "contentBlockIndex": int(key), "start": {"toolUse": dict(use)}}:
                return [Delta("call", key, "", str(use.get("toolUseId") or ""), str(use.get("name") or ""))]
            case {"type": "contentBlockDelta", "contentBlockIndex": int(key), "delta": dict(delta)}:
                return _deltas(key, delta)
            case {"type": "messageStop"}:
                self._stop = STOPS.get(data.get("stopReason"), "end")
            case {"type": "metadata"}:
                return [neutral.Done(self._stop, None, converse_tokens(data.get("usage") or {}))]
            case {"type": "error"}:
                return [streams.failure(data)]
        return []

    def finish(self) -> list[Event]:
        return []


def _deltas(key: int, delta: dict[str, Any]) -> list[Event]:
    match delta:
        case {"text": str(text)}:
            return [Delta("text", key, text)]
        case {"toolUse": {"input": str(text)}}:
            return [Delta("call", key, text)]
        case {"reasoningContent": {"text": str(text)}}:
            return [Delta("thinking", key, text)]
        case {"reasoningContent": {"signature": str(text)}}:
            return [Delta("signature", key, text)]
        case {"reasoningContent": {"redactedContent": str(text)}}:
            return [Delta("hidden", key, text)]
    return []
