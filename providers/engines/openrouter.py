"""OpenRouter: OpenAI's protocol for the models of many vendors, by `vendor/model`."""

from __future__ import annotations

from providers.engines.openai_compatible import OpenAICompatible


class OpenRouter(OpenAICompatible):
    kind = "openrouter"
    label = "OpenRouter"
