"""The lines by which a program sends requests to this installation, ready to be copied: one snippet for each way in.

Each snippet names the scope that its key needs. Where a key is shown once, its secret stands in the lines; on any other
page `YOUR_KEY` does.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.translation import gettext as _

from traffic.models import Scope

PLACEHOLDER = "YOUR_KEY"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where this installation listens: the pages and the intake, and the gateway; both without a slash at the end."""

    web: str
    gateway: str


@dataclass(frozen=True, slots=True)
class Models:
    """Models to ask for in examples: one for callers of Anthropic's protocol and one for OpenAI's."""

    anthropic: str = "claude-haiku-4-5"
    openai: str = "gpt-5-mini"


@dataclass(frozen=True, slots=True)
class Snippet:
    """One way in: `code` is in the language `language` (a file's ending) and `note` says what has to be known."""

    slug: str
    title: str
    scope: Scope
    language: str
    code: str
    note: str = ""


def snippets(
    addresses: Addresses, models: Models, secret: str = PLACEHOLDER, scopes: Collection[str] = tuple(Scope)
) -> list[Snippet]:
    """Every way in that a key with these scopes opens, the gateway first."""
    ways = [*_gateway(addresses.gateway, models, secret), *_intake(addresses.web, secret)]
    return [way for way in ways if way.scope in scopes]


def _gateway(url: str, models: Models, secret: str) -> list[Snippet]:
    anthropic = f'''import anthropic

client = anthropic.Anthropic(base_url="{url}", api_key="{secret}")
message = client.messages.create(
    model="{models.anthropic}", max_tokens=200, messages=[{{"role": "user", "content": "Hello"}}]
)
print(message.content[0].text)'''
    openai = f'''import openai

client = openai.OpenAI(base_url="{url}/v1", api_key="{secret}")
answer = client.chat.completions.create(
    model="{models.openai}", max_tokens=200, messages=[{{"role": "user", "content": "Hello"}}]
)
print(answer.choices[0].message.content)'''
    body = {"model": models.openai, "max_tokens": 20, "messages": [{"role": "user", "content": "Hello"}]}
    curl = f"""curl {url}/v1/chat/completions \\
  -H "Authorization: Bearer {secret}" -H "Content-Type: application/json" \\
  -d '{json.dumps(body)}'"""
    header = _("The header x-breakeven-task names the task: rag, qa, code, reasoning, chat, batch, vision.")
    if models == Models():
        header = _("The gateway answers only after a deployment is added under Set up, Deployments.")
    return [
        Snippet("anthropic", _("Anthropic SDK, through the gateway"), Scope.GATEWAY, "py", anthropic, header),
        Snippet("openai", _("OpenAI SDK, through the gateway"), Scope.GATEWAY, "py", openai, header),
        Snippet("curl", _("curl, through the gateway"), Scope.GATEWAY, "sh", curl),
    ]


def _intake(url: str, secret: str) -> list[Snippet]:
    otlp = f"""export OTEL_EXPORTER_OTLP_ENDPOINT={url}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20{secret}\""""
    plain = f"""export OTEL_EXPORTER_OTLP_ENDPOINT={url}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer {secret}\""""
    litellm = f"""litellm_settings: {{callbacks: ["breakeven"]}}
callback_settings:
  breakeven:
    callback_type: generic_api
    endpoint: {url}/ingest/litellm
    headers: {{Authorization: "Bearer {secret}"}}
    max_retries: 5"""
    langfuse = f"""export LANGFUSE_BASE_URL={url}
export LANGFUSE_PUBLIC_KEY=breakeven
export LANGFUSE_SECRET_KEY={secret}"""
    broadcast = f"""Endpoint: {url}/v1/traces
Headers:  {json.dumps({"Authorization": f"Bearer {secret}"})}"""
    row = (
        '{"started_at": "\'$(date -u +%FT%TZ)\'", "provider": "anthropic", "model": "claude-haiku-4-5", "task": "qa",'
        ' "latency_ms": 840, "tokens": {"uncached_input": 1200, "output": 200}}'
    )
    native = f"""curl {url}/api/v1/requests \\
  -H "Authorization: Bearer {secret}" -H "Content-Type: application/json" \\
  -d '{{"requests": [{row}]}}'"""
    scope = Scope.INGEST
    return [
        Snippet("otlp", _("OpenTelemetry"), scope, "sh", otlp, _("The specification encodes the space as %20.")),
        Snippet(
            "otlp-plain", _("OpenTelemetry, plain header"), scope, "sh", plain,
            _("For exporters that do not decode the header’s value (older releases for Java and .NET)."),
        ),
        Snippet(
            "litellm", _("LiteLLM proxy"), scope, "yaml", litellm,
            _("These lines belong in the proxy’s config.yaml. LiteLLM skips the callback without headers."),
        ),
        Snippet("langfuse", _("Langfuse SDK"), scope, "sh", langfuse, _("The public key may be any text.")),
        Snippet(
            "openrouter", _("OpenRouter Broadcast"), scope, "txt", broadcast,
            _("Enter both in OpenRouter under Settings, Observability. OpenRouter requires a public https address."),
        ),
        Snippet("native", _("Native API, one request by curl"), scope, "sh", native),
    ]  # fmt: skip
