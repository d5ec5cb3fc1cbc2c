"""Prompts as people read them: a stored messages array, in either protocol, as turns. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

ROLES = {
    "system": _("Instructions"),
    "developer": _("Instructions"),
    "user": _("Question"),
    "assistant": _("Earlier answer"),
    "tool": _("Result of a tool"),
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: str
    text: str

    @property
    def label(self) -> str:
        return str(ROLES.get(self.role, self.role))


def turns(prompt: str | None) -> Sequence[Turn]:
    """The turns of a prompt; one that is no messages array is a single question."""
    if not prompt:
        return []
    try:
        messages = json.loads(prompt) if prompt.lstrip().startswith("[") else None
    except (ValueError, RecursionError):
        messages = None
    if not isinstance(messages, list) or not all(
        isinstance(message, dict) and "content" in message for message in messages
    ):
        return [Turn("user", prompt)]
    return [Turn(str(message.get("role", "user")), content_text(message["content"])) for message in messages]


def content_text(content: Any) -> str:
    """The text of a message; of a part that is no text, what it is."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else json.dumps(content, ensure_ascii=False)
    return "\n".join(part_text(part) for part in content)


def part_text(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return str(part["text"])
    if isinstance(part, dict) and part.get("type") == "tool_result":
        return content_text(part.get("content"))
    if isinstance(part, dict) and part.get("type") == "tool_use":
        return json.dumps(part.get("input"), ensure_ascii=False)
    return f"[{part.get('type', '?')}]" if isinstance(part, dict) else str(part)
