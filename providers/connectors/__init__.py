"""The registry of vendors: kind -> where its connector is. A new vendor is one file, one test and one line here."""

from __future__ import annotations

from django.utils.module_loading import import_string

from providers.connectors.base import AccountConfig, Connector

# Dotted paths: a process imports only the vendors that it polls.
CONNECTORS: dict[str, str] = {
    "anthropic": "providers.connectors.anthropic.Anthropic",
    "runpod": "providers.connectors.runpod.RunPod",
    "vast": "providers.connectors.vast.Vast",
    "lambda": "providers.connectors.lambda_cloud.LambdaCloud",
    "google": "providers.connectors.google.Google",
    "digitalocean": "providers.connectors.digitalocean.DigitalOcean",
    "hyperstack": "providers.connectors.hyperstack.Hyperstack",
}


def connector_class(kind: str) -> type[Connector]:
    """The class of a kind. Raises KeyError for one that is not in the registry."""
    connector: type[Connector] = import_string(CONNECTORS[kind])
    return connector


def connect(kind: str, config: AccountConfig) -> Connector:
    return connector_class(kind)(config)
