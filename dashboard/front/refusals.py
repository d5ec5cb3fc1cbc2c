"""Refusals before a view is called, in the format of the caller: a page, a `google.rpc.Status` or the API's JSON."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from dashboard.http.database_away import RETRY_AFTER_S
from dashboard.http.middleware import policy
from lib.errors import ApiError
from traffic.ingest.otlp_views import PROTOBUF

OTLP = ("/v1/", "/api/public/")


class Gone(Exception):
    """The client has disconnected."""


def away() -> ApiError:
    """The error (503) while the database does not answer."""
    return ApiError(
        503, _("The database is not available. Send the same again in a moment."), retry_after=RETRY_AFTER_S
    )


def unreadable() -> ApiError:
    return ApiError(400, _("The body of this request ended early, or its chunks are not valid."))


def too_slow() -> ApiError:
    return ApiError(408, _("The body of this request came too slowly: its first byte is awaited for 5 seconds, then "
                           "1 KB a second."))  # fmt: skip


def too_large(limit: int) -> ApiError:
    size = f"{limit >> 20} MiB" if limit >= 1 << 20 else f"{limit >> 10} KiB"
    return ApiError(
        413, _("The body is larger than %(size)s, which is the most that this address takes.") % {"size": size}
    )


def head_too_large(limit: int) -> ApiError:
    return ApiError(431, _("The address and the headers of this request are longer than %(size)s KiB together.")
                    % {"size": limit >> 10})  # fmt: skip


def response_to(error: ApiError, *, path: str, content_type: str, accept: str) -> HttpResponse:
    """The error as a page for browsers, as a `google.rpc.Status` for OTLP, else as the API's JSON."""
    if "text/html" in accept:
        return as_page(error)
    if path.startswith(OTLP):
        return as_status(error, content_type)
    return error.response()


def as_page(error: ApiError) -> HttpResponse:
    context = {"status": error.status, "detail": error.detail}
    # Rendered without the request, whose context would query the database for the user.
    page = "503.html" if error.status == 503 else "refused.html"
    response = HttpResponse(render_to_string(page, context), status=error.status)
    response["Content-Security-Policy"] = policy()
    response["X-Content-Type-Options"] = "nosniff"
    return with_wait(response, error)


def as_status(error: ApiError, content_type: str) -> HttpResponse:
    if content_type.partition(";")[0].strip().lower() != PROTOBUF:
        body = {"message": error.detail, "detail": error.detail, "errors": []}
        return with_wait(JsonResponse(body, status=error.status), error)
    from google.rpc.status_pb2 import Status

    body = Status(message=error.detail).SerializeToString()
    return with_wait(HttpResponse(body, content_type=PROTOBUF, status=error.status), error)


def with_wait(response: HttpResponse, error: ApiError) -> HttpResponse:
    if error.retry_after:
        response["Retry-After"] = str(error.retry_after)
    return response
