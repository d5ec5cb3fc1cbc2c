"""The inference servers that we can check and scrape, one file each."""

from __future__ import annotations

from functools import cache

from django.utils.module_loading import import_string

from providers.engines.base import CheckResult, Engine, Scrape, Target
from providers.engines.client import EngineClient
from providers.engines.faults import Fault
from providers.engines.metrics import EngineSample

__all__ = ["ENGINES", "CheckResult", "Engine", "EngineClient", "EngineSample", "Fault", "Scrape", "Target", "engine_of"]

ENGINES = {
    "vllm": "providers.engines.vllm.VLLM",
    "sglang": "providers.engines.sglang.SGLang",
    "lmdeploy": "providers.engines.lmdeploy.LMDeploy",
    "tgi": "providers.engines.tgi.TGI",
    "llamacpp": "providers.engines.llamacpp.LlamaCpp",
    "ollama": "providers.engines.ollama.Ollama",
    "anthropic": "providers.engines.anthropic.Anthropic",
    "bedrock": "providers.engines.bedrock.Bedrock",
    "azure_openai": "providers.engines.azure_openai.AzureOpenAI",
    "gemini": "providers.engines.gemini.Gemini",
    "openrouter": "providers.engines.openrouter.OpenRouter",
    "openai_compatible": "providers.engines.openai_compatible.OpenAICompatible",
}


@cache
def engine_of(kind: str) -> Engine:
    """The engine of a kind; raises KeyError for one that we do not know."""
    engine: Engine = import_string(ENGINES[kind])()
    return engine
