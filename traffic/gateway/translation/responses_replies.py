"""OpenAI's Responses: whole answers, read into the neutral form and written out of it."""

from __future__ import annotations

from typing import Any

from traffic.gateway.translation import neutral
from traffic.gateway.translation.neutral import Call, Declined, Reply, Request, Text, Thinking, objects_at, refuse
from traffic.gateway.translation.responses import HIDDEN, LABEL, SIGNED, call_fields, read_item
from traffic.gateway.usage_tokens import Tokens, responses_tokens

MOST_ECHO = 100  # tools that an answer repeats


def read_reply(body: dict[str, Any]) -> Reply:
    """Raises Untranslatable."""
    request = Request()
    for where, item in objects_at(body.get("output") or [], "output"):
        read_item(request, item, where)
    parts = [part for message in request.messages for part in message.parts]
    return Reply(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        parts=parts,
        stop=stop_of(body, calls=any(isinstance(part, Call) for part in parts)),
        usage=responses_tokens(body.get("usage") or {}),
    )


def stop_of(body: dict[str, Any], *, calls: bool) -> neutral.Stop:
    """Why an answer ended, which here is said by its status and by what is in it."""
    if body.get("status") == "incomplete":
        details = body.get("incomplete_details") or {}
        return "filter" if details.get("reason") == "content_filter" else "length"
    return "calls" if calls else "end"


def write_reply(reply: Reply, created: int, caller_request: dict[str, Any]) -> dict[str, Any]:
    """`caller_request`: its request, of which an answer repeats the settings."""
    output = written_output(reply)
    return response(
        reply, created, caller_request, output, status="incomplete" if incomplete(reply.stop) else "completed"
    )


def incomplete(stop: neutral.Stop) -> str | None:
    return {"length": "max_output_tokens", "filter": "content_filter"}.get(stop)


def response(
    reply: Reply, created: int, caller_request: dict[str, Any], output: list[dict[str, Any]], *, status: str
) -> dict[str, Any]:
    """The object of an answer, whole or under way."""
    tools = caller_request.get("tools") or []
    reason = incomplete(reply.stop) if status == "incomplete" else None
    return {
        "id": response_id(reply.id),
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if reason else None,
        "instructions": caller_request.get("instructions"),
        "max_output_tokens": caller_request.get("max_output_tokens"),
        "metadata": caller_request.get("metadata") or {},
        "model": reply.model,
        "output": output,
        "parallel_tool_calls": caller_request.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": caller_request.get("reasoning"),
        "store": False,
        "temperature": caller_request.get("temperature"),
        "text": caller_request.get("text") or {"format": {"type": "text"}},
        "tool_choice": caller_request.get("tool_choice") or "auto",
        "tools": tools if len(tools) <= MOST_ECHO else [],
        "top_p": caller_request.get("top_p"),
        "truncation": "disabled",
        "usage": write_usage(reply.usage),
        "user": caller_request.get("user"),
    }


def response_id(identifier: str) -> str:
    return identifier if identifier.startswith("resp_") else f"resp_{identifier}"


def written_output(reply: Reply) -> list[dict[str, Any]]:
    """The items of an answer; texts that follow each other are one message."""
    items: list[dict[str, Any]] = []
    for part in reply.parts:
        number = len(items)
        match part:
            case Text() | Declined():
                content = answer_content(part)
                if items and items[-1]["type"] == "message":
                    items[-1]["content"].append(content)
                else:
                    items.append(message_item(f"msg_{reply.id}_{number}", "completed", [content]))
            case Thinking():
                items.append(reasoning_item(f"rs_{reply.id}_{number}", part))
            case Call():
                items.append(call_item(f"fc_{reply.id}_{number}", part, "completed"))
            case _:
                refuse(f"output.{number}", LABEL)
    return items


def answer_content(part: Text | Declined) -> dict[str, Any]:
    if isinstance(part, Declined):
        return {"type": "refusal", "refusal": part.text}
    return {"type": "output_text", "text": part.text, "annotations": [], "logprobs": []}


def message_item(identifier: str, status: str, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": identifier, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(identifier: str, part: Call, status: str) -> dict[str, Any]:
    return {"id": identifier, **call_fields(part), "status": status}


def reasoning_item(identifier: str, part: Thinking) -> dict[str, Any]:
    item: dict[str, Any] = {"id": identifier, "type": "reasoning", "summary": []}
    if part.text:
        item["summary"] = [{"type": "summary_text", "text": part.text}]
    if part.hidden:
        item["encrypted_content"] = f"{HIDDEN}{part.hidden}"
    elif part.signature:
        item["encrypted_content"] = f"{SIGNED}{part.signature}"
    return item


def write_usage(usage: Tokens) -> dict[str, Any] | None:
    """None where it is unknown."""
    total = neutral.total_input(usage)
    if total is None or usage.output is None:
        return None
    written = (usage.cache_write_5m or 0) + (usage.cache_write_1h or 0)
    return {
        "input_tokens": total,
        "input_tokens_details": {"cached_tokens": usage.cache_read or 0, "cache_write_tokens": written},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": total + usage.output,
    }
