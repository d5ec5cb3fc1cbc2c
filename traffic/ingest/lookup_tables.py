"""Slugs and addresses that a row may name, with what they stand for; read every few seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class KnownDeployment:
    """The deployment that telemetry to its address belongs to."""

    id: int
    provider: str
    model: str


@dataclass
class LookupTables:
    """Slugs and addresses that a row may name, with their ids and what is allowed there."""

    applications: dict[str, tuple[int, bool]]  # slug -> id, whether bodies are captured
    deployments: dict[str, int]
    retention_days: int
    endpoints: dict[str, KnownDeployment] = field(default_factory=dict)  # by host:port, where only one is there
    services: dict[str, KnownDeployment] = field(default_factory=dict)  # by slug: an engine's own service.name
    kinds: dict[Any, Any] = field(default_factory=dict)  # of spans that were judged by this; see `otlp.kinds`
