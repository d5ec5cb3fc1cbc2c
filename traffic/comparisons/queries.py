"""What the pairs that raters chose between add up to, by candidate, baseline and task."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db.models import Case, Count, F, Max, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Greatest, Least
from django.utils import timezone

from lib import sql
from providers.models import Deployment
from traffic.comparisons.queue import of_applications
from traffic.comparisons.statistics import (
    ComparisonVerdict,
    Difference,
    Strength,
    bradley_terry,
    more_needed,
    paired_difference,
    verdict_of,
)
from traffic.models import Pair, PairChoice, PairOutcome, RaterKind, Trial
from traffic.models.queues import shown_name
from traffic.quality.agreement import Agreement, krippendorff_alpha
from traffic.quality.queries import compared_period, people_of

MOST_RATERS, MOST_DISPUTED = 50, 20  # on a page
OWN = "self"  # the provider of deployments on our own GPUs
MIRRORED = {PairOutcome.CANDIDATE: PairOutcome.BASELINE, PairOutcome.BASELINE: PairOutcome.CANDIDATE}


@dataclass(frozen=True, slots=True)
class Result:
    """Pairs of two sides by their outcome; wins and losses are the candidate's."""

    candidate: Deployment
    baseline: Deployment
    wins: int = 0
    ties: int = 0
    losses: int = 0
    both_bad: int = 0
    disputed: int = 0  # whose raters have no majority: among the ties
    waiting: int = 0  # pairs without a choice, which count nowhere else
    task: str = ""
    tasks: Sequence[Result] = field(default=())

    @property
    def pairs(self) -> int:
        return self.wins + self.ties + self.losses + self.both_bad

    @property
    def difference(self) -> Difference | None:
        """None without a pair."""
        return paired_difference(self.wins, self.losses, self.pairs) if self.pairs else None

    @property
    def verdict(self) -> ComparisonVerdict:
        return verdict_of(self.difference)

    @property
    def enough(self) -> bool:
        return self.verdict != "not_yet"

    @property
    def more_needed(self) -> int | None:
        return more_needed(self.wins, self.losses, self.pairs)


def counts_since(now: datetime | None) -> datetime:
    """The moment from which on pairs count."""
    return compared_period((now or timezone.now()).astimezone(UTC).date()).since


def counting(where: Q | None = None, now: datetime | None = None) -> QuerySet[Pair]:
    """The pairs that count, on the page, in the API and in Break-even: those of the last `COMPARED_DAYS` days, without
    trials that Break-even does not take, and of one prompt the newest that two deployments have a choice of.

    Repeats of a prompt say little new, so an interval over them would be too narrow. A pair whose prompt is not known
    counts for itself. Pairs that wait for a choice are beside these.
    """
    apart = Trial.objects.filter(used_in_break_even=False).values("pk")
    pairs = Pair.objects.filter(where or Q(), created_at__gte=counts_since(now)).exclude(trial_id__in=apart)
    newest = (
        pairs.order_by()
        .annotate(
            sides_low=Least("candidate_id", "baseline_id"),
            sides_high=Greatest("candidate_id", "baseline_id"),
            prompt=Case(
                When(prompt_digest="", then=Cast("id", TextField())), default="prompt_digest", output_field=TextField()
            ),
            waits=Case(When(outcome="", then=True), default=False),
        )
        .values("sides_low", "sides_high", "prompt", "waits")
        .annotate(newest=Max("id"))
    )
    return Pair.objects.filter(pk__in=newest.values("newest"))


def results(
    where: Q | None = None, *, sides: tuple[Deployment, Deployment] | None = None, now: datetime | None = None
) -> list[Result]:
    """Every two deployments that were compared, those with the most pairs that count first, each with its tasks.

    Pairs in which they stand the other way round count too. The candidate is the one on our own GPUs where one of
    them is, else the side that the newest pair has as its candidate; `sides` asks for two of them, in that order.
    """
    where = where or Q()
    if sides is not None:
        where &= Q(candidate__in=sides, baseline__in=sides)
    pairs = counting(where, now)
    rows = list(
        pairs.values_list("candidate_id", "baseline_id", "task", "outcome")
        .annotate(n=Count("id"), open=Count("id", filter=Q(disputed=True)), newest=Max("id"))
        .order_by("-newest")
    )
    by_id = {side.pk: side for side in sides or ()} or Deployment.objects.in_bulk(
        {pk for row in rows for pk in row[:2]}
    )
    counted: dict[tuple[int, int], dict[str, Counter[str]]] = {}
    for candidate, baseline, task, outcome, n, disputed, _newest in rows:
        if candidate not in by_id or baseline not in by_id:
            continue  # the deployment is deleted for good
        key = _oriented(by_id, candidate, baseline, sides, counted)
        counts = counted.setdefault(key, defaultdict(Counter))[task]
        meant = outcome if key == (candidate, baseline) else MIRRORED.get(outcome, outcome)
        counts[meant] += n
        counts["disputed"] += disputed
    made = [_result(by_id[candidate], by_id[baseline], of_task) for (candidate, baseline), of_task in counted.items()]
    return sorted(made, key=lambda result: (-result.pairs, result.candidate.slug, result.baseline.slug))


def _oriented(
    by_id: Mapping[int, Deployment],
    candidate: int,
    baseline: int,
    sides: tuple[Deployment, Deployment] | None,
    counted: Mapping[tuple[int, int], object],
) -> tuple[int, int]:
    """Which of two deployments the result has as its candidate."""
    if sides is not None:
        return sides[0].pk, sides[1].pk
    own = [by_id[pk].provider == OWN for pk in (candidate, baseline)]
    turned = own == [False, True] or (own[0] == own[1] and (baseline, candidate) in counted)
    return (baseline, candidate) if turned else (candidate, baseline)


def _result(candidate: Deployment, baseline: Deployment, of_task: Mapping[str, Counter[str]]) -> Result:
    tasks = [_counted(candidate, baseline, counts, task=task) for task, counts in of_task.items()]
    total: Counter[str] = Counter()
    for counts in of_task.values():
        total.update(counts)
    return _counted(candidate, baseline, total, tasks=sorted(tasks, key=lambda row: (-row.pairs, row.task)))


def _counted(candidate: Deployment, baseline: Deployment, counts: Counter[str], **more: Any) -> Result:
    return Result(
        candidate, baseline, counts[PairOutcome.CANDIDATE], counts[PairOutcome.TIE], counts[PairOutcome.BASELINE],
        counts[PairOutcome.BOTH_BAD], counts["disputed"], counts[""], **more,
    )  # fmt: skip


def deployments(slugs: Iterable[str]) -> dict[str, Deployment]:
    """Those of these slugs that there are."""
    return {row.slug: row for row in Deployment.objects.filter(slug__in=slugs)}


def result_of(candidate: Deployment, baseline: Deployment, where: Q | None = None) -> Result:
    """The result of two deployments, without a pair where they were not compared."""
    return next(iter(results(where, sides=(candidate, baseline))), Result(candidate, baseline))


# The pairs of `counting` as a plain statement, because the Overview, Break-even and Decide read them on each visit.
OWN_AGAINST_API = """
SELECT ours, outcome, count(*), count(*) FILTER (WHERE disputed) FROM (
    SELECT DISTINCT ON (
        least(candidate_id, baseline_id), greatest(candidate_id, baseline_id),
        CASE WHEN prompt_digest = '' THEN pair.id::text ELSE prompt_digest END, outcome = ''
    ) candidate.provider = %(own)s AS ours, outcome, disputed
    FROM traffic_pair AS pair JOIN providers_deployment AS candidate ON candidate.id = candidate_id
    JOIN providers_deployment AS baseline ON baseline.id = baseline_id
    WHERE pair.created_at >= %(since)s AND (candidate.provider = %(own)s) <> (baseline.provider = %(own)s)
      AND (trial_id IS NULL OR trial_id NOT IN (SELECT id FROM traffic_trial WHERE NOT used_in_break_even))
      AND (%(task)s::text IS NULL OR task = %(task)s)
      AND (%(applications)s::bigint[] IS NULL OR application_id = ANY(%(applications)s))
    ORDER BY least(candidate_id, baseline_id), greatest(candidate_id, baseline_id),
        CASE WHEN prompt_digest = '' THEN pair.id::text ELSE prompt_digest END, outcome = '', pair.id DESC
) AS counting GROUP BY 1, 2
"""


def own_against_api(
    task: str | None = None, applications: list[int] | None = None, now: datetime | None = None
) -> Result:
    """All pairs that count in which a deployment of ours stands against one of a vendor, in one statement.

    Our side is the candidate, whichever side it was in the trial; the result names no deployment.
    """
    wanted = {"own": OWN, "since": counts_since(now), "task": task, "applications": applications}
    counts: Counter[str] = Counter()
    for ours, outcome, n, disputed in sql.rows(OWN_AGAINST_API, wanted):
        counts[outcome if ours else MIRRORED.get(outcome, outcome)] += n
        counts["disputed"] += disputed
    return _counted(Deployment(), Deployment(), counts)


def strengths(made: Iterable[Result]) -> list[Strength] | None:
    """Bradley-Terry strengths of three deployments or more that were compared; None for fewer."""
    wins: dict[tuple[str, str], float] = {}
    for row in made:
        if row.pairs:
            even = (row.ties + row.both_bad) / 2
            wins[row.candidate.name, row.baseline.name] = row.wins + even
            wins[row.baseline.name, row.candidate.name] = row.losses + even
    names = {name for pair in wins for name in pair}
    return bradley_terry(wins) if len(names) > 2 else None


def agreement(where: Q | None = None) -> Agreement:
    """Alpha of choices of pairs that several raters judged, nominal; adjudications are no rater's."""
    choices = PairChoice.objects.filter(where or Q(), adjudicates=False, pair__votes__gte=2)
    units: dict[int, Counter[str]] = defaultdict(Counter)
    raters = set()
    for pair, outcome, kind, by in choices.values_list("pair_id", "outcome", "rater_kind", "by"):
        units[pair][outcome] += 1
        raters.add((kind, by))
    patterns = Counter(frozenset(counts.items()) for counts in units.values() if counts.total() > 1)
    alpha = krippendorff_alpha([(dict(pattern), times) for pattern, times in patterns.items()], "nominal")
    return Agreement(alpha, "nominal", len(raters), patterns.total())


@dataclass(frozen=True, slots=True)
class RaterCounts:
    """What one rater chose: in all, a side at all, the first side, as the majority of a pair with several raters did,
    and right of the pairs whose right choice is known."""

    name: str
    choices: int
    chose_a_side: int
    chose_first: int
    shared: int
    with_majority: int
    gold: int
    gold_right: int


FIRST = Q(outcome=PairOutcome.CANDIDATE, candidate_first=True) | Q(outcome=PairOutcome.BASELINE, candidate_first=False)
SHARED = Q(pair__votes__gte=2, pair__disputed=False)


def raters(where: Q | None = None) -> list[RaterCounts]:
    """Every rater, those with the most choices first; a decision is no choice of a rater.

    A name that its rater hides is left out.
    """
    rows = (
        PairChoice.objects.filter(where or Q(), adjudicates=False)
        .annotate(said=Case(When(rater=None, then="by"), default=Value("")))
        .values_list("rater_kind", "rater", "said")
        .annotate(
            name=Max("by"),
            n=Count("id"),
            sided=Count("id", filter=Q(outcome__in=(PairOutcome.CANDIDATE, PairOutcome.BASELINE))),
            first=Count("id", filter=FIRST),
            shared=Count("id", filter=SHARED),
            majority=Count("id", filter=SHARED & Q(outcome=F("pair__outcome"))),
            gold=Count("id", filter=~Q(pair__gold="")),
            right=Count("id", filter=Q(outcome=F("pair__gold"))),
        )
        .order_by("-n", "name")[:MOST_RATERS]
    )
    people = people_of(rater for _kind, rater, *_counts in rows)
    return [
        RaterCounts(shown_name(people.get(rater or 0)) if kind == RaterKind.PERSON else name, *counts)
        for kind, rater, _said, name, *counts in rows
    ]


def disputed_pairs(within: list[int]) -> list[Pair]:
    """Pairs of these applications whose raters have no majority, the newest first."""
    pairs = Pair.objects.filter(disputed=True, answers_deleted=False).filter(of_applications(within))
    return list(pairs.select_related("candidate", "baseline", "application").order_by("-id")[:MOST_DISPUTED])
