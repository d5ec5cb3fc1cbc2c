"""A trial's report in the JSON API."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema
from pydantic import Field

from costs.schemas.decisions import CriterionOut
from costs.trials.report import TrialReport
from lib.shapes import READ_ERRORS, Error, Usd
from traffic.authentication.access import TrialReadAuth
from traffic.trials.queries import trial_or_404

router = Router(tags=["trials"])


class TimesOut(Schema):
    """Nearest rank, in milliseconds. Null where nothing was measured."""

    p50_ms: float | None
    p95_ms: float | None


class StepOut(Schema):
    """One deployment at one concurrency. Tokens/s are output tokens, of all calls together and of one stream."""

    deployment: str
    concurrency: int
    requests: int
    errors: int
    tokens_per_second: float | None
    stream_tokens_per_second: float | None
    ttft: TimesOut
    latency: TimesOut
    output_tokens: int
    cost: Usd | None


class TrialOut(Schema):
    """`spent` counts a call whose cost is unknown at its worst case. `criteria` have the trial's own evidence."""

    id: int
    name: str
    state: Literal["queued", "running", "done", "stopped", "failed"]
    problem: str | None
    candidate: str
    baseline: str | None
    progress: float
    spent: Usd
    cap_usd: Usd
    steps: list[StepOut]
    pairs: int
    capacity_tokens_per_second: float | None
    capacity_concurrency: int | None
    criteria: list[CriterionOut]


@router.get(
    "/trials/{trial_id}",
    auth=TrialReadAuth("read"),
    response={200: TrialOut, 404: Error, **READ_ERRORS},
    summary="How far a trial is, and what it has measured",
    description="With a key that may read figures or start trials.",
)
def get_trial(request: HttpRequest, trial_id: Annotated[int, Field(ge=1, le=2**63 - 1)]) -> Any:
    return TrialReport(trial_or_404(trial_id), timezone.now()).as_json()
