"""Prompts as people read them: a stored messages array, in either protocol, as turns. Pure."""

from __future__ import annotations

import json
import re
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

MOST_PARTS, MOST_IMAGES, LONGEST_IMAGE = 200, 8, 2 << 20  # of one message; characters of one picture
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said."""

    role: str
    text: str
    images: Sequence[str] = ()  # data: URLs

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
    return [
        Turn(str(message.get("role", "user")), content_text(message["content"]), images_of(message["content"]))
        for message in messages
    ]


def images_of(content: Any) -> list[str]:
    """The pictures that stand in a message itself, as data: URLs; one at an address is not loaded from there."""
    parts = content if isinstance(content, list) else []
    urls = [image_url(part) for part in parts[:MOST_PARTS] if isinstance(part, dict)]
    return [url for url in urls if len(url) <= LONGEST_IMAGE and IMAGE.fullmatch(url)][:MOST_IMAGES]


def image_url(part: dict[str, Any]) -> str:
    """The URL of a part in the form of OpenAI or of Anthropic; empty where it has none."""
    source, url = part.get("source"), part.get("image_url")
    if isinstance(source, dict) and source.get("type") == "base64":
        return f"data:{source.get('media_type')};base64,{source.get('data')}"
    url = url.get("url") if isinstance(url, dict) else url
    return url if isinstance(url, str) else ""


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
