"""What a trial came to, for its page, its PDF and the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any, Literal

from django.utils.translation import gettext as _

from costs.readiness.criteria import latency, quality, reliability, saving
from costs.readiness.evidence import Evidence, TaskQuality, Thresholds
from costs.readiness.inputs import Report, read_report, reliability_facts
from costs.readiness.scorecard import criterion_json
from costs.verdicts.verdict import State, Verdict
from lib.confidence_intervals import Interval, Z
from providers.models import Deployment
from traffic.comparisons.statistics import Difference, paired_difference, verdict_of
from traffic.models import Trial, TrialStep
from traffic.models.trials import TrialState
from traffic.trials import queries
from traffic.trials.measure import Point, capacity_point, late_from, nearest_rank
from traffic.trials.run import point_of

MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Side:
    """One deployment of a trial with its timed steps."""

    deployment: Deployment
    is_candidate: bool
    steps: Sequence[TrialStep]

    @property
    def points(self) -> list[Point]:
        return [point_of(step) for step in self.steps if step.ended_at]

    @property
    def best(self) -> TrialStep | None:
        """The step whose throughput is the capacity."""
        point = capacity_point(self.points)
        return next((step for step in self.steps if point and step.concurrency == point.concurrency), None)

    @property
    def late_from(self) -> float | None:
        """The concurrency at which the first token comes too late."""
        return late_from(self.points)

    @property
    def cost_per_million(self) -> Decimal | None:
        """USD for a million output tokens at the capacity step; None where its cost is unknown."""
        return cost_per_million(self.best) if self.best else None


def cost_per_million(step: TrialStep) -> Decimal | None:
    """USD for a million output tokens; None where it is unknown.

    A lease is paid for the step's time, so it is divided by what was generated within it. Calls are paid whole.
    """
    tokens = Decimal(step.output_tokens)
    if step.deployment.lease_id is not None:
        tokens = Decimal(str(round((step.tokens_per_second or 0) * step.seconds, 6)))
    return step.cost * MILLION / tokens if step.cost is not None and tokens else None


@dataclass(frozen=True, slots=True)
class PairCounts:
    """What raters chose of the trial's pairs, of those that they have chosen of."""

    pairs: int
    wins: int  # of the candidate
    losses: int
    ties: int
    both_bad: int

    @property
    def rated(self) -> int:
        return self.wins + self.losses + self.ties + self.both_bad

    @property
    def difference(self) -> Difference | None:
        """Share won less share lost, with its 95 % interval."""
        return paired_difference(self.wins, self.losses, self.rated) if self.rated else None

    @property
    def verdict(self) -> str:
        return verdict_of(self.difference)


@dataclass
class TrialReport:
    """A trial as it stands at a moment."""

    trial: Trial
    now: datetime
    steps: list[TrialStep] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.steps = queries.steps_of(self.trial)

    @cached_property
    def progress(self) -> float:
        return queries.progress(self.trial, self.steps)

    @cached_property
    def sides(self) -> list[Side]:
        begun = queries.timed(self.steps)
        return [
            Side(deployment, deployment.pk == self.trial.candidate_id,
                 [step for step in begun if step.deployment_id == deployment.pk])
            for deployment in self.trial.deployments
        ]  # fmt: skip

    @property
    def candidate(self) -> Side:
        return self.sides[0]

    @cached_property
    def pairs(self) -> PairCounts:
        outcomes = queries.pair_outcomes(self.trial)
        return PairCounts(
            pairs=sum(outcomes.values()),
            wins=outcomes.get("candidate", 0),
            losses=outcomes.get("baseline", 0),
            ties=outcomes.get("tie", 0),
            both_bad=outcomes.get("both_bad", 0),
        )

    @cached_property
    def live(self) -> Report:
        """The live break-even and its evidence."""
        return read_report(self.now)

    @property
    def use_of_capacity(self) -> Literal["used", "unused", "newer"]:
        """Whether the live break-even takes the trial's capacity. `unused`: it counts the GPUs of other leases."""
        inputs = self.live.inputs
        if inputs.capacity is not None and inputs.capacity.trial == self.trial.pk:
            return "used"
        return "unused" if inputs.unused is not None and inputs.unused.trial == self.trial.pk else "newer"

    @cached_property
    def evidence(self) -> Evidence:
        """The trial's own ratings, first tokens and candidate; the saving is the live one, see `criteria`."""
        live = self.live
        ratings = {task: (rated, good) for task, rated, good in queries.ratings_of(self.trial)}
        prompts = queries.prompts_by_task(self.trial)
        tasks = tuple(TaskQuality(task, n, *ratings.get(task, (0, 0))) for task, n in sorted(prompts.items()))
        values = queries.first_tokens(self.trial)
        p95 = nearest_rank(values, 0.95)
        best = self.candidate.best
        gap = self.pairs.difference
        uptimes = [row for row in live.uptimes if row.slug == self.trial.candidate.slug]
        return replace(
            live.evidence,
            tasks=tasks,
            agreement=None,
            quality_gap=Interval(Decimal(str(gap.low)), Decimal(str(gap.high))) if gap else None,
            first_token_p95_ms=None if p95 is None else Decimal(str(round(p95, 3))),
            first_token_sample=len(values),
            first_token_interval=rank_interval(values, Decimal("0.95")),
            end_to_end_p95_ms=Decimal(str(best.latency_p95_ms)) if best and best.latency_p95_ms else None,
            **reliability_facts(uptimes),
        )

    @cached_property
    def criteria(self) -> tuple[Verdict, ...]:
        """The live saving counts only where Break-even takes the trial's capacity; else it is of other deployments."""
        limits, evidence = Thresholds(), self.evidence
        justified = evidence.private or evidence.fine_tuned
        saves = saving(evidence, limits, justified)
        if self.use_of_capacity != "used":
            text = _("Break-even does not use this trial’s capacity, so its saving is not known.")
            saves = Verdict("saving", State.NOT_ENOUGH, text, threshold=saves.threshold, set_aside=justified)
        return quality(evidence, limits), latency(evidence, limits), saves, reliability(evidence, limits)

    @property
    def capacity(self) -> Decimal | None:
        """Output tokens/s of one GPU of the candidate."""
        value = self.trial.capacity_tokens_per_second
        return None if not value else Decimal(str(round(value, 3)))

    def as_json(self) -> dict[str, Any]:
        """As the API has it: money as strings, times in milliseconds."""
        trial = self.trial
        return {
            "id": trial.pk,
            "name": trial.name,
            "state": trial.state,
            "problem": trial.problem or None,
            "candidate": trial.candidate.slug,
            "baseline": trial.baseline.slug if trial.baseline else None,
            "progress": round(self.progress, 4),
            "spent": trial.spent,
            "cap_usd": trial.cap_usd,
            "steps": [step_json(step) for step in queries.timed(self.steps)],
            "pairs": self.pairs.pairs,
            "capacity_tokens_per_second": None if self.capacity is None else float(self.capacity),
            "capacity_concurrency": trial.capacity_concurrency,
            "criteria": [] if trial.state == TrialState.QUEUED else [criterion_json(row) for row in self.criteria],
        }


def step_json(step: TrialStep) -> dict[str, Any]:
    return {
        "deployment": step.deployment.slug,
        "concurrency": step.concurrency,
        "requests": step.requests,
        "errors": step.errors,
        "tokens_per_second": step.tokens_per_second,
        "stream_tokens_per_second": step.stream_tokens_per_second,
        "ttft": {"p50_ms": step.ttft_p50_ms, "p95_ms": step.ttft_p95_ms},
        "latency": {"p50_ms": step.latency_p50_ms, "p95_ms": step.latency_p95_ms},
        "output_tokens": step.output_tokens,
        "cost": step.cost,
    }


def rank_interval(values: Sequence[float], share: Decimal) -> Interval | None:
    """Between which of the ascending values a quantile lies, by the binomial spread of its rank, 95 %.

    None for too few of them.
    """
    total = len(values)
    half = Z * (total * share * (1 - share)).sqrt()
    first = max(int((total * share - half).to_integral_value(ROUND_FLOOR)), 1)
    last = int((total * share + half).to_integral_value(ROUND_CEILING)) + 1
    if last > total:
        return None
    return Interval(Decimal(str(values[first - 1])), Decimal(str(values[last - 1])))
