"""Exports of OpenTelemetry log records."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

from tests.traffic.otlp_exports import ns, value

RESPONSE = {"gen_ai.response.id": "msg_01ABCDEFGHIJKLMNOPQRSTUV"}

DETAILS = "gen_ai.client.inference.operation.details"


def record(attributes: dict[str, Any], **given: Any) -> dict[str, Any]:
    listed = [{"key": name, "value": value(item)} for name, item in attributes.items()]
    return {"timeUnixNano": str(ns(1.2)), "attributes": listed, **given}


def post(key: str, path: str, content: Any, kind: str = "application/json") -> Any:
    data = content if isinstance(content, bytes) else json.dumps(content)
    return Client().post(path, data, content_type=kind, headers={"Authorization": f"Bearer {key}"})


def logs(*records: dict[str, Any]) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}
