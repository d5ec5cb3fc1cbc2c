"""Trials in the JSON API: start one, stop one. What one has measured is in `costs.trials`, which knows the criteria."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import ConfigDict, Field

from lib.client_address import client_address
from lib.errors import ApiError, at
from lib.shapes import Error
from providers.audit.log import Action, Actor, ActorKind, record
from traffic.authentication.access import caller_of, needs
from traffic.models import Trial
from traffic.models.trials import PromptSource
from traffic.schemas import NO_NUL, Whole
from traffic.trials import queries, services
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
        raise ApiError(422, "Some prompts are not as the schema says.", errors)
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


def log(request: HttpRequest, action: str, trial: Trial, message: str = "") -> None:
    caller = caller_of(request)
    actor = Actor(ActorKind.KEY, caller.name, caller.key_id, client_address(request))
    record(action, actor=actor, thing=trial, message=message)


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
