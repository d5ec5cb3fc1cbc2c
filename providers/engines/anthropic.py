"""The Claude API: no health route; its model list needs a key and lists dated names."""

from __future__ import annotations

import re
from typing import ClassVar

from providers.engines import completion
from providers.engines.base import Engine, Protocol, Target
from providers.engines.client import EngineClient

VERSION = "2023-06-01"
DATED = re.compile(r"-\d{8}$")


class Anthropic(Engine):
    kind = "anthropic"
    label = "Claude API"
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"anthropic"})
    liveness_path = None
    models_path = "/v1/models?limit=1000"

    def headers(self, target: Target) -> dict[str, str]:
        key = {"x-api-key": target.api_key} if target.api_key else {}
        return key | {"anthropic-version": VERSION}

    def is_model(self, listed: str, expected: str) -> bool:
        """`claude-x` is an alias of `claude-x-20260101`."""
        return expected in (listed, DATED.sub("", listed))

    async def complete(self, client: EngineClient, target: Target) -> float:
        url = self.url(target, "/v1/messages")
        return await completion.anthropic(client, url, self.headers(target), target.model, local=target.local)
