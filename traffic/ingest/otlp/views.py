"""`POST /v1/traces` as the protocol wants it; metrics and logs are taken with thanks, and nothing of them is kept."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from providers.rest.errors import ApiError
from traffic.access import authenticate
from traffic.ingest.body import read_body
from traffic.ingest.otlp.rows import Read, rows_of
from traffic.ingest.otlp.spans import Unreadable, from_json, from_protobuf
from traffic.services import directory, store

MAX_BYTES = 64 << 20
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@csrf_exempt
@require_POST
def traces(request: HttpRequest) -> HttpResponse:
    """Answered after the commit; the database away is a 503, which exporters retry, unlike a 500."""
    try:
        caller = authenticate(request, "ingest")
        spans = from_protobuf if encoding_of(request) == PROTOBUF else from_json
        read = rows_of(spans(read_body(request, MAX_BYTES)), caller, directory.get(), timezone.now())
    except Unreadable as error:
        return refused(request, ApiError(400, f"This is no OTLP request: {error}"))
    except ApiError as error:
        return refused(request, error)
    store(read.rows)
    return succeeded(request, read)


@csrf_exempt
@require_POST
def dropped(request: HttpRequest) -> HttpResponse:
    """Metrics and logs repeat what spans say, and cannot be told apart from them; they are read and dropped."""
    try:
        authenticate(request, "ingest")
        encoding_of(request)
        read_body(request, MAX_BYTES)
    except ApiError as error:
        return refused(request, error)
    return succeeded(request, Read())


def encoding_of(request: HttpRequest) -> str:
    """Raises ApiError (415) for a content type that the protocol does not know."""
    kind = (request.content_type or "").lower()
    if not kind and request.META.get("CONTENT_LENGTH", "0") in ("", "0"):
        return PROTOBUF  # nothing was sent, in whatever encoding
    if kind not in (PROTOBUF, JSON):
        raise ApiError(415, f"Content-Type {kind!r} is not OTLP; send {PROTOBUF} or {JSON}.")
    return kind


def succeeded(request: HttpRequest, read: Read) -> HttpResponse:
    """In the encoding of the request; empty unless spans were rejected, which the client must not send again."""
    if request.content_type == JSON:
        rejected = {"rejectedSpans": str(read.rejected), "errorMessage": read.reason}
        return JsonResponse({"partialSuccess": rejected} if read.rejected else {})
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    if read.rejected:
        answer.partial_success.rejected_spans = read.rejected
        answer.partial_success.error_message = read.reason
    return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)


def refused(request: HttpRequest, error: ApiError) -> HttpResponse:
    """A google.rpc.Status in the encoding of the request."""
    if request.content_type == PROTOBUF:
        from google.rpc.status_pb2 import Status

        body = Status(message=error.detail).SerializeToString()
        response = HttpResponse(body, content_type=PROTOBUF, status=error.status)
    else:
        response = JsonResponse({"message": error.detail, "detail": error.detail, "errors": []}, status=error.status)
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response
