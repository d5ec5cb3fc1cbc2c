"""Anthropic's Messages: requests and whole answers, read into the neutral form and written out of it."""

from __future__ import annotations

import re
from typing import Any

from traffic.gateway.translation import neutral
from traffic.gateway.translation.neutral import Call, Part, Request, Text, Thinking, object_at, only, refuse, text_at
from traffic.gateway.usage_tokens import Tokens, anthropic_tokens

LABEL = "Messages"
MOST_OUTPUT = 8192  # tokens, where the caller sets no bound: Messages need one
STOPS: dict[Any, neutral.Stop] = {
    "end_turn": "end",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "calls",
    "stop_sequence": "sequence",
    "refusal": "filter",
    "pause_turn": "pause",
}
STOP_REASONS: dict[neutral.Stop, str] = {
    "end": "end_turn", "length": "max_tokens", "calls": "tool_use", "sequence": "stop_sequence", "filter": "refusal",
    "pause": "pause_turn",
}  # fmt: skip
# By the budget of an older model, in tokens.
BUDGETS = ((4_096, "low"), (16_384, "medium"))
HINTS = frozenset({"prompt_cache_key", "prompt_cache_retention", "prompt_cache_options"})
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")


# Requests in.


def read_request(body: dict[str, Any]) -> Request:
    """Raises Untranslatable."""
    request = Request()
    for name, value in body.items():
        if value is not None and name not in ("model", "cache_control"):
            _FIELDS[name](request, value) if name in _FIELDS else request.others.setdefault(name, value)
    return request


def _system(request: Request, value: Any) -> None:
    if isinstance(value, str):
        request.system = [Text(value)]
        return
    for where, block in neutral.objects_at(value, "system"):
        if block.get("type") != "text":
            refuse(where)
        request.system.append(_text(block, where))


def _messages(request: Request, value: Any) -> None:
    for where, message in neutral.objects_at(value, "messages"):
        only(message, where, "role", "content")
        role = message.get("role")
        if role not in ("user", "assistant", "system"):
            neutral.wrong(f"{where}.role", "user or assistant")
        request.messages.append(neutral.Message(role, _parts(message.get("content"), f"{where}.content"), where))


def _parts(content: Any, where: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_part(block, place) for place, block in neutral.objects_at(content, where)]


def _part(block: dict[str, Any], where: str) -> Part:
    match block.get("type"):
        case "text":
            return _text(block, where)
        case "image":
            only(block, where, "type", "source", "cache_control")
            return neutral.Image(_source(block, where), cache=block.get("cache_control"))
        case "document":
            only(block, where, "type", "source", "cache_control", "title")
            return neutral.File(_source(block, where), block.get("title") or "", block.get("cache_control"))
        case "tool_use":
            only(block, where, "type", "id", "name", "input", "cache_control", "caller")
            arguments = neutral.encoded(object_at(block.get("input", {}), f"{where}.input"))
            name = text_at(block.get("name"), f"{where}.name")
            return Call(text_at(block.get("id"), f"{where}.id"), name, arguments, block.get("cache_control"))
        case "tool_result":
            only(block, where, "type", "tool_use_id", "content", "is_error", "cache_control")
            parts = _parts(block.get("content") or [], f"{where}.content")
            for number, part in enumerate(parts):
                if not isinstance(part, Text | neutral.Image | neutral.File):
                    refuse(f"{where}.content.{number}")
            call_id = text_at(block.get("tool_use_id"), f"{where}.tool_use_id")
            return neutral.Result(call_id, parts, bool(block.get("is_error")), block.get("cache_control"))  # type: ignore[arg-type]
        case "thinking":
            return Thinking(text_at(block.get("thinking"), f"{where}.thinking"), block.get("signature") or "")
        case "redacted_thinking":
            return Thinking("", hidden=text_at(block.get("data"), f"{where}.data"))
        case kind:
            return refuse(f"{where}: a block of type {str(kind)[:80]}")


def _text(block: dict[str, Any], where: str) -> Text:
    only(block, where, "type", "text", "cache_control")
    return Text(text_at(block.get("text"), f"{where}.text"), block.get("cache_control"))


def _source(block: dict[str, Any], where: str) -> str:
    source = object_at(block.get("source"), f"{where}.source")
    match source.get("type"):
        case "base64":
            return neutral.data_url(source.get("media_type"), source.get("data"), f"{where}.source")
        case "url":
            return text_at(source.get("url"), f"{where}.source.url")
        case kind:
            return refuse(f"{where}.source: a source of type {str(kind)[:80]}")


def _tools(request: Request, value: Any) -> None:
    for where, tool in neutral.objects_at(value, "tools"):
        if tool.get("type", "custom") not in ("custom", None):
            refuse(f"{where}: a tool of type {str(tool['type'])[:80]}")
        only(tool, where, "type", "name", "description", "input_schema", "cache_control", "strict")
        request.tools.append(
            neutral.Tool(
                text_at(tool.get("name"), f"{where}.name"),
                tool.get("description"),
                object_at(tool.get("input_schema"), f"{where}.input_schema"),
                tool.get("strict"),
                tool.get("cache_control"),
            )
        )


_CHOICES = {"auto": "auto", "any": "required", "tool": "tool", "none": "none"}


def _tool_choice(request: Request, value: Any) -> None:
    choice = object_at(value, "tool_choice")
    only(choice, "tool_choice", "type", "name", "disable_parallel_tool_use")
    request.choice = _CHOICES.get(choice.get("type", ""), "") or refuse("tool_choice.type")
    if request.choice == "tool":
        request.choice_name = text_at(choice.get("name"), "tool_choice.name")
    if choice.get("disable_parallel_tool_use"):
        request.parallel = False


def _thinking(request: Request, value: Any) -> None:
    thinking = object_at(value, "thinking")
    only(thinking, "thinking", "type", "budget_tokens", "display")
    match thinking.get("type"):
        case "disabled":
            request.effort = request.effort or "none"
        case "enabled":
            budget = neutral.count_at(thinking.get("budget_tokens"), "thinking.budget_tokens")
            by_budget = next((effort for most, effort in BUDGETS if budget <= most), "high")
            request.effort = request.effort or by_budget
        case "adaptive":
            pass  # as the model likes
        case _:
            refuse("thinking.type")


def _output_config(request: Request, value: Any) -> None:
    config = object_at(value, "output_config")
    only(config, "output_config", "effort", "format")
    if config.get("effort"):
        request.effort = text_at(config["effort"], "output_config.effort")
    if config.get("format"):
        form = object_at(config["format"], "output_config.format")
        if form.get("type") != "json_schema":
            refuse("output_config.format.type")
        only(form, "output_config.format", "type", "schema")
        request.schema = neutral.Schema(object_at(form.get("schema"), "output_config.format.schema"), strict=True)


def _metadata(request: Request, value: Any) -> None:
    metadata = object_at(value, "metadata")
    only(metadata, "metadata", "user_id")
    request.user = metadata.get("user_id")


def _stop_sequences(request: Request, value: Any) -> None:
    request.stop = [text_at(item, "stop_sequences") for item in neutral.list_at(value, "stop_sequences")]


def _service_tier(request: Request, value: Any) -> None:
    if value not in ("auto", "standard_only"):
        refuse("service_tier")


_FIELDS: dict[str, Any] = {
    "system": _system,
    "messages": _messages,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
    "metadata": _metadata,
    "stop_sequences": _stop_sequences,
    "service_tier": _service_tier,
    "max_tokens": lambda request, value: setattr(request, "most_output", neutral.count_at(value, "max_tokens")),
    "temperature": lambda request, value: setattr(request, "temperature", neutral.number_at(value, "temperature")),
    "top_p": lambda request, value: setattr(request, "top_p", neutral.number_at(value, "top_p")),
    "stream": lambda request, value: setattr(request, "stream", neutral.flag_at(value, "stream")),
}


# Requests out.


def write_request(request: Request, model: str) -> dict[str, Any]:
    """Raises Untranslatable."""
    for name in request.others.keys() - HINTS:
        refuse(name, LABEL)
    if request.temperature is not None and request.temperature > 1:
        refuse("A temperature above 1", LABEL)
    return {
        "model": model,
        "max_tokens": request.most_output or MOST_OUTPUT,
        **neutral.present(system=[_written_text(text) for text in request.system if text.text] or None),
        "messages": neutral.in_turns(request, _written, LABEL),
        **neutral.present(
            tools=[_written_tool(tool) for tool in request.tools] or None,
            tool_choice=_written_choice(request),
            temperature=request.temperature,
            top_p=request.top_p,
            stop_sequences=request.stop or None,
            metadata={"user_id": request.user} if request.user else None,
            output_config=_written_config(request) or None,
            thinking={"type": "disabled"} if request.effort in ("none", "minimal") else None,
            stream=request.stream or None,
        ),
    }


def _written(part: Part, where: str) -> list[dict[str, Any]]:
    block = _written_part(part, where)
    return [] if block is None else [block]


def _written_part(part: Part, where: str) -> dict[str, Any] | None:
    match part:
        case Text():
            return _written_text(part) if part.text else None  # Messages have no empty texts
        case neutral.Declined():
            return {"type": "text", "text": part.text} if part.text else None
        case neutral.Image():
            if part.detail not in ("", "high"):
                refuse(f"{where}: an image's detail", LABEL)
            return _marked({"type": "image", "source": _written_source(part.url, where)}, part.cache)
        case neutral.File():
            document = {"type": "document", "source": _written_source(part.url, where)}
            return _marked(document | neutral.present(title=part.name or None), part.cache)
        case Call():
            arguments = neutral.arguments_at(part.arguments, f"{where}: the arguments of {part.name[:80]}")
            use = {"type": "tool_use", "id": written_id(part.id), "name": part.name, "input": arguments}
            return _marked(use, part.cache)
        case neutral.Result():
            content = [block for piece in part.parts for block in _written(piece, where)]
            result: dict[str, Any] = {"type": "tool_result", "tool_use_id": written_id(part.call_id)}
            result |= ({"content": content} if content else {}) | ({"is_error": True} if part.failed else {})
            return _marked(result, part.cache)
        case Thinking():
            if part.hidden:
                return {"type": "redacted_thinking", "data": part.hidden}
            # Without its signature the vendor refuses it.
            return {"type": "thinking", "thinking": part.text, "signature": part.signature} if part.signature else None


def written_id(call_id: str) -> str:
    return _NOT_IN_ID.sub("_", call_id)


def _written_source(url: str, where: str) -> dict[str, Any]:
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    data = neutral.parts_of_data(url)
    if data is None:
        refuse(f"{where}: an address that begins with {url[:12]}", LABEL)
    return {"type": "base64", "media_type": data[0], "data": data[1]}


def _written_text(part: Text) -> dict[str, Any]:
    return _marked({"type": "text", "text": part.text}, part.cache)


def _marked(block: dict[str, Any], cache: Any) -> dict[str, Any]:
    return block if cache is None else {**block, "cache_control": cache}


def _written_tool(tool: neutral.Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        written["description"] = tool.description
    written["input_schema"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict:
        written["strict"] = True
    return _marked(written, tool.cache)


_WRITTEN_CHOICES = {value: name for name, value in _CHOICES.items()}


def _written_choice(request: Request) -> dict[str, Any] | None:
    if not request.tools or not (request.choice or request.parallel is False):
        return None
    choice: dict[str, Any] = {"type": _WRITTEN_CHOICES[request.choice or "auto"]}
    if request.choice == "tool":
        choice["name"] = request.choice_name
    if request.parallel is False and request.choice != "none":
        choice["disable_parallel_tool_use"] = True
    return choice


def _written_config(request: Request) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if request.effort not in ("", "none", "minimal"):
        config["effort"] = request.effort
    if request.schema is not None:
        if request.schema.schema is None:
            refuse("response_format: a JSON object without a schema", LABEL)
        config["format"] = {"type": "json_schema", "schema": request.schema.schema}
    return config


# Answers.


def read_reply(body: dict[str, Any]) -> neutral.Reply:
    """Raises Untranslatable."""
    parts = _parts([_bare(block) for block in body.get("content") or []], "content")
    return neutral.Reply(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        parts=parts,
        stop=STOPS.get(body.get("stop_reason"), "end"),
        sequence=body.get("stop_sequence"),
        usage=anthropic_tokens(body.get("usage") or {}),
    )


def _bare(block: Any) -> Any:
    """A block without what only says how a text came about."""
    if isinstance(block, dict) and block.get("type") in ("text", "tool_use"):
        return {name: value for name, value in block.items() if name in ("type", "text", "id", "name", "input")}
    return block


def write_reply(reply: neutral.Reply) -> dict[str, Any]:
    blocks = [_written_answer(part) for part in reply.parts]
    return {
        "id": reply.id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [block for block in blocks if block],
        "stop_reason": STOP_REASONS[reply.stop],
        "stop_sequence": reply.sequence,
        "usage": write_usage(reply.usage),
    }


def _written_answer(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Thinking) and not part.hidden:
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    if isinstance(part, Call):
        # What a model wrote wrongly reaches the caller as it is: an object is all that can stand here.
        try:
            arguments: Any = object_at(neutral.decode(part.arguments.encode() or b"{}"), "arguments")
        except (ValueError, neutral.Untranslatable):
            arguments = {"arguments": part.arguments}
        return {"type": "tool_use", "id": written_id(part.id), "name": part.name, "input": arguments}
    return _written_part(part, "content")


def write_usage(usage: Tokens) -> dict[str, Any]:
    """Unknown counts are null."""
    written: dict[str, Any] = {"input_tokens": usage.uncached_input, "output_tokens": usage.output}
    if usage.uncached_input is not None:
        five, hour = usage.cache_write_5m or 0, usage.cache_write_1h or 0
        written |= {
            "cache_read_input_tokens": usage.cache_read or 0,
            "cache_creation_input_tokens": five + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        }
    if usage.reasoning is not None:
        written["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return written
