"""Gemini by its OpenAI-compatible endpoint, whose model list puts a word before each name."""

from __future__ import annotations

from providers.engines.openai_compatible import OpenAICompatible


class Gemini(OpenAICompatible):
    kind = "gemini"
    label = "Gemini API"

    def is_model(self, listed: str, expected: str) -> bool:
        return listed.removeprefix("models/") == expected.removeprefix("models/")
