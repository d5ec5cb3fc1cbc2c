"""Ollama: no health route, no metrics, no key; models are loaded on demand and unloaded after minutes."""

from __future__ import annotations

from typing import Any, ClassVar

from providers.engines.base import Engine, Protocol


class Ollama(Engine):
    kind = "ollama"
    label = "Ollama"
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"openai", "anthropic"})
    owned_by = "library"
    liveness_path = "/api/version"
    models_path = "/api/tags"
    # A completion would load the model into memory on every check.
    completion_probe_ok = False

    def models_of(self, body: Any) -> list[str]:
        return [str(item["name"]) for item in body["models"]]

    def is_model(self, listed: str, expected: str) -> bool:
        """A name without a tag means `latest`."""
        return listed == (expected if ":" in expected else f"{expected}:latest")
