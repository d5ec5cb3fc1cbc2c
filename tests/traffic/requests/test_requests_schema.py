"""The schema of a row says what the reader takes: its fields, their types, bounds and words."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from django.test import Client

from traffic.ingest.bounds import MOST_TOKENS
from traffic.ingest.native import Rejected, RequestIn, decode

GOOD = {"started_at": "2026-11-24T10:00:00Z", "provider": "anthropic", "model": "claude-test"}


@pytest.fixture
def row(db: Any) -> dict[str, Any]:
    published = json.loads(Client().get("/api/v1/openapi.json").content)
    body = published["paths"]["/api/v1/requests"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["requests"] and body["properties"]["requests"]["maxItems"] == 5_000
    found: dict[str, Any] = body["properties"]["requests"]["items"]
    return found


def test_every_field_is_described(row: dict[str, Any]) -> None:
    assert set(row["properties"]) == set(RequestIn.__struct_fields__)
    assert row["required"] == ["started_at", "provider", "model"]
    assert set(row["properties"]["outcome"]["enum"]) == {"ok", "error", "timeout", "cancelled", "refused"}
    tokens = row["properties"]["tokens"]["anyOf"][0]["properties"]
    assert tokens["output"] == {"type": "integer", "minimum": 0, "maximum": MOST_TOKENS, "default": 0}
    assert "$ref" not in json.dumps(row)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tokens": {"output": 5}, "latency_ms": 0.5, "prompt": [{"role": "user"}], "task": "rag"},
        {"tokens": None, "deployment": None, "prompt": "Hi", "http_status": 200},
        {"model": ""},
        {"model": 7},
        {"provider": "x" * 81},
        {"task": "poetry"},
        {"http_status": 99},
        {"latency_ms": -1},
        {"latency_ms": "1"},
        {"tokens": {"output": -1}},
        {"tokens": {"output": 1.5}},
        {"tokens": {"words": 1}},
        {"streamed": "yes"},
        {"colour": "red"},
        {"prompt": {}},
    ],
)
def test_the_schema_and_the_reader_agree(row: dict[str, Any], given: dict[str, Any]) -> None:
    value = {**GOOD, **given}
    assert jsonschema_rs.is_valid(row, value) == reads(value)


def reads(value: dict[str, Any]) -> bool:
    try:
        decode(json.dumps(value).encode())  # type: ignore[arg-type]  # bytes are as good as a Raw to read
    except Rejected:
        return False
    return True
