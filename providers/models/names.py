"""What providers are called."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

# Of providers without a connector, and of those that people call otherwise than their account's form does.
_OWN_NAMES = {
    "anthropic": "Anthropic",
    "google": "Google Cloud",
    "vast": "Vast.ai",
    "runpod": "RunPod",
    "lambda": "Lambda",
    "self": "Self-hosted",
    "openai": "OpenAI",
    "bedrock": "Amazon Bedrock",
}


@cache
def provider_names() -> Mapping[str, str]:
    """Every provider that ships with a name: slug -> name for people. Telemetry may bring any other slug.

    Reading the names loads every vendor's connector once, which costs some 30 ms and no vendor's SDK.
    """
    from providers.connectors import CONNECTORS, connector_class

    return {**{kind: connector_class(kind).label for kind in CONNECTORS}, **_OWN_NAMES}


def provider_name(slug: str) -> str:
    """A provider's name for people; a slug without one stands for itself."""
    return provider_names().get(slug, slug)
