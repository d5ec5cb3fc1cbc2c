"""Finds the other tries of a call that LiteLLM reported as requests of their own: failed ones and the answered one."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from traffic.models import Installation, Outcome, Request
from traffic.request_ids import request_id

WINDOW = timedelta(minutes=10)  # between a try that failed and the answer
READ_MOST = 2_000  # failures of that time that are looked at
TIMES = {"id", "day", "started_at", "external_id", "source", "application_id", "outcome"}
ERRORS = {"http_status", "error_type", "provider", "model"}


class Retries(NamedTuple):
    """The other tries of a call: those that failed before this one, and the one that was answered after it."""

    failed: list[Request]
    answered: Request | None


NONE = Retries([], None)


def retries_of(request: Request) -> Retries:
    """Reads a bounded number of rows; a failure bears the name of its call and its own time (`ingest.litellm`)."""
    if request.source != "litellm":
        return NONE
    own = f":{request.started_at.timestamp()}"
    was_try = request.outcome == Outcome.ERROR and request.external_id.endswith(own)
    name = request.external_id.removesuffix(own) if was_try else request.external_id
    if not name:
        return NONE
    start = request.started_at - WINDOW
    odd = Request.objects.in_days(start.date(), request.day + timedelta(days=1))
    errors = odd.between(start, request.started_at, odd=True).only(*TIMES, *ERRORS)[:READ_MOST]
    failed = [
        error
        for error in errors
        if error.application_id == request.application_id
        and error.external_id == f"{name}:{error.started_at.timestamp()}"
    ]
    return Retries(failed[::-1], answer_to(name, request) if was_try else None)


def answer_to(name: str, failed: Request) -> Request | None:
    """The request that ended a call, whose id is made from the call's name; of the next day near midnight."""
    salt = bytes(Installation.objects.get().salt)
    for day in dict.fromkeys((failed.day, (failed.started_at + WINDOW).date())):
        if answer := Request.objects.by_id(request_id(salt, failed.application_id, name, day)):
            return answer
    return None
