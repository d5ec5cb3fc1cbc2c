"""Any API that speaks OpenAI's protocol: its model list is all that can be relied on."""

from __future__ import annotations

from urllib.parse import urlsplit

from providers.engines.base import Engine, Target


class OpenAICompatible(Engine):
    kind = "openai_compatible"
    label = "OpenAI-compatible API"
    liveness_path = None

    def url(self, target: Target, path: str) -> str:
        """A base address with a path of its own (`/v1beta/openai`) stands for the `/v1` of the others."""
        base = target.base_url.rstrip("/")
        return base + path.removeprefix("/v1") if urlsplit(base).path else base + path
