"""Traffic's part of the JSON API: requests and ratings in; usage, latency and quality out."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from ninja import Router, Schema

from traffic.access import caller_of, needs
from traffic.ingest.body import read_body
from traffic.ingest.native import MAX_BYTES
from traffic.services import ingest_native

router = Router(tags=["traffic"])


class RowErrors(Schema):
    """Why one row of a batch was not stored."""

    index: int
    errors: list[dict[str, Any]]


class IngestAnswer(Schema):
    accepted: int
    duplicates: int
    rejected: list[RowErrors]


@router.post(
    "/requests",
    auth=needs("ingest"),
    response=IngestAnswer,
    summary="Store requests; answered after the commit",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["requests"],
                        "properties": {"requests": {"type": "array", "maxItems": 5000, "items": {"type": "object"}}},
                    }
                }
            },
        }
    },
)
def post_requests(request: HttpRequest) -> JsonResponse:
    answer = ingest_native(body=read_body(request, MAX_BYTES), caller=caller_of(request), now=timezone.now())
    return JsonResponse(answer)
