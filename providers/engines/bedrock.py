"""Amazon Bedrock: calls are signed, and models are listed beside the address that answers calls."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from providers.aws_signature import is_claude, model_path, region_of, root_of, signed
from providers.engines import causes
from providers.engines.base import Climb, Engine, Protocol, Target, parse_json
from providers.engines.client import EngineClient
from providers.engines.faults import Fault

# What the names of inference profiles begin with: those of a region's group, of the whole world, and addresses.
PROFILES = ("us.", "eu.", "apac.", "global.", "us-gov.", "jp.", "au.", "ca.", "arn:")


class Bedrock(Engine):
    kind = "bedrock"
    label = "Amazon Bedrock"
    protocols: ClassVar[frozenset[Protocol]] = frozenset({"anthropic"})
    liveness_path = None

    def root(self, target: Target) -> str:
        return root_of(target.base_url)

    def url(self, target: Target, path: str) -> str:
        """Of a list: Bedrock has them at an address beside the one that answers calls."""
        return self.root(target).replace("//bedrock-runtime.", "//bedrock.", 1) + path

    async def _models(self, client: EngineClient, target: Target, climb: Climb) -> bool:
        path = "/inference-profiles?maxResults=1000" if target.model.startswith(PROFILES) else "/foundation-models"
        url = self.url(target, path)
        headers = signed("GET", url, b"", {"accept": "application/json"}, key=target.api_key,
                         region=region_of(target.base_url))  # fmt: skip
        reply = await client.get(url, headers=headers, local=target.local)
        climb.reached("models", reply)
        if reply.status == 429:
            climb.note = causes.limited()
            return False
        if reply.status != 200:
            raise Fault("models", causes.for_status(reply, self.label))
        climb.served = self._expect_model(target, parse_json(reply))
        return True

    def models_of(self, body: Any) -> list[str]:
        if "inferenceProfileSummaries" in body:
            names = ("inferenceProfileId", "inferenceProfileArn")
            return [str(item[name]) for item in body["inferenceProfileSummaries"] for name in names]
        return [str(item["modelId"]) for item in body["modelSummaries"]]

    async def complete(self, client: EngineClient, target: Target) -> float:
        """Ask for one token, unstreamed: the milliseconds to the whole answer."""
        body: dict[str, Any] = {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 1,
            "messages": [{"role": "user", "content": "Say OK."}],
        }
        act = "invoke"
        if not is_claude(target.model):
            act, messages = "converse", [{"role": "user", "content": [{"text": "Say OK."}]}]
            body = {"inferenceConfig": {"maxTokens": 1}, "messages": messages}
        url = f"{self.root(target)}/model/{model_path(target.model)}/{act}"
        text = json.dumps(body).encode()  # as the client writes it
        headers = signed("POST", url, text, {"content-type": "application/json"}, key=target.api_key,
                         region=region_of(target.base_url))  # fmt: skip
        async with client.stream(url, headers=headers, body=body, local=target.local) as answer:
            reply = await answer.reply()
        if reply.status != 200:
            raise Fault("completion", causes.for_completion(reply))
        if not _has_usage(reply.body):
            raise Fault("completion", _("The server returned a completion without content."))
        return round(reply.elapsed_ms, 3)


def _has_usage(body: bytes) -> bool:
    try:
        usage = json.loads(body)["usage"]
        return bool(usage.get("output_tokens") or usage["outputTokens"])
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
