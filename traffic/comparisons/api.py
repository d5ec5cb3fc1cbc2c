"""Comparisons in the JSON API: the next pair, a choice, and what choices add up to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from ninja import Path, Query, Router, Schema
from pydantic import ConfigDict, Field

from lib.errors import ApiError, at
from lib.shapes import READ_ERRORS, Error
from providers.models import Deployment
from traffic.authentication.access import caller_of, needs
from traffic.comparisons import queries, queue, services
from traffic.comparisons.rater import Rater
from traffic.models import Application
from traffic.requests.query_params import Text
from traffic.schemas import NO_NUL, AgreementOut
from traffic.usage.filters import ids

router = Router(tags=["comparisons"])
RATE_ERRORS: dict[int, Any] = dict.fromkeys((400, 401, 403, 404, 409, 422, 429, 503), Error)
By = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Identifier = Annotated[int, Path(ge=1, lt=2**63)]


class ComparisonQuery(Schema):
    """Two deployments by their slugs. Without both, all self-hosted ones against all of vendors.

    Pairs of one task, or of one application, where these are sent. Those of the last 90 days count, of one prompt the
    newest, without trials that Break-even does not take."""

    candidate: Text | None = None
    baseline: Text | None = None
    task: Text | None = None
    application: Text | None = None


class ComparisonOut(Schema):
    """`wins` are the candidate's. `difference` is the share won less the share lost, with the ends of its 95 %
    interval. Null without a pair. `more_needed`: pairs until the interval decides, null where that is not known."""

    pairs: int
    wins: int
    ties: int
    losses: int
    both_bad: int
    difference: tuple[float, float, float] | None
    enough: bool
    more_needed: int | None
    verdict: Literal["not_worse", "worse", "better", "not_yet"]
    disputed: int
    waiting: int
    agreement: AgreementOut


@router.get(
    "/comparisons",
    auth=needs("read"),
    response={200: ComparisonOut, **READ_ERRORS},
    summary="How a candidate's answers compare with a baseline's, by the choices of raters",
)
def get_comparisons(request: HttpRequest, asked_for: Query[ComparisonQuery]) -> Any:
    of_pairs: dict[str, Any] = {}
    if asked_for.task is not None:
        of_pairs["task"] = asked_for.task
    if asked_for.application is not None:
        of_pairs["application__in"] = ids(Application, [asked_for.application])
    sides = _sides(asked_for)
    if sides is None:
        result = queries.own_against_api(of_pairs.get("task"), of_pairs.get("application__in"))
    else:
        result = queries.result_of(*sides, Q(**of_pairs))
        of_pairs |= {"candidate__in": sides, "baseline__in": sides}
    apart = result.difference
    plain = set(ComparisonOut.model_fields) - {"difference", "agreement"}
    return {
        **{name: getattr(result, name) for name in plain},
        "difference": apart and (apart.low, apart.middle, apart.high),
        "agreement": queries.agreement(Q(**{f"pair__{name}": value for name, value in of_pairs.items()})),
    }


def _sides(asked_for: ComparisonQuery) -> tuple[Deployment, Deployment] | None:
    """The two deployments; None where neither is named. Raises ApiError (422) for one alone, and for no deployment."""
    if asked_for.candidate is None and asked_for.baseline is None:
        return None
    slugs = (asked_for.candidate or "", asked_for.baseline or "")
    rows = queries.deployments(slugs)
    for name, slug in zip(("candidate", "baseline"), slugs, strict=True):
        if slug not in rows:
            raise ApiError(422, f"There is no deployment {slug!r}.", [at(["query", name], "no deployment")])
    if slugs[0] == slugs[1]:
        raise ApiError(422, "A deployment is not compared with itself.", [at(["query", "baseline"], "the same")])
    return rows[slugs[0]], rows[slugs[1]]


class NextQuery(Schema):
    by: By


class NextOut(Schema):
    """A pair to choose from, the sides in this rater's order. Without one `id` is null and `left` 0."""

    id: str | None
    task: str | None
    prompt: str | None
    a: str | None
    b: str | None
    left: int


@router.get(
    "/comparisons/next",
    auth=needs("rate"),
    response={200: NextOut, **READ_ERRORS},
    summary="The next pair of answers for a rater, without the names of who answered",
    description="The pair is reserved for this rater for ten minutes, and others get it last meanwhile. `left` counts "
    "the pairs that wait for this rater, this one included, up to 1,000.",
)
def get_next_comparison(request: HttpRequest, who: Query[NextQuery]) -> Any:
    caller = caller_of(request)
    rater, now = Rater.of_caller(caller, who.by), timezone.now()
    within = queue.of_caller(caller)
    shown = queue.next_pair(rater, within, now)
    if shown is None:
        return {"id": None, "task": None, "prompt": None, "a": None, "b": None, "left": 0}
    services.reserve(pair=shown.pair, rater=rater, now=now)
    return {
        "id": str(shown.pair.pk),
        "task": shown.pair.task,
        "prompt": shown.prompt_text,
        "a": shown.first,
        "b": shown.second,
        "left": queue.left(rater, within),
    }


class ChoiceIn(Schema):
    model_config = ConfigDict(extra="forbid")

    choice: Literal["a", "b", "tie", "both_bad"]
    by: By
    comment: Annotated[str, Field(max_length=5_000, pattern=NO_NUL)] = ""


class ChoiceOut(Schema):
    """The slugs of the deployments whose answers were A and B."""

    id: str
    choice: str
    a: str
    b: str


@router.post(
    "/comparisons/{identifier}",
    auth=needs("rate"),
    response={200: ChoiceOut, **RATE_ERRORS},
    summary="Choose one answer of a pair. The reply names who gave which",
)
def post_comparison(request: HttpRequest, identifier: Identifier, choice: ChoiceIn) -> Any:
    caller = caller_of(request)
    pair = queue.pair_of(identifier, queue.of_caller(caller))
    if pair is None:
        raise ApiError(404, "There is no such pair.")
    rater = Rater.of_caller(caller, choice.by)
    try:
        made = services.choose(pair=pair, rater=rater, side=choice.choice, comment=choice.comment, revealed=True)
    except services.AlreadyChosen:
        raise ApiError(409, "This rater has chosen of this pair already.") from None
    slugs = [pair.candidate.slug, pair.baseline.slug]
    first, second = slugs if made.candidate_first else reversed(slugs)
    return {"id": str(pair.pk), "choice": choice.choice, "a": first, "b": second}
