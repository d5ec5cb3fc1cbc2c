"""The alerts' part of the JSON API: what is open, and the steps that people take, for programs that take them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from alerts.evaluation import services
from alerts.inbox import queries
from alerts.lifecycle.silences import Matcher
from alerts.lifecycle.states import NotPossible
from alerts.models import Alert, Silence
from lib.client_address import client_address
from lib.errors import ApiError
from lib.paging import Limit, Page, decode_cursor, encode_cursor
from lib.shapes import READ_ERRORS, Error
from providers.audit.log import Action, Actor, ActorKind, record
from traffic.authentication.access import application_of_key, caller_of, needs
from traffic.requests.query_params import FilterQuery

router = Router(tags=["alerts"])
State = Literal["pending", "open", "acknowledged", "resolved"]


class DeliveryOut(Schema):
    """One message about one transition."""

    channel: str
    recipient: str
    state: Literal["waiting", "sending", "accepted", "failed", "dead", "folded", "unsent"]
    accepted_at: datetime | None
    transition: State = Field(validation_alias="transition.after")
    attempts: int
    answer: str


class AlertOut(Schema):
    """A state of one subject that people must know. `value` and `threshold` are decimal text in the rule's unit."""

    id: int
    rule: str = Field(validation_alias="rule.slug")
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
    labels: dict[str, str]
    assigned_to: str | None
    snoozed_until: datetime | None
    deliveries: list[DeliveryOut]

    @staticmethod
    def resolve_assigned_to(alert: Alert) -> str | None:
        return alert.assigned_to.get_username() if alert.assigned_to else None


def shown_to(request: HttpRequest, alert: Alert) -> Alert:
    """An alert to answer with, never to save: for a key of an application without recipients and assignee."""
    if application_of_key(request) is not None:
        alert.assigned_to = None
        for delivery in alert.deliveries.all():  # those that were read with it
            delivery.recipient = delivery.answer = ""
    return alert


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
    if application_of_key(request):
        filters.application = []  # the key's own, by whatever words a subject says so
    after = decode_cursor(cursor, (int,))
    page = queries.visible_alerts(
        application_of_key(request), filters=filters, state=state or "", before=after[0] if after else None, size=limit
    )
    more = encode_cursor(page.next_before) if page.next_before is not None else None
    return {"items": [shown_to(request, alert) for alert in page.rows], "next": more}


ACT_ERRORS: dict[int, Any] = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Error)
MOST_ID = 2**63 - 1
AlertId = Annotated[int, Field(ge=1, le=MOST_ID)]
Line = Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")]  # Postgres stores no NUL
Words = Annotated[str, Field(max_length=500, pattern="^[^\\x00]*$")]
Repeating = Annotated[
    Literal["", "day", "week"], Field(description="Whether it comes again on the same hours of its zone's clock")
]
Zone = Annotated[Line, Field(max_length=60, description="IANA name")]
Ahead = Annotated[datetime, Field(description="In the future. Without an offset it is UTC")]


class NoteIn(Schema):
    note: Words = ""


class NothingIn(Schema):
    note: Literal[""] = ""


class RemarkIn(Schema):
    note: Annotated[Words, Field(min_length=1)]


class AssignIn(Schema):
    """`to` is a user name, or null to unassign it."""

    to: Annotated[Line, Field(max_length=150)] | None
    note: Words = ""


class SnoozeIn(Schema):
    until: Ahead
    note: Words = ""


class SilenceIn(Schema):
    """What is left empty matches everything, but one part must be given. `*` in the subject stands for anything."""

    kind: Annotated[Line, Field(max_length=40)] = ""
    subject: Line = ""
    severity: Literal["", "info", "warning", "critical"] = ""
    labels: Annotated[dict[Line, Line], Field(max_length=20)] = {}
    starts_at: datetime | None = None
    until: Annotated[datetime, Field(description="Ahead of now, of one that repeats the end of the first window")]
    repeats: Repeating = ""
    zone: Zone = "UTC"
    repeats_until: datetime | None = None
    reason: Annotated[Line, Field(min_length=1)]


class SilenceOut(Schema):
    id: int
    kind: str
    subject: str
    severity: str
    labels: dict[str, str]
    starts_at: datetime | None
    until: datetime
    repeats: Repeating
    zone: str
    repeats_until: datetime | None
    in_force: bool
    reason: str
    by: str | None

    @staticmethod
    def resolve_in_force(silence: Silence) -> bool:
        return silence.recurring_window.at(timezone.now()) is not None

    @staticmethod
    def resolve_by(silence: Silence) -> str | None:
        return silence.by.get_username() if silence.by else None


def silence_shown_to(request: HttpRequest, silence: Silence) -> Silence:
    """A silence to answer with, never to save: for a key of an application without who made it."""
    if application_of_key(request) is not None:
        silence.by = None
    return silence


def labels_for(request: HttpRequest, labels: dict[str, str]) -> dict[str, str]:
    """A key of an application silences its own alerts alone. Raises ApiError (403) for another application."""
    own = application_of_key(request)
    if own is None:
        return labels
    if labels.get("application", own) != own:
        raise ApiError(403, f"This key is of the application {own!r} only.")
    return labels | {"application": own}


def aware(at: datetime) -> datetime:
    """In UTC: Postgres knows no offset past 15:59. Raises ApiError (422) for what lies outside the calendar there."""
    try:
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ApiError(422, f"{at.isoformat()} is outside the calendar in UTC.") from None


def author(request: HttpRequest, note: str) -> tuple[AbstractBaseUser | None, str]:
    """Who made the key, and the note with the key's name, so that the timeline says that a program did it.

    A key of an application acts in nobody's name. Raises ApiError (403) where whoever made the key may not act on
    alerts any more.
    """
    key = queries.key_with_maker(caller_of(request).key_id)
    key_text = f"key {key.name}" if key.application is None else f"key {key.name} of {key.application.slug}"
    text = f"{note} ({key_text})" if note else key_text
    if key.application is not None or key.created_by is None:
        return None, text
    if queries.person_who_may_act(pk=key.created_by.pk) is None:
        raise ApiError(403, "The creator of this key may no longer act on alerts.")
    return key.created_by, text


def log_key(request: HttpRequest, action: str, thing: Alert | Silence, message: str) -> None:
    """An act of a key in the audit log, by the key's own name: whose it is need not be who acts."""
    caller = caller_of(request)
    actor = Actor(ActorKind.KEY, caller.name, caller.key_id, client_address(request))
    record(action, actor=actor, thing=thing, message=message)


Step = Callable[[int, Any, AbstractBaseUser | None, str], Alert]  # alert, body, who, what the timeline says


def step(name: str, summary: str, act: Step, body_class: type[Schema] = NoteIn) -> None:
    """`POST /alerts/{id}/name`: one step of a program, under the name of whoever made its key."""

    def post(request: HttpRequest, alert_id: int, body: Any) -> Any:
        if not queries.may_see_alert(application_of_key(request), alert_id):
            raise ApiError(404, "There is no such alert.")
        by, note = author(request, body.note)
        try:
            alert = act(alert_id, body, by, note)
        except NotPossible as error:
            raise ApiError(409, f"Nothing was changed: {error}.") from None
        log_key(request, Action.CHANGED, alert, name)
        return shown_to(request, queries.alert_with_deliveries(alert_id))

    post.__name__ = "post_" + name.replace("-", "_")
    post.__annotations__ |= {"alert_id": AlertId, "body": body_class}
    answers = {200: AlertOut, **ACT_ERRORS}
    router.post(f"/alerts/{{alert_id}}/{name}", auth=needs("alerts"), response=answers, summary=summary)(post)


def assign(alert_id: int, body: AssignIn, by: AbstractBaseUser | None, note: str) -> Alert:
    person = queries.person_who_may_act(username=body.to) if body.to is not None else None
    if body.to is not None and person is None:
        raise ApiError(422, "No user of that name may act on alerts.", [{"loc": ["body", "to"], "msg": "unknown"}])
    return services.assign(alert_id=alert_id, to=person, by=by, note=note)


step(
    "acknowledge", "Acknowledge an open alert: no reminder, no escalation",
    lambda pk, body, by, note: services.acknowledge(alert_id=pk, by=by, note=note),
)  # fmt: skip
step(
    "unacknowledge", "Undo an acknowledgement. The alert is open again",
    lambda pk, body, by, note: services.unacknowledge(alert_id=pk, by=by, note=note),
)  # fmt: skip
step("assign", "Assign an alert to a person who may act and is notified, or unassign it", assign, AssignIn)
step(
    "note", "Write a note into an alert's timeline",
    lambda pk, body, by, note: services.write_note(alert_id=pk, by=by, note=note), RemarkIn,
)  # fmt: skip
step(
    "erase-note", "Delete the newest note of this key's person",
    lambda pk, body, by, note: services.erase_note(alert_id=pk, by=by), NothingIn,
)  # fmt: skip
step(
    "snooze", "Snooze an alert. If it is still open then, its recipients are notified again",
    lambda pk, body, by, note: services.snooze(alert_id=pk, until=aware(body.until), by=by, note=note), SnoozeIn,
)  # fmt: skip
step(
    "unsnooze", "End a snooze",
    lambda pk, body, by, note: services.unsnooze(alert_id=pk, by=by, note=note),
)  # fmt: skip
step(
    "resolve", "Resolve an alert. While its limit is still exceeded, no notification is sent",
    lambda pk, body, by, note: services.resolve(alert_id=pk, by=by, note=note),
)  # fmt: skip
step(
    "reopen", "Undo a resolution, with its mails that are not sent yet",
    lambda pk, body, by, note: services.reopen(alert_id=pk, by=by, note=note),
)  # fmt: skip


@router.get(
    "/silences",
    auth=needs("read"),
    response={200: list[SilenceOut], **READ_ERRORS},
    summary="Silences in force and planned ones",
)
def get_silences(request: HttpRequest) -> Any:
    silences = queries.visible_silences(application_of_key(request), timezone.now())
    return [silence_shown_to(request, silence) for silence in silences]


@router.post(
    "/silences",
    auth=needs("alerts"),
    response={200: SilenceOut, **ACT_ERRORS},
    summary="Add a silence, or with a later `starts_at` a planned one",
)
def post_silence(request: HttpRequest, body: SilenceIn) -> Any:
    matcher = Matcher(body.kind, body.subject, body.severity, labels_for(request, body.labels))
    if not matcher.words:
        raise ApiError(422, "Choose what to silence. A silence of everything would hide what matters.")
    by, _note = author(request, "")
    if body.zone not in available_timezones():
        raise ApiError(422, "There is no time zone of this name.", [{"loc": ["body", "zone"], "msg": "unknown"}])
    try:
        made = services.silence(
            matcher=matcher,
            starts_at=aware(body.starts_at) if body.starts_at else None,
            until=aware(body.until),
            repeats=body.repeats,
            zone=body.zone,
            repeats_until=aware(body.repeats_until) if body.repeats_until else None,
            reason=body.reason,
            by=by,
        )
    except ValueError as error:
        raise ApiError(422, str(error), [{"loc": ["body", "until"], "msg": str(error)}]) from None
    log_key(request, Action.ADDED, made, f"silenced: {made.matcher.words}")
    return made


@router.post(
    "/silences/{silence_id}/end",
    auth=needs("alerts"),
    response={200: SilenceOut, **ACT_ERRORS},
    summary="End a silence now",
)
def post_silence_end(request: HttpRequest, silence_id: AlertId) -> Any:
    if not queries.may_see_silence(application_of_key(request), silence_id):
        raise ApiError(404, "There is no such silence.")
    author(request, "")  # who may not act any more does not end silences either
    services.end_silence(silence_id=silence_id)
    ended = queries.silence_by_key(silence_id)
    log_key(request, Action.CHANGED, ended, f"ended the silence of: {ended.matcher.words}")
    return silence_shown_to(request, ended)
