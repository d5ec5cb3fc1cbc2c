"""What `POST /api/v1/requests` takes, as JSON Schema: made from the structs that read it."""

from __future__ import annotations

from typing import Any

import msgspec

from traffic.ingest.native import MAX_ROWS, RequestIn

REF = "#/components/schemas/{name}"
ABOUT = {
    "started_at": "With its offset from UTC. Not older than requests are kept, and at most a day ahead of our clock.",
    "id": "The sender's own. A row whose id was sent before is a duplicate.",
    "application": "A slug. The key of an application writes for that one alone.",
    "deployment": "The slug of a deployment.",
    "latency_ms": "Milliseconds to the end of the answer.",
    "ttft_ms": "Milliseconds to the first token.",
    "response_id": "The vendor's id of the answer.",
    "tokens": "Left out where the usage is not known. `reasoning` is part of `output`.",
    "user": "Stored as a hash.",
    "instead_of": "The slug of the deployment that was meant to answer and was down: outages count what was rerouted.",
    "service_tier": "As the vendor names it: `priority`, `flex`. Left out: the standard one.",
    "inference_geo": "The region that the vendor was bound to, as `us`. Left out: any.",
    "finish_reason": "Why the answer ended, in the vendor's word: `length`, `max_tokens`. Left out: not known.",
    "prompt": "Text, or an array of messages. Kept only where the application keeps bodies.",
    "answer": "Kept only where the application keeps bodies.",
}


def batch_schema() -> dict[str, Any]:
    """The body of a batch, its parts written out in place: the API's own components are made elsewhere."""
    return {
        "type": "object",
        "required": ["requests"],
        "properties": {"requests": {"type": "array", "maxItems": MAX_ROWS, "items": row_schema()}},
    }


def row_schema() -> dict[str, Any]:
    """One row: names, types, bounds, enums."""
    (_top,), parts = msgspec.json.schema_components([RequestIn], ref_template=REF)
    row: dict[str, Any] = inlined(parts["RequestIn"], {REF.format(name=name): part for name, part in parts.items()})
    for name, about in ABOUT.items():
        row["properties"][name]["description"] = about
    return row


def inlined(schema: Any, parts: dict[str, Any]) -> Any:
    """A schema with its references replaced by what they refer to."""
    if isinstance(schema, list):
        return [inlined(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return inlined(parts[schema["$ref"]], parts)
    return {name: inlined(value, parts) for name, value in schema.items()}
