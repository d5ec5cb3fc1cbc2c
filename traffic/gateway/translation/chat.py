"""OpenAI's Chat Completions: requests and whole answers, read into the neutral form and written out of it."""

from __future__ import annotations

from typing import Any

from traffic.gateway.translation import neutral
from traffic.gateway.translation.neutral import Call, Message, Part, Request, Text, object_at, only, refuse, text_at
from traffic.gateway.usage_tokens import Tokens, openai_tokens

LABEL = "Chat Completions"
FINISHES: dict[Any, neutral.Stop] = {
    "stop": "end", "length": "length", "tool_calls": "calls", "function_call": "calls", "content_filter": "filter",
}  # fmt: skip
FINISH_REASONS: dict[neutral.Stop, str] = {
    "end": "stop", "length": "length", "calls": "tool_calls", "sequence": "stop", "filter": "content_filter",
    "pause": "stop",
}  # fmt: skip
# Fields that mean nothing at these values.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,), "frequency_penalty": (0,), "presence_penalty": (0,), "logprobs": (False,), "logit_bias": ({},),
    "store": (False,), "service_tier": ("auto", "default"), "modalities": (["text"],), "top_logprobs": (0,),
}  # fmt: skip
# That Responses have too, by the same names.
SHARED = frozenset({"metadata", "service_tier", "prompt_cache_key", "prompt_cache_retention", "store", "top_logprobs"})
_SYSTEM = ("system", "developer")


# Requests in.


def read_request(body: dict[str, Any]) -> Request:
    """Raises Untranslatable."""
    request = Request()
    for name, value in body.items():
        if value is None or name in ("model", "stream_options") or value in NEUTRAL.get(name, ()):
            continue
        _FIELDS[name](request, value) if name in _FIELDS else request.others.setdefault(name, value)
    return request


def _messages(request: Request, value: Any) -> None:
    for where, message in neutral.objects_at(value, "messages"):
        role = message.get("role")
        content = message.get("content")
        if role in _SYSTEM:
            only(message, where, "role", "content")
            texts: list[Part] = list(_texts(content, f"{where}.content"))
            if request.messages:
                request.messages.append(Message("system", texts, where))
            else:
                request.system += [text for text in texts if isinstance(text, Text)]
        elif role == "user":
            only(message, where, "role", "content")
            request.messages.append(Message("user", _parts(content, f"{where}.content"), where))
        elif role == "assistant":
            request.messages.append(Message("assistant", _assistant(message, where), where))
        elif role == "tool":
            only(message, where, "role", "content", "tool_call_id", "name")
            call_id = text_at(message.get("tool_call_id"), f"{where}.tool_call_id")
            result = neutral.Result(call_id, list(_texts(content, f"{where}.content")))
            _extend(request.messages, "user", result, where)
        else:
            refuse(f"{where}: a message of the role {str(role)[:80]}")


def _extend(messages: list[Message], role: neutral.Role, part: Part, where: str) -> None:
    """Results of calls that were made together belong into one message."""
    last = messages[-1] if messages else None
    if last is not None and last.role == role and all(isinstance(piece, neutral.Result) for piece in last.parts):
        last.parts.append(part)
    else:
        messages.append(Message(role, [part], where))


def _assistant(message: dict[str, Any], where: str) -> list[Part]:
    only(message, where, "role", "content", "tool_calls", "refusal", "reasoning_content", "reasoning", "annotations",
         "provider_specific_fields")  # fmt: skip
    parts: list[Part] = []
    thoughts = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thoughts, str):
        parts.append(neutral.Thinking(thoughts))
    if message.get("content") is not None:
        parts += _parts(message["content"], f"{where}.content")
    if message.get("refusal"):
        parts.append(neutral.Declined(text_at(message["refusal"], f"{where}.refusal")))
    for place, call in neutral.objects_at(message.get("tool_calls") or [], f"{where}.tool_calls"):
        if call.get("type", "function") != "function":
            refuse(f"{place}: a call of type {str(call['type'])[:80]}")
        function = object_at(call.get("function"), f"{place}.function")
        name = text_at(function.get("name"), f"{place}.function.name")
        arguments = text_at(function.get("arguments") or "", f"{place}.function.arguments")
        parts.append(Call(text_at(call.get("id"), f"{place}.id"), name, arguments))
    return parts


def _texts(content: Any, where: str) -> list[Text]:
    parts = _parts(content, where)
    for number, part in enumerate(parts):
        if not isinstance(part, Text):
            refuse(f"{where}.{number}")
    return parts  # type: ignore[return-value]  # they are


def _parts(content: Any, where: str) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)]
    return [_part(part, place) for place, part in neutral.objects_at(content, where)]


def _part(part: dict[str, Any], where: str) -> Part:
    match part.get("type"):
        case "text":
            only(part, where, "type", "text", "cache_control")
            return Text(text_at(part.get("text"), f"{where}.text"), part.get("cache_control"))
        case "refusal":
            return neutral.Declined(text_at(part.get("refusal"), f"{where}.refusal"))
        case "image_url":
            only(part, where, "type", "image_url", "cache_control")
            image = object_at(part.get("image_url"), f"{where}.image_url")
            url = text_at(image.get("url"), f"{where}.image_url.url")
            return neutral.Image(url, (image.get("detail") or "").removeprefix("auto"), part.get("cache_control"))
        case "file":
            only(part, where, "type", "file", "cache_control")
            file = object_at(part.get("file"), f"{where}.file")
            only(file, f"{where}.file", "file_data", "filename")
            url = text_at(file.get("file_data"), f"{where}.file.file_data")
            return neutral.File(url, file.get("filename") or "", part.get("cache_control"))
        case kind:
            return refuse(f"{where}: a part of type {str(kind)[:80]}")


def _tools(request: Request, value: Any) -> None:
    for where, tool in neutral.objects_at(value, "tools"):
        if tool.get("type") != "function":
            refuse(f"{where}: a tool of type {str(tool.get('type'))[:80]}")
        only(tool, where, "type", "function", "cache_control")
        function = object_at(tool.get("function"), f"{where}.function")
        only(function, f"{where}.function", "name", "description", "parameters", "strict")
        name = text_at(function.get("name"), f"{where}.function.name")
        schema = object_at(function.get("parameters") or {}, f"{where}.function.parameters")
        strict, cache = function.get("strict"), tool.get("cache_control")
        request.tools.append(neutral.Tool(name, function.get("description"), schema, strict, cache))


def _tool_choice(request: Request, value: Any) -> None:
    if value in ("auto", "none", "required"):
        request.choice = value
        return
    choice = object_at(value, "tool_choice")
    if choice.get("type") != "function":
        refuse("tool_choice.type")
    request.choice = "tool"
    request.choice_name = text_at(object_at(choice.get("function"), "tool_choice").get("name"), "tool_choice.name")


def _response_format(request: Request, value: Any) -> None:
    form = object_at(value, "response_format")
    match form.get("type"):
        case "text":
            return
        case "json_object":
            request.schema = neutral.Schema()
        case "json_schema":
            schema = object_at(form.get("json_schema"), "response_format.json_schema")
            request.schema = neutral.Schema(
                object_at(schema.get("schema") or {}, "response_format.json_schema.schema"),
                text_at(schema.get("name") or "", "response_format.json_schema.name"),
                schema.get("strict"),
                schema.get("description"),
            )
        case kind:
            refuse(f"response_format: {str(kind)[:80]}")


def _stop(request: Request, value: Any) -> None:
    request.stop = (
        [value] if isinstance(value, str) else [text_at(item, "stop") for item in neutral.list_at(value, "stop")]
    )


def _most_output(request: Request, value: Any) -> None:
    if value != (request.most_output or value):
        neutral.wrong("max_tokens", "the same as max_completion_tokens")
    request.most_output = neutral.count_at(value, "max_tokens")


def _user(request: Request, value: Any) -> None:
    request.user = request.user or text_at(value, "user")


_FIELDS: dict[str, Any] = {
    "messages": _messages,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "response_format": _response_format,
    "stop": _stop,
    "max_tokens": _most_output,
    "max_completion_tokens": _most_output,
    "user": _user,
    "safety_identifier": _user,
    "reasoning_effort": lambda request, value: setattr(request, "effort", text_at(value, "reasoning_effort")),
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
    body: dict[str, Any] = {"model": model, "messages": _written_messages(request)}
    for name, value in request.others.items():
        if name == "verbosity" or name in SHARED:
            body[name] = value
        else:
            refuse(name, LABEL)
    named = {"type": "function", "function": {"name": request.choice_name}}
    return body | neutral.present(
        tools=[_written_tool(tool) for tool in request.tools] or None,
        tool_choice=named if request.choice == "tool" else request.choice or None,
        parallel_tool_calls=request.parallel if request.tools else None,
        max_tokens=request.most_output,
        temperature=request.temperature,
        top_p=request.top_p,
        stop=request.stop or None,
        reasoning_effort=request.effort or None,
        response_format=_written_schema(request.schema) if request.schema else None,
        user=request.user or None,
        stream=request.stream or None,
        stream_options={"include_usage": True} if request.stream else None,
    )


def _written_schema(schema: neutral.Schema) -> dict[str, Any]:
    if schema.schema is None:
        return {"type": "json_object"}
    form: dict[str, Any] = {"name": schema.name or "answer", "schema": schema.schema}
    form |= neutral.present(strict=schema.strict, description=schema.description)
    return {"type": "json_schema", "json_schema": form}


def _written_messages(request: Request) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    if request.system:
        messages.append({"role": "system", "content": _written_content(list(request.system), "system")})
    for message in request.messages:
        if message.role == "assistant":
            messages.append(_written_assistant(message))
        else:
            messages += _written_user(message)
    return messages


def _written_user(message: Message) -> list[dict[str, Any]]:
    """The results of calls are messages of their own here, each where it stood."""
    messages: list[dict[str, Any]] = []
    others: list[Part] = []
    for part in message.parts:
        if isinstance(part, neutral.Result):
            if others:
                messages.append({"role": message.role, "content": _written_content(others, message.where)})
                others = []
            messages.append(_written_result(part, message.where))
        else:
            others.append(part)
    if others or not message.parts:
        messages.append({"role": message.role, "content": _written_content(others, message.where)})
    return messages


def _written_result(part: neutral.Result, where: str) -> dict[str, Any]:
    if any(not isinstance(piece, Text) for piece in part.parts):
        refuse(f"{where}: an image or a file in the result of a tool", LABEL)
    content = neutral.joined(part.parts)
    # The protocol has no field for a call that failed; the model reads it as text.
    if part.failed and not content.lower().startswith("error"):
        content = f"Error: {content}"
    return {"role": "tool", "tool_call_id": part.call_id, "content": content}


def _written_content(parts: list[Part], where: str) -> str | list[dict[str, Any]]:
    """One text stands alone: not every engine takes a list of parts."""
    if all(isinstance(part, Text) for part in parts) and len(parts) < 2:
        return neutral.joined(parts)
    return [_written_part(part, where) for part in parts]


def _written_part(part: Part, where: str) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case neutral.Image():
            return {
                "type": "image_url",
                "image_url": {"url": part.url, **({"detail": part.detail} if part.detail else {})},
            }
        case neutral.File():
            if not part.url.startswith("data:"):
                refuse(f"{where}: a document by its address", LABEL)
            return {"type": "file", "file": {"filename": part.name or "document.pdf", "file_data": part.url}}
        case neutral.Declined():
            return {"type": "refusal", "refusal": part.text}
        case _:
            return refuse(f"{where}: a {type(part).__name__.lower()}", LABEL)


def _written_assistant(message: Message) -> dict[str, Any]:
    texts: list[Part] = [part for part in message.parts if not isinstance(part, Call | neutral.Thinking)]
    calls = [part for part in message.parts if isinstance(part, Call)]
    content = _written_content(texts, message.where) if texts else None
    written: dict[str, Any] = {"role": "assistant", "content": content if texts or calls else ""}
    if calls:
        written["tool_calls"] = [written_call(part) for part in calls]
    return written


def written_call(part: Call) -> dict[str, Any]:
    return {"id": part.id, "type": "function", "function": {"name": part.name, "arguments": part.arguments}}


def _written_tool(tool: neutral.Tool) -> dict[str, Any]:
    function = {"name": tool.name, **neutral.present(description=tool.description), "parameters": tool.schema}
    return {"type": "function", "function": function | neutral.present(strict=tool.strict)}


# Answers.


def read_reply(body: dict[str, Any]) -> neutral.Reply:
    """Raises Untranslatable."""
    choices = neutral.objects_at(body.get("choices") or [{}], "choices")
    choice = choices[0][1]
    message = object_at(choice.get("message") or {}, "message")
    return neutral.Reply(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        parts=_assistant({name: message.get(name) for name in _REPLY}, "message"),
        stop=FINISHES.get(choice.get("finish_reason"), "end"),
        usage=openai_tokens(body.get("usage") or {}),
    )


_REPLY = ("content", "tool_calls", "refusal", "reasoning_content", "reasoning")


def write_reply(reply: neutral.Reply, created: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": neutral.joined(reply.parts) or None, "refusal": None}
    if declined := "".join(part.text for part in reply.parts if isinstance(part, neutral.Declined)):
        message["refusal"] = declined
    if thoughts := "".join(part.text for part in reply.parts if isinstance(part, neutral.Thinking)):
        message["reasoning_content"] = thoughts
    if calls := [written_call(part) for part in reply.parts if isinstance(part, Call)]:
        message["tool_calls"] = calls
    elif message["content"] is None and not declined:
        message["content"] = ""
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH_REASONS[reply.stop]}
    body: dict[str, Any] = {
        "id": reply.id, "object": "chat.completion", "created": created, "model": reply.model, "choices": [choice],
    }  # fmt: skip
    return body | ({"usage": usage} if (usage := write_usage(reply.usage)) else {})


def write_usage(usage: Tokens) -> dict[str, Any] | None:
    """None where it is unknown."""
    prompt = neutral.total_input(usage)
    if prompt is None or usage.output is None:
        return None
    written = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output,
        "total_tokens": prompt + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read or 0, "cache_write_tokens": written},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
    }
