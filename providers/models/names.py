"""What providers are called."""

from __future__ import annotations

# Vendors that ship with a name; telemetry may bring any other slug, which then stands for itself.
PROVIDER_NAMES = {
    "anthropic": "Anthropic",
    "google": "Google Cloud",
    "vast": "Vast.ai",
    "runpod": "RunPod",
    "lambda": "Lambda",
    "self": "Self-hosted",
    "openai": "OpenAI",
    "bedrock": "Amazon Bedrock",
}


def provider_name(slug: str) -> str:
    """A provider's name for people: ours, else its connector's, else the slug."""
    from providers.connectors import CONNECTORS, connector_class

    if slug in PROVIDER_NAMES or slug not in CONNECTORS:
        return PROVIDER_NAMES.get(slug, slug)
    return connector_class(slug).label
