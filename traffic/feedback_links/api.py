"""Feedback links in the JSON API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from lib.client_address import client_address
from lib.errors import ApiError, at
from lib.shapes import Error
from providers.audit.log import Actor, ActorKind
from traffic.authentication.access import caller_of, needs
from traffic.feedback_links import services
from traffic.ratings.named_requests import find_request
from traffic.schemas import NO_NUL, Whole

router = Router(tags=["traffic"])


class LinkIn(Schema):
    """The answer that is to be judged, by our id or the vendor's response id."""

    model_config = ConfigDict(extra="forbid")

    request_id: Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
    days: Annotated[Whole, Field(ge=1, le=services.MOST_DAYS)] = services.DAYS


class LinkOut(Schema):
    """`url` is shown once. Who has it may judge the answer, until it is used or expires."""

    url: str
    request_id: str
    expires_at: datetime


@router.post(
    "/feedback-links",
    auth=needs("rate"),
    response={201: LinkOut, **dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Error)},
    summary="Make a public link with which one answer is judged once, without a login",
)
def post_feedback_link(request: HttpRequest, body: LinkIn) -> Any:
    caller = caller_of(request)
    row = find_request(body.request_id, caller.application_id)
    if row is None:
        raise ApiError(404, "No request has this id.", [at(["body", "request_id"], "No request has this id.")])
    actor = Actor(ActorKind.KEY, caller.name, caller.key_id, client_address(request))
    link = services.make(request=row, actor=actor, days=body.days)
    return 201, {"url": services.address(link), "request_id": str(row.id), "expires_at": link.expires_at}
