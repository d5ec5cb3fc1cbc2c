"""The JSON API under /api/v1/: one router for each app, one shape of errors. Only the schema is public."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from http import HTTPStatus
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.openapi.schema import OpenAPISchema

from alerts.api import router as alerts
from costs.api import router as costs
from dashboard.http.database_away import away
from lib.errors import ApiError
from providers.api import router as providers
from traffic.api import router as traffic
from traffic.authentication.access import needs
from traffic.comparisons.api import router as comparisons
from traffic.ingest.context import AWAY


class Api(NinjaAPI):
    """The API with a cached schema: it depends on the code only, takes a second to make, and anybody may request it."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._schemas:
            self._schemas[prefix] = with_refusals(super().get_openapi_schema(path_prefix=prefix))
        return self._schemas[prefix]

    @cached_property
    def _schemas(self) -> dict[str, OpenAPISchema]:
        return {}


def with_refusals(schema: OpenAPISchema) -> OpenAPISchema:
    """The schema with the statuses that `dashboard.front` may send before an operation is called."""
    for operation in (operation for methods in schema["paths"].values() for operation in methods.values()):
        responses = operation["responses"]
        for status in (408, 413, 415, 503) if "requestBody" in operation else (503,):
            responses.setdefault(status, {**responses[401], "description": HTTPStatus(status).phrase})
    return schema


api = Api(
    title="Breakeven",
    version="1",
    description="Every figure that a page shows, from the same functions. Money is a decimal string in USD.",
    docs_url=None,  # its page loads from other hosts
    urls_namespace="api",
)
api.add_router("", traffic)
api.add_router("", comparisons)
api.add_router("", costs)
api.add_router("", providers, auth=needs("read"))
api.add_router("", alerts)


@api.exception_handler(ApiError)
def refused(request: HttpRequest, error: ApiError) -> HttpResponse:
    return error.response()


@api.exception_handler(ValidationError)
def invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    errors: list[dict[str, Any]] = [{"loc": place(entry["loc"]), "msg": entry["msg"]} for entry in error.errors]
    return ApiError(422, "Some parameters do not match the schema.", errors).response()


def place(loc: Sequence[str | int]) -> list[str | int]:
    """The location of an error without the names of our functions' parameters, which callers do not know.

    A body is always one parameter, and so is a group of query parameters. The fields of a group have names; after a
    plain parameter comes only a number, the position in its list.
    """
    grouped = loc[:1] == ("body",) or (loc[:1] == ("query",) and len(loc) > 2 and isinstance(loc[2], str))
    return [*loc[:1], *loc[2:]] if grouped else list(loc)


@api.exception_handler(HttpError)
def http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    return ApiError(error.status_code, str(error)).response()


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return ApiError(404, str(error) or "There is nothing here.").response()


def database_away(request: HttpRequest, error: Exception | type[Exception]) -> HttpResponse:
    return away(request, error if isinstance(error, Exception) else error())


for kind in AWAY:
    api.add_exception_handler(kind, database_away)
