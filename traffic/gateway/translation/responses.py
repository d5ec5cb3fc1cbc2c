"""OpenAI's Responses: requests and whole answers, read into the neutral form and written out of it."""

from __future__ import annotations

from typing import Any

from traffic.gateway.translation import neutral
from traffic.gateway.translation.chat import SHARED
from traffic.gateway.translation.neutral import Message, Request, Text, object_at, objects_at, only, refuse, text_at

LABEL = "Responses"
# Fields that mean nothing at these values.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "store": (False,), "background": (False,), "truncation": ("disabled",), "service_tier": ("auto", "default"),
    "include": ([], ["reasoning.encrypted_content"]), "metadata": ({},), "top_logprobs": (0,),
}  # fmt: skip
# Thoughts of another vendor travel where Responses keep thoughts in cipher, marked as that.
SIGNED, HIDDEN = "breakeven.signature.", "breakeven.hidden."


# Requests in.


def read_request(body: dict[str, Any]) -> Request:
    """Raises Untranslatable."""
    request = Request()
    for name, value in body.items():
        if value is None or name in ("model", "stream_options") or value in NEUTRAL.get(name, ()):
            continue
        _FIELDS[name](request, value) if name in _FIELDS else request.others.setdefault(name, value)
    return request


def _instructions(request: Request, value: Any) -> None:
    request.system.insert(0, Text(text_at(value, "instructions")))


def _input(request: Request, value: Any) -> None:
    if isinstance(value, str):
        request.messages.append(Message("user", [Text(value)], "input"))
        return
    for where, item in objects_at(value, "input"):
        read_item(request, item, where)


def read_item(request: Request, item: dict[str, Any], where: str) -> None:
    match item.get("type", "message"):
        case "message":
            _message(request, item, where)
        case "function_call":
            only(item, where, "type", "id", "call_id", "name", "arguments", "status")
            call_id = text_at(item.get("call_id"), f"{where}.call_id")
            arguments = text_at(item.get("arguments") or "", f"{where}.arguments")
            _extend(
                request,
                "assistant",
                [neutral.Call(call_id, text_at(item.get("name"), f"{where}.name"), arguments)],
                where,
            )
        case "function_call_output":
            only(item, where, "type", "id", "call_id", "output", "status")
            call_id = text_at(item.get("call_id"), f"{where}.call_id")
            parts = _parts(item.get("output"), f"{where}.output")
            for number, part in enumerate(parts):
                if not isinstance(part, Text | neutral.Image | neutral.File):
                    refuse(f"{where}.output.{number}")
            _extend(request, "user", [neutral.Result(call_id, parts)], where)  # type: ignore[arg-type]  # they are
        case "reasoning":
            _extend(request, "assistant", [_thinking(item, where)], where)
        case kind:
            refuse(f"{where}: an item of type {str(kind)[:80]}")


def _message(request: Request, item: dict[str, Any], where: str) -> None:
    only(item, where, "type", "role", "content", "id", "status", "phase")
    role = item.get("role")
    parts = _parts(item.get("content"), f"{where}.content")
    if role in ("system", "developer"):
        if any(not isinstance(part, Text) for part in parts):
            refuse(f"{where}.content")
        if request.messages:
            request.messages.append(Message("system", parts, where))
        else:
            request.system += [part for part in parts if isinstance(part, Text)]
    elif role == "assistant":
        _extend(request, "assistant", parts, where)
    elif role == "user":
        request.messages.append(Message("user", parts, where))
    else:
        neutral.wrong(f"{where}.role", "user, assistant, system or developer")


def _extend(request: Request, role: neutral.Role, parts: list[neutral.Part], where: str) -> None:
    """What a model wrote in one turn is one message elsewhere, and so are the results of its calls."""
    last = request.messages[-1] if request.messages else None
    if last is not None and last.role == role and (role == "assistant" or isinstance(last.parts[-1], neutral.Result)):
        last.parts += parts
    else:
        request.messages.append(Message(role, parts, where))


def _thinking(item: dict[str, Any], where: str) -> neutral.Thinking:
    pieces = [*objects_at(item.get("summary") or [], where), *objects_at(item.get("content") or [], where)]
    text = "".join(text_at(piece.get("text"), where) for _, piece in pieces)
    cipher = item.get("encrypted_content") or ""
    if cipher.startswith(HIDDEN):
        return neutral.Thinking(text, hidden=cipher.removeprefix(HIDDEN))
    return neutral.Thinking(text, cipher.removeprefix(SIGNED) if cipher.startswith(SIGNED) else "")


def _parts(content: Any, where: str) -> list[neutral.Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part, place) for place, part in objects_at(content, where)]


def _part(part: dict[str, Any], where: str) -> neutral.Part:
    match part.get("type"):
        case "input_text" | "output_text" | "text":
            only(part, where, "type", "text", "annotations", "logprobs")
            return Text(text_at(part.get("text"), f"{where}.text"))
        case "refusal":
            return neutral.Declined(text_at(part.get("refusal"), f"{where}.refusal"))
        case "input_image":
            only(part, where, "type", "image_url", "detail")
            return neutral.Image(
                text_at(part.get("image_url"), f"{where}.image_url"), (part.get("detail") or "").removeprefix("auto")
            )
        case "input_file":
            only(part, where, "type", "file_data", "file_url", "filename")
            url = text_at(part.get("file_data") or part.get("file_url"), f"{where}.file_data")
            return neutral.File(url, part.get("filename") or "")
        case kind:
            return refuse(f"{where}: a part of type {str(kind)[:80]}")


def _tools(request: Request, value: Any) -> None:
    for where, tool in objects_at(value, "tools"):
        if tool.get("type") != "function":
            refuse(f"{where}: a tool of type {str(tool.get('type'))[:80]}")
        only(tool, where, "type", "name", "description", "parameters", "strict")
        schema = object_at(tool.get("parameters") or {}, f"{where}.parameters")
        name = text_at(tool.get("name"), f"{where}.name")
        request.tools.append(neutral.Tool(name, tool.get("description"), schema, tool.get("strict")))


def _tool_choice(request: Request, value: Any) -> None:
    if value in ("auto", "none", "required"):
        request.choice = value
        return
    choice = object_at(value, "tool_choice")
    if choice.get("type") != "function":
        refuse("tool_choice.type")
    request.choice, request.choice_name = "tool", text_at(choice.get("name"), "tool_choice.name")


def _text_config(request: Request, value: Any) -> None:
    config = object_at(value, "text")
    only(config, "text", "format", "verbosity")
    if config.get("verbosity") not in (None, "medium"):
        request.others["verbosity"] = config["verbosity"]
    form = object_at(config.get("format") or {"type": "text"}, "text.format")
    match form.get("type"):
        case "text":
            return
        case "json_object":
            request.schema = neutral.Schema()
        case "json_schema":
            schema = object_at(form.get("schema") or {}, "text.format.schema")
            name = text_at(form.get("name") or "", "text.format.name")
            request.schema = neutral.Schema(schema, name, form.get("strict"), form.get("description"))
        case kind:
            refuse(f"text.format: {str(kind)[:80]}")


def _reasoning(request: Request, value: Any) -> None:
    reasoning = object_at(value, "reasoning")
    only(reasoning, "reasoning", "effort", "summary", "generate_summary")
    if reasoning.get("effort"):
        request.effort = text_at(reasoning["effort"], "reasoning.effort")


def _user(request: Request, value: Any) -> None:
    request.user = request.user or text_at(value, "user")


def _include(request: Request, value: Any) -> None:
    for name in neutral.list_at(value, "include"):
        if name != "reasoning.encrypted_content":
            refuse(f"include: {str(name)[:80]}")


_FIELDS: dict[str, Any] = {
    "instructions": _instructions,
    "input": _input,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "text": _text_config,
    "reasoning": _reasoning,
    "include": _include,
    "user": _user,
    "safety_identifier": _user,
    "max_output_tokens": lambda request, value: setattr(
        request, "most_output", neutral.count_at(value, "max_output_tokens")
    ),
    "parallel_tool_calls": lambda request, value: setattr(
        request, "parallel", neutral.flag_at(value, "parallel_tool_calls")
    ),
    "temperature": lambda request, value: setattr(request, "temperature", neutral.number_at(value, "temperature")),
    "top_p": lambda request, value: setattr(request, "top_p", neutral.number_at(value, "top_p")),
    "stream": lambda request, value: setattr(request, "stream", neutral.flag_at(value, "stream")),
}


# Requests out.


def write_request(request: Request, model: str) -> dict[str, Any]:
    """Raises Untranslatable."""
    body: dict[str, Any] = {"model": model, "store": False}
    text: dict[str, Any] = {}
    for name, value in request.others.items():
        if name == "verbosity":
            text["verbosity"] = value
        elif name in SHARED:
            body[name] = value
        else:
            refuse(name, LABEL)
    if request.system:
        body["instructions"] = neutral.joined(request.system)
    body["input"] = [item for message in request.messages for item in _written_items(message)]
    if request.stop:
        refuse("A stop sequence", LABEL)
    if request.schema is not None:
        text["format"] = _written_schema(request.schema)
    named = {"type": "function", "name": request.choice_name}
    return body | neutral.present(
        tools=[_written_tool(tool) for tool in request.tools] or None,
        tool_choice=named if request.choice == "tool" else request.choice or None,
        parallel_tool_calls=request.parallel if request.tools else None,
        max_output_tokens=request.most_output,
        temperature=request.temperature,
        top_p=request.top_p,
        reasoning={"effort": request.effort} if request.effort else None,
        text=text or None,
        safety_identifier=request.user or None,
        stream=request.stream or None,
    )


def _written_schema(schema: neutral.Schema) -> dict[str, Any]:
    if schema.schema is None:
        return {"type": "json_object"}
    form: dict[str, Any] = {"type": "json_schema", "name": schema.name or "answer", "schema": schema.schema}
    return form | neutral.present(strict=schema.strict, description=schema.description)


def _written_items(message: Message) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []

    def end_message() -> None:
        if content:
            items.append({"type": "message", "role": message.role, "content": content.copy()})
            content.clear()

    for part in message.parts:
        match part:
            case neutral.Call():
                end_message()
                items.append(call_fields(part))
            case neutral.Result():
                end_message()
                items.append(
                    {"type": "function_call_output", "call_id": part.call_id, "output": _output(part, message)}
                )
            case neutral.Thinking():
                pass  # the vendor takes back only its own
            case _:
                content.append(_written_part(part, message))
    end_message()
    return items


def call_fields(part: neutral.Call) -> dict[str, Any]:
    return {"type": "function_call", "call_id": part.id, "name": part.name, "arguments": part.arguments}


def _output(part: neutral.Result, message: Message) -> str | list[dict[str, Any]]:
    content = neutral.joined(part.parts)
    if part.failed and not content.lower().startswith("error"):
        content = f"Error: {content}"
    if all(isinstance(piece, Text) for piece in part.parts):
        return content
    others = [_written_part(piece, message) for piece in part.parts if not isinstance(piece, Text)]
    return [*([{"type": "input_text", "text": content}] if content else []), *others]


def _written_part(part: neutral.Part, message: Message) -> dict[str, Any]:
    match part:
        case Text():
            if message.role == "assistant":
                return {"type": "output_text", "text": part.text, "annotations": []}
            return {"type": "input_text", "text": part.text}
        case neutral.Image():
            return {"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"}
        case neutral.File():
            if part.url.startswith("data:"):
                return {"type": "input_file", "filename": part.name or "document.pdf", "file_data": part.url}
            return {"type": "input_file", "file_url": part.url}
        case neutral.Declined():
            return {"type": "refusal", "refusal": part.text}
        case _:
            return refuse(f"{message.where}: a {type(part).__name__.lower()}", LABEL)


def _written_tool(tool: neutral.Tool) -> dict[str, Any]:
    written = {"type": "function", "name": tool.name, **neutral.present(description=tool.description)}
    # Without the field this protocol takes a schema as strict, the others do not.
    return written | {"parameters": tool.schema, "strict": bool(tool.strict)}
