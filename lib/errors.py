"""The one error shape of the JSON API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import JsonResponse


class ApiError(Exception):
    """An answer of 4xx: a sentence, and where what is wrong stands."""

    def __init__(self, status: int, detail: str, errors: Sequence[dict[str, Any]] = (), retry_after: int = 0) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.retry_after = retry_after

    def response(self) -> JsonResponse:
        answer = JsonResponse({"detail": self.detail, "errors": self.errors}, status=self.status)
        if self.retry_after:
            answer["Retry-After"] = str(self.retry_after)
        if self.status == 401:
            answer["WWW-Authenticate"] = "Bearer"
        return answer


def at(loc: Sequence[str | int], message: str) -> dict[str, Any]:
    """One entry of `errors`."""
    return {"loc": list(loc), "msg": message}
