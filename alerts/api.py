"""The alerts' part of the JSON API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Query, Router, Schema

from alerts.models import Alert
from providers.rest.paging import Limit, Page, decode_cursor, encode_cursor
from providers.rest.shapes import READ_ERRORS
from traffic.access import needs
from traffic.queries import FilterQuery

router = Router(tags=["alerts"])
State = Literal["pending", "open", "acknowledged", "resolved"]


class DeliveryOut(Schema):
    """One message about one transition."""

    channel: str
    recipient: str
    state: Literal["waiting", "sending", "accepted", "failed", "dead", "folded"]
    accepted_at: datetime | None
    transition: State
    attempts: int
    answer: str


class AlertOut(Schema):
    """A state of one subject that someone must know; `value` and `threshold` are decimal text in the rule's unit."""

    id: int
    rule: str
    kind: str
    subject: str
    state: State
    severity: Literal["info", "warning", "critical"]
    title: str
    level: int
    pending_since: datetime
    opened_at: datetime | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    value: str
    threshold: str
    deliveries: list[DeliveryOut]


def alert_json(alert: Alert) -> dict[str, Any]:
    names = ("id", "kind", "subject", "state", "severity", "title", "level", "value", "threshold")
    times = ("pending_since", "opened_at", "acknowledged_at", "resolved_at")
    shown = {name: getattr(alert, name) for name in (*names, *times)}
    deliveries = [
        {
            name: getattr(delivery, name)
            for name in ("channel", "recipient", "state", "accepted_at", "attempts", "answer")
        }
        | {"transition": delivery.transition.after}
        for delivery in alert.deliveries.all()
    ]
    return {**shown, "rule": alert.rule.slug, "deliveries": deliveries}


@router.get(
    "/alerts",
    auth=needs("read"),
    response={200: Page[AlertOut], **READ_ERRORS},
    summary="Alerts, newest first, with their deliveries",
)
def get_alerts(
    request: HttpRequest,
    filters: Query[FilterQuery],
    state: State | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Any:
    rows = Alert.objects.with_deliveries().about(filters).order_by("-id")
    if state:
        rows = rows.filter(state=state)
    after = decode_cursor(cursor, (int,))
    if after:
        rows = rows.filter(id__lt=after[0])
    found = list(rows[: limit + 1])
    more = encode_cursor(found[limit - 1].pk) if len(found) > limit else None
    return {"items": [alert_json(alert) for alert in found[:limit]], "next": more}
