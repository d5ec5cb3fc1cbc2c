"""Azure OpenAI: deployments by name in the path, a version in the query, and the key in a header of its own."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from django.utils.translation import gettext as _

from providers.engines import causes, completion
from providers.engines.base import Climb, Engine, Target, parse_json
from providers.engines.client import EngineClient
from providers.engines.faults import Fault

VERSION = "2024-10-21"  # where the address names none; `traffic.gateway.upstream` has the same
LISTS_DEPLOYMENTS = "2023-03-15-preview"  # the last one that lists them; later ones list the models of the region


class AzureOpenAI(Engine):
    kind = "azure_openai"
    label = "Azure OpenAI"
    liveness_path = None
    models_path = f"/openai/deployments?api-version={LISTS_DEPLOYMENTS}"

    def root(self, target: Target) -> str:
        """The resource alone, of whatever of its addresses was pasted."""
        parts = urlsplit(target.base_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.partition('/openai')[0].rstrip('/')}"

    def headers(self, target: Target) -> dict[str, str]:
        return {"api-key": target.api_key} if target.api_key else {}

    async def _models(self, client: EngineClient, target: Target, climb: Climb) -> bool:
        """Some resources list no deployments: then their models prove that they live and take the key."""
        headers = self.headers(target)
        reply = await client.get(self.url(target, self.models_path), headers=headers, local=target.local)
        if reply.status != 404:
            return await super()._models(client, target, climb)
        models = self.url(target, f"/openai/models?api-version={self._version(target)}")
        reply = await client.get(models, headers=headers, local=target.local)
        climb.reached("models", reply)
        if reply.status != 200:
            raise Fault("models", causes.for_status(reply, self.label))
        self.models_of(parse_json(reply))
        climb.note = _("This resource does not list its deployments. Enable the test with one token.")
        return True

    async def complete(self, client: EngineClient, target: Target) -> float:
        path = f"/openai/deployments/{target.model}/chat/completions?api-version={self._version(target)}"
        url = self.url(target, path)
        return await completion.openai(client, url, self.headers(target), target.model, local=target.local)

    @staticmethod
    def _version(target: Target) -> str:
        return parse_qs(urlsplit(target.base_url).query).get("api-version", [VERSION])[0]
