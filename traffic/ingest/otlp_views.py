"""OTLP over HTTP: answers in the encoding of the request, after the commit."""

from __future__ import annotations

from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from lib.errors import ApiError
from traffic.authentication.access import authenticate
from traffic.authentication.keys import password_of, secret_of
from traffic.ingest import late_texts, store_status
from traffic.ingest.body import read_body
from traffic.ingest.context import AWAY, lookup_tables
from traffic.ingest.dropped_signals import count_dropped
from traffic.ingest.otlp import json_encoding as plain
from traffic.ingest.otlp import protobuf
from traffic.ingest.otlp.rows import Read, rows_of
from traffic.ingest.otlp.spans import Signal, Unreadable
from traffic.ingest.parse_lock import parse_lock
from traffic.ingest.pipeline import early_batch, store_apart
from traffic.ingest.refusals import log_refused

MAX_BYTES = 64 << 20
PROTOBUF, JSON = "application/x-protobuf", "application/json"
RETRY_AFTER_S = 2  # a Python exporter gives up on what would take more than ten seconds
# Other writers' rows in the way, or no database: the same batch may pass in a moment.
RETRIED = (*AWAY, IntegrityError)


@csrf_exempt
@require_POST
def traces(request: HttpRequest) -> HttpResponse:
    return take(request, "traces")


@csrf_exempt
@require_POST
def langfuse(request: HttpRequest) -> HttpResponse:
    """Traces where Langfuse's SDKs export to, which send their secret key as a password."""
    return take(request, "traces", password_of(request))


@csrf_exempt
@require_POST
def logs(request: HttpRequest) -> HttpResponse:
    return take(request, "logs")


@csrf_exempt
@require_POST
def metrics(request: HttpRequest) -> HttpResponse:
    return take(request, "metrics")


def take(request: HttpRequest, signal: Signal, secret: str = "") -> HttpResponse:
    """Read an export, store what it tells of calls, count the rest. 503 where sending it again may help, never 500."""
    try:
        caller = authenticate(request, "ingest", secret or secret_of(request))
        reader = protobuf if encoding_of(request) == PROTOBUF else plain
        body, tables, now = read_body(request, MAX_BYTES), lookup_tables.get(), timezone.now()
        with parse_lock(size=len(body)):
            read = rows_of(reader.read(body, signal), caller, tables, now)
            batch = early_batch(read.rows, caller)
        del body  # to write its rows takes longer than to read them
        for _place in store_apart(read.rows, caller, batch).refused:
            read.reject("A span holds what the database cannot store.")
        if signal == "logs":
            late_texts.save(read, caller, now)
        count_dropped(read, signal, caller.application_id)
    except Unreadable as error:
        return refused(request, signal, ApiError(400, f"This is no OTLP request: {error}"))
    except ApiError as error:
        return refused(request, signal, error)
    except RETRIED as error:
        return refused(request, signal, ApiError(503, store_status.send_again(error), retry_after=RETRY_AFTER_S))
    return succeeded(request, read, signal)


def kind_of(request: HttpRequest) -> str:
    """The content type; a request without one and without a body is taken for protobuf."""
    kind = (request.content_type or "").lower()
    return PROTOBUF if not kind and request.META.get("CONTENT_LENGTH", "0") in ("", "0") else kind


def encoding_of(request: HttpRequest) -> str:
    """Raises ApiError (415) for a content type that the protocol does not know."""
    kind = kind_of(request)
    if kind not in (PROTOBUF, JSON):
        raise ApiError(415, f"Content-Type {kind!r} is not OTLP. Send {PROTOBUF} or {JSON}.")
    return kind


# What a signal calls its items where it says how many were rejected.
ITEMS: dict[Signal, str] = {"traces": "spans", "logs": "log_records", "metrics": "data_points"}


def succeeded(request: HttpRequest, read: Read, signal: Signal) -> HttpResponse:
    """In the encoding of the request; empty unless items were rejected, which the client must not send again."""
    if kind_of(request) == JSON:
        name = "rejected" + ITEMS[signal].title().replace("_", "")
        rejected = {name: str(read.rejected), "errorMessage": read.reason}
        return JsonResponse({"partialSuccess": rejected} if read.rejected else {})
    if not read.rejected:
        return HttpResponse(b"", content_type=PROTOBUF)
    # The three signals number these fields alike, and metrics are never rejected.
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans = read.rejected
    answer.partial_success.error_message = read.reason
    return HttpResponse(answer.SerializeToString(), content_type=PROTOBUF)


def refused(request: HttpRequest, signal: Signal, error: ApiError) -> HttpResponse:
    """A google.rpc.Status in the encoding of the request."""
    log_refused(request, f"otlp_{signal}", error)
    if kind_of(request) == PROTOBUF:
        from google.rpc.status_pb2 import Status

        body = Status(message=error.detail).SerializeToString()
        response = HttpResponse(body, content_type=PROTOBUF, status=error.status)
    else:
        response = JsonResponse({"message": error.detail, "detail": error.detail, "errors": []}, status=error.status)
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
