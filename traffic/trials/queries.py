"""Reads of trials: the list, one with its steps, how far it is."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Count, F, Q
from django.shortcuts import get_object_or_404

from lib import sql
from providers.models import Deployment
from traffic.models import Application, Pair, Trial, TrialCall, TrialStep
from traffic.models.trials import CallState, TrialState
from traffic.quality.queries import ACCEPTABLE_SQL

SHOWN = 100


def latest_trials() -> list[Trial]:
    return list(Trial.objects.select_related("candidate", "baseline", "by")[:SHOWN])


def trial_or_404(pk: int) -> Trial:
    """With its deployments and their leases. Raises Http404."""
    return get_object_or_404(Trial.objects.select_related("candidate__lease", "baseline__lease", "by"), pk=pk)


def newest_finished() -> Trial | None:
    """The trial that went to its end last, with its deployments and their leases."""
    done = Trial.objects.filter(state=TrialState.DONE).select_related("candidate__lease", "baseline__lease")
    return done.order_by("-finished_at", "-pk").first()


def steps_of(trial: Trial) -> list[TrialStep]:
    """All of its steps, in their order."""
    return list(trial.steps.select_related("deployment"))


def timed(steps: Sequence[TrialStep]) -> list[TrialStep]:
    """Those that have begun and measure throughput."""
    return [step for step in steps if step.timed and (step.ended_at is not None or step.seconds > 0)]


def progress(trial: Trial, steps: Sequence[TrialStep]) -> float:
    """How far a trial is, 0 to 1: a timed step by its seconds, the one for the answers by its prompts."""
    if not trial.active or not steps:
        return 0.0 if trial.active else 1.0
    shares = [1.0 if step.ended_at else _share(trial, step) for step in steps]
    return min(sum(shares) / len(shares), 1.0)


def _share(trial: Trial, step: TrialStep) -> float:
    if step.timed:
        return min(step.seconds / trial.seconds_per_step, 1.0)
    if not step.seconds:
        return 0.0
    counted = TrialCall.objects.filter(step=step).aggregate(
        done=Count("prompt", filter=~Q(state=CallState.SENT), distinct=True)
    )
    done: int = counted["done"]
    return min(done / max(trial.prompts.count(), 1), 1.0)


def deployments_by_slug(slugs: Sequence[str]) -> dict[str, Deployment]:
    return {row.slug: row for row in Deployment.objects.select_related("lease").filter(slug__in=slugs)}


def ratings_of(trial: Trial) -> list[tuple[str, int, int]]:
    """Ratings of the candidate's answers: task, how many, how many of them acceptable."""
    rows = sql.rows(RATINGS, [trial.pk, trial.candidate_id])
    return [(task, ratings, acceptable) for task, ratings, acceptable in rows]


RATINGS = f"""
SELECT r.task, count(*), count(*) FILTER (WHERE {ACCEPTABLE_SQL}) FROM traffic_trialcall AS c
JOIN traffic_trialstep AS s ON s.id = c.step_id JOIN traffic_rating AS r ON r.request_id = c.request_id
WHERE s.trial_id = %s AND s.deployment_id = %s AND NOT r.gold GROUP BY 1
"""


def pair_outcomes(trial: Trial) -> dict[str, int]:
    """How many of its pairs had which outcome; blank: no rater has chosen yet."""
    rows = Pair.objects.filter(trial_id=trial.pk).order_by().values_list("outcome").annotate(n=Count("pk"))
    return dict(rows)


def first_tokens(trial: Trial) -> list[float]:
    """Milliseconds to the first token of the candidate's calls at the concurrency of its capacity, ascending."""
    calls = TrialCall.objects.filter(
        step__trial=trial, step__deployment=trial.candidate_id, step__timed=True, state=CallState.OK,
        step__concurrency=trial.capacity_concurrency or 0, ttft_ms__isnull=False,
    )  # fmt: skip
    values = calls.order_by("ttft_ms").values_list("ttft_ms", flat=True)
    return [value for value in values if value is not None]


# Of each prompt the answer of the candidate that a pair would have: its first.
CUT = """
SELECT prompt_id FROM (
    SELECT DISTINCT ON (c.prompt_id) c.prompt_id, c.output_tokens FROM traffic_trialcall AS c
    JOIN traffic_trialstep AS s ON s.id = c.step_id JOIN traffic_trialprompt AS p ON p.id = c.prompt_id
    WHERE s.trial_id = %s AND s.deployment_id = %s AND c.state = 'ok' AND c.request_id IS NOT NULL
        AND p.answered_by_id IS NOT NULL AND p.answered_by_id <> s.deployment_id
    ORDER BY c.prompt_id, c.id
) AS first WHERE output_tokens >= %s OR output_tokens IS NULL
"""


def cut_prompts(trial: Trial) -> set[int]:
    """Prompts with a stored answer to which the candidate's ended at the trial's longest, or perhaps so.

    A stored answer is whole, so the two are not compared. Empty with a baseline, whose answers end there too.
    """
    if trial.baseline_id is not None:
        return set()
    return {prompt for (prompt,) in sql.rows(CUT, [trial.pk, trial.candidate_id, trial.answer_tokens])}


def prompts_by_task(trial: Trial) -> dict[str, int]:
    return dict(trial.prompts.order_by().values_list("task").annotate(n=Count("pk")))


def every_application() -> list[int]:
    return list(Application.objects.values_list("pk", flat=True))


def deployment_of(slug: str) -> Deployment | None:
    """An enabled deployment by its slug."""
    return Deployment.objects.enabled().filter(slug=slug).first() if slug else None


def usual_sides(candidate: str, baseline: str, model: str = "") -> tuple[Deployment | None, Deployment | None]:
    """The deployments of these slugs, or the candidate of this model; else the first self-hosted one, those on rented
    GPUs first, and the first API."""
    enabled = Deployment.objects.enabled().order_by(F("lease_id").asc(nulls_last=True), "slug")
    of_model = enabled.filter(model=model).first() if model else None
    return (
        deployment_of(candidate) or of_model or enabled.filter(provider="self").first(),
        deployment_of(baseline) or enabled.filter(engine="anthropic").first(),
    )
