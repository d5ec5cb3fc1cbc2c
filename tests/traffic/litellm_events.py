"""Events as LiteLLM's webhook sends them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

BEGAN = timezone.now() - timedelta(minutes=5)

START, START_DAY = BEGAN.timestamp(), (BEGAN - timedelta(seconds=9)).date()


def event(number: int = 1, **given: Any) -> dict[str, Any]:
    usage = {"prompt_tokens_details": {"cached_tokens": 1024}}
    return {
        "id": f"chatcmpl-{number:030d}", "litellm_call_id": f"call-{number}", "call_type": "acompletion",
        "stream": True, "status": "success", "response_cost": 0.001, "custom_llm_provider": "openai", "model": "gpt-x",
        "prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500, "startTime": START,
        "completionStartTime": START + 0.42, "endTime": START + 3.8, "cache_hit": False, "end_user": "u1",
        "metadata": {"usage_object": usage}, "error_information": None, "messages": [{"content": "secret"}], **given,
    }  # fmt: skip


def send(key: str, data: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return Client().post("/ingest/litellm", data, content_type="application/json", headers=headers)
