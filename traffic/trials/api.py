"""Trials and sets of answers in the JSON API. What a trial has measured is in `costs.trials`."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from lib.client_address import client_address
from lib.errors import ApiError, at
from lib.forms import one_line
from lib.paging import Limit, Page, decode_cursor, encode_cursor
from lib.shapes import READ_ERRORS, Error
from providers.audit.log import Action, Actor, ActorKind, record
from traffic.authentication.access import caller_of, needs
from traffic.models import AnswerSet
from traffic.models.trials import PromptSource
from traffic.schemas import NO_NUL, Whole
from traffic.trials import queries, services, sets
from traffic.trials.prompts import MOST_PROMPTS, MOST_TEXT, Prompt, Unfit, builtin, checked
from traffic.trials.services import (
    ANSWER_TOKENS,
    MOST_ANSWER_TOKENS,
    MOST_CAP,
    MOST_CONCURRENCY,
    MOST_SECONDS,
    MOST_STEPS,
    Plan,
)

router = Router(tags=["trials"])
ERRORS: dict[int, Any] = dict.fromkeys((400, 401, 403, 422, 429, 503), Error)
SetId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Slug = Annotated[str, Field(min_length=1, max_length=80, pattern=NO_NUL)]


class PromptIn(Schema):
    model_config = ConfigDict(extra="forbid")

    prompt: (
        Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]
        | Annotated[list[dict[str, Any]], Field(min_length=1, max_length=200)]
    )
    task: Annotated[str | None, Field(max_length=20)] = None


class TrialIn(Schema):
    """A trial to start. Each deployment is called at each concurrency for so many seconds."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
    candidate: Slug
    baseline: Slug | None = None
    prompts: Literal["builtin"] | Annotated[list[PromptIn], Field(min_length=1, max_length=MOST_PROMPTS)] = "builtin"
    concurrency: Annotated[
        list[Annotated[Whole, Field(ge=1, le=MOST_CONCURRENCY)]], Field(min_length=1, max_length=MOST_STEPS)
    ] = [1, 2, 4, 8]
    seconds_per_step: Annotated[Whole, Field(ge=1, le=MOST_SECONDS)] = 30
    answer_tokens: Annotated[Whole, Field(ge=1, le=MOST_ANSWER_TOKENS)] = ANSWER_TOKENS
    cap_usd: Annotated[Decimal, Field(ge=0, le=MOST_CAP, decimal_places=12)]


class TrialState(Schema):
    id: int
    state: str


def prompts_of(body: TrialIn) -> list[Prompt]:
    """Raises ApiError (422) that names the prompt at fault."""
    if body.prompts == "builtin":
        return list(builtin())
    prompts, errors = [], []
    for number, entry in enumerate(body.prompts):
        try:
            prompts.append(checked(entry.prompt, entry.task))
        except Unfit as error:
            errors.append(at(["body", "prompts", number], str(error)))
    if errors:
        raise ApiError(422, "Some prompts do not match the schema.", errors)
    return prompts


def plan_of(body: TrialIn) -> Plan:
    """Raises ApiError (422) with what is wrong."""
    rows = queries.deployments_by_slug([slug for slug in (body.candidate, body.baseline) if slug])
    missing = [
        at(["body", name], "No deployment has this slug.")
        for name, slug in (("candidate", body.candidate), ("baseline", body.baseline))
        if slug and slug not in rows
    ]
    if missing:
        raise ApiError(422, "No deployment has this slug.", missing)
    plan = Plan(
        name=body.name,
        candidate=rows[body.candidate],
        baseline=rows[body.baseline] if body.baseline else None,
        concurrency=body.concurrency,
        seconds_per_step=body.seconds_per_step,
        answer_tokens=body.answer_tokens,
        cap_usd=body.cap_usd,
        source=PromptSource.BUILTIN if body.prompts == "builtin" else PromptSource.API,
        prompts=prompts_of(body),
    )
    if errors := plan.check():
        raise ApiError(422, errors[0][1], [at(["body", name], sentence) for name, sentence in errors])
    return plan


def log(request: HttpRequest, action: str, thing: Model, message: str = "", count: int = 1) -> None:
    caller = caller_of(request)
    actor = Actor(ActorKind.KEY, caller.name, caller.key_id, client_address(request))
    record(action, actor=actor, thing=thing, message=message, count=count)


@router.post(
    "/trials",
    auth=needs("trials"),
    response={201: TrialState, **ERRORS},
    summary="Start a trial: a candidate and a baseline answer one prompt set at stated concurrencies",
    description="It is queued, and a worker begins within seconds. Every call is checked against the cap at its worst "
    "case before it is sent.",
)
def post_trial(request: HttpRequest, body: TrialIn) -> Any:
    plan = plan_of(body)
    trial = services.create(plan, audit=lambda made: log(request, Action.ADDED, made))
    return 201, {"id": trial.pk, "state": trial.state}


@router.post(
    "/trials/{trial_id}/stop",
    auth=needs("trials"),
    response={200: TrialState, 404: Error, **ERRORS},
    summary="Stop a trial within a second. What it has measured stays",
)
def post_trial_stop(request: HttpRequest, trial_id: Annotated[int, Field(ge=1, le=2**63 - 1)]) -> Any:
    trial = queries.trial_or_404(trial_id)
    if services.stop(trial):
        log(request, Action.CHANGED, trial, "stop")
    return 200, {"id": trial.pk, "state": trial.state}


# --- sets of answers ---


class SetIn(Schema):
    """A version of a set. An item is as a line of the set's file: `prompt`, `task`, `answer`, `acceptable`."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=NO_NUL)]
    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST_PROMPTS)]


class SetOut(Schema):
    """One version. `items` counts those that are still stored, `rejected` the lines of its file that were no item."""

    id: int
    name: str
    version: int
    created_at: datetime
    by: str | None
    items: int
    rejected: int


class OneSetOut(SetOut):
    """`hidden` items are copies of texts that this key may not read. `trials` are the newest that sent its prompts."""

    hidden: int
    rejected_lines: list[tuple[int, str]]
    trials: list[int]


class RejectedItem(Schema):
    index: int
    msg: str


class MadeSetOut(SetOut):
    """`rejected_items` are those of the body that are no item. The others are stored."""

    rejected_items: list[RejectedItem]


def readable_by(request: HttpRequest) -> list[int]:
    """Copies of stored texts are for keys that may rate answers too; without that scope none is read."""
    caller = caller_of(request)
    return queries.every_application() if "rate" in caller.scopes and "rate" not in caller.lapsed else []


def set_json(answer_set: AnswerSet, items: int | None = None) -> dict[str, Any]:
    """`items` where the set is not annotated with their number."""
    by = answer_set.by.get_username() if answer_set.by else None
    plain = {name: getattr(answer_set, name) for name in ("name", "version", "created_at", "rejected")}
    return {"id": answer_set.pk, "by": by, "items": getattr(answer_set, "n", items), **plain}


@router.get(
    "/sets",
    auth=needs("trials"),
    response={200: Page[SetOut], **READ_ERRORS},
    summary="Versions of sets of answers, newest first",
)
def get_sets(
    request: HttpRequest,
    name: Annotated[str | None, Field(max_length=100, pattern=NO_NUL)] = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Any:
    after = decode_cursor(cursor, (int,))
    rows = sets.sets_before(after[0] if after else None, limit + 1, name)
    more = encode_cursor(rows[limit - 1].pk) if len(rows) > limit else None
    return {"items": [set_json(row) for row in rows[:limit]], "next": more}


@router.get(
    "/sets/{set_id}",
    auth=needs("trials"),
    response={200: OneSetOut, 404: Error, **READ_ERRORS},
    summary="One version of a set of answers",
)
def get_set(request: HttpRequest, set_id: SetId) -> Any:
    answer_set = sets.set_or_404(set_id)
    shown, facts = sets.items_of(answer_set, readable_by(request)).count(), set_json(answer_set)
    trials = [trial.pk for trial in sets.trials_of(answer_set)]
    beside = {"hidden": facts["items"] - shown, "rejected_lines": answer_set.rejected_lines, "trials": trials}
    return facts | beside


@router.get(
    "/sets/{set_id}/items",
    auth=needs("trials"),
    response={200: None, 404: Error, **READ_ERRORS},
    openapi_extra={"responses": {200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}}}},
    summary="The items of a version as JSON lines, as the page's download has them",
    description="Copies of stored texts are left out, unless the key also has the scope rate. With `trial`, each "
    "line has the new answer's `request_id`, `ratings` and `acceptable_ratings`. Its `change` is `worse`, `better`, "
    "`same`, or `open` until it is rated.",
)
def get_set_items(request: HttpRequest, set_id: SetId, trial: SetId | None = None) -> Any:
    answer_set = sets.set_or_404(set_id)
    against = sets.trials_of(answer_set, trial) if trial is not None else [None]
    if not against:
        raise ApiError(404, "No trial with this id has sent this set.")
    items = list(sets.items_of(answer_set, readable_by(request)))
    log(request, Action.EXPORT, answer_set, count=max(len(items), 1))
    return StreamingHttpResponse(sets.lines(items, against[0]), content_type="application/x-ndjson")


@router.post(
    "/sets",
    auth=needs("trials"),
    response={201: MadeSetOut, **ERRORS},
    summary="Store a version of a set of answers: a new one, where the name exists",
    description="An object that is no item is named in `rejected_items`, and the others are stored. 422 without any.",
)
def post_set(request: HttpRequest, body: SetIn) -> Any:
    draft = sets.Draft()
    rejected: list[dict[str, Any]] = []
    deployments = sets.known_deployments()
    for index, value in enumerate(body.items):
        try:
            draft.items.append(sets.item_from(value, deployments))
        except Unfit as error:
            rejected.append({"index": index, "msg": str(error)})
    if not draft.items:
        errors = [at(["body", "items", row["index"]], row["msg"]) for row in rejected[:20]]
        raise ApiError(422, "No object is an item.", errors)
    try:
        name = one_line(body.name)
        if not name:
            raise ValidationError("A name has at least one character.")
    except ValidationError as error:
        raise ApiError(422, error.messages[0], [at(["body", "name"], error.messages[0])]) from None
    made = sets.keep(name=name, draft=draft, by=None)
    log(request, Action.ADDED, made)
    return 201, set_json(made, len(draft.items)) | {"rejected_items": rejected}
