"""What the scoreboard shows of each deployment, model and task: ratings, agreement, cost and first token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from django.db.models import Q

from costs.allocation.queries import Group, SpendData, read
from lib.dates import midnight
from lib.money import COST_STEP
from lib.periods import Period
from providers.models import Deployment
from traffic.comparisons import queries as comparisons
from traffic.models import Metric
from traffic.quality.agreement import Agreement
from traffic.quality.queries import NO_AGREEMENT, GroupBy
from traffic.quality.scores import Score, days_of, scores
from traffic.quality.shared_answers import shared
from traffic.usage import reports
from traffic.usage.filters import Filters
from traffic.usage.reports import NOTHING, Quantiles


@dataclass(frozen=True, slots=True)
class Row:
    """One group. `cost_per_accepted_answer` is USD, the share of rented GPUs included; None is not known."""

    score: Score
    agreement: Agreement
    cost_per_accepted_answer: Decimal | None
    ttft: Quantiles


class Scoreboard:
    """The eight weeks that end today; each part is read once, when it is asked for."""

    def __init__(self, today: date, filters: Filters) -> None:
        self.today, self.filters = today, filters
        self.first, self.end = days_of(today)
        self.period = Period(midnight(self.first), midnight(self.end))

    @cached_property
    def spend(self) -> SpendData:
        return read(self.first, self.end).only(self.filters)

    @cached_property
    def agreed(self) -> dict[str, dict[str | None, Agreement]]:
        return shared(self.period, self.filters).agreed

    def rows(self, by: GroupBy) -> list[Row]:
        """By deployment, model or task, the most rated first."""
        scored = scores(self.today, by, self.filters)
        if not scored:
            return []
        buckets = reports.bucket_rows(self.period, by, self.filters)
        times = {row["key"]: reports.quantiles_of(row) for row in buckets if row["metric"] == Metric.TTFT}
        paid = {group.key: group for group in self.spend.by(by).groups}
        unknown = self.unknown(by)
        return [
            Row(
                score=score,
                agreement=self.agreed.get(by, {}).get(score.key, NO_AGREEMENT),
                cost_per_accepted_answer=cost_per_accepted(score, paid.get(score.key), unknown.get(score.key, 0)),
                ttft=times.get(score.key, NOTHING),
            )
            for score in scored
        ]

    def unknown(self, by: GroupBy) -> dict[str | None, int]:
        """Requests of each group whose cost is not known."""
        counted: dict[str | None, int] = {}
        for row in self.spend.usage:
            key = self.spend.names.deployments.get(row["deployment_id"]) if by == "deployment" else row[by] or None
            counted[key] = counted.get(key, 0) + row["unpriced"] + row["unknown_usage"]
        return counted

    def tasks(self, deployments: Collection[str]) -> set[str]:
        """The tasks of the requests that these deployments served, by their slugs."""
        names = self.spend.names.deployments
        return {row["task"] for row in self.spend.usage if names.get(row["deployment_id"]) in deployments}

    @cached_property
    def side_by_side(self) -> Sequence[comparisons.Result]:
        """Every two deployments that answered the same prompts, with at least one choice of a rater."""
        return [result for result in comparisons.results(self._of_pairs) if result.pairs]

    @property
    def _of_pairs(self) -> Q:
        columns = {"task__in": self.filters.task, "application_id__in": self.filters.application}
        return Q(**{name: wanted for name, wanted in columns.items() if wanted})


def cost_per_accepted(score: Score, paid: Group | None, unknown: int) -> Decimal | None:
    """What an answer costs over the share that is accepted; None where nothing was accepted or no cost is known.

    Of our own GPUs an answer has its share of the lease. Hours without a request belong to no answer.
    """
    if paid is None or not paid.amount or not score.acceptable or paid.requests <= unknown:
        return None
    return (paid.amount * score.ratings / ((paid.requests - unknown) * score.acceptable)).quantize(COST_STEP)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a deployment stands: USD for 1,000 accepted answers, and the acceptable share with its interval."""

    key: str
    cost: Decimal
    share: float
    low: float
    high: float


def places(rows: Sequence[Row]) -> list[Place]:
    """The groups with enough ratings and a known cost, the cheapest first."""
    placed = [
        Place(row.score.key, row.cost_per_accepted_answer * 1000, row.score.share, *row.score.interval)
        for row in rows
        if row.score.key and row.score.enough and row.cost_per_accepted_answer is not None
    ]
    return sorted(placed, key=lambda place: (place.cost, -place.share))


def frontier(placed: Sequence[Place]) -> list[Place]:
    """Those of which no cheaper one is better: the Pareto front, the cheapest first."""
    front: list[Place] = []
    for place in sorted(placed, key=lambda entry: (entry.cost, -entry.share)):
        if not front or place.share > front[-1].share:
            front.append(place)
    return front


def self_hosted() -> frozenset[str]:
    """Slugs of deployments on our own GPUs."""
    return frozenset(Deployment.objects.filter(provider="self").values_list("slug", flat=True))
