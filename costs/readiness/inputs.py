"""What go or no-go is judged by, from the database: ratings, latency, uptime, the live break-even, what people said.

"Our own deployments" are those of provider `self`. Everything is of the last 30 days but the comparison of ratings,
which looks back 90: where our own GPUs have taken a task over, the API's ratings of it are older.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from django.contrib.auth.models import User

from costs.breakeven import Inputs, Result, Spread, compute, volume_saving
from costs.breakeven.band import Band
from costs.breakeven.crossings import first_into_selfhost
from costs.breakeven.measured_inputs import Traffic, all_deployments, live_inputs, measure, spread
from costs.breakeven.own_costs import WINDOW, UnitBook
from costs.breakeven.saving import whole_band
from costs.models import Justification, NoGo
from costs.readiness.evidence import Evidence, TaskQuality, Thresholds
from costs.readiness.ops_workload import ops_workload
from lib import sql
from lib.confidence_intervals import Interval, Z, wilson
from lib.dates import DAY, midnight
from lib.periods import Period
from providers.models import Deployment
from providers.uptime import report as uptime_report
from providers.uptime.report import DeploymentUptime
from traffic.comparisons.queries import own_against_api
from traffic.models import Metric
from traffic.quality.agreement import Agreement
from traffic.quality.queries import ACCEPTABLE_SQL, COMPARED_DAYS
from traffic.quality.shared_answers import shared
from traffic.usage.filters import Filters
from traffic.usage.reports import bucket_edges, bucket_value

OWN = "self"
FEWEST_COMPARED = 10  # ratings of a task on each side, before both are compared
Buckets = Sequence[tuple[int, int]]  # (log bucket, how many), ascending


@dataclass(frozen=True, slots=True)
class RatedTask:
    """Ratings of one task: ours of the last 30 days, and both sides' of the last 90."""

    task: str
    requests: int  # of the last 30 days, whoever served them
    recent: tuple[int, int]  # ratings of our own answers, of these acceptable
    ours: tuple[int, int]
    theirs: tuple[int, int]
    served: bool = True  # by a GPU of ours

    @property
    def quality(self) -> TaskQuality:
        return TaskQuality(self.task, self.requests, *self.recent, self.served)


@dataclass(frozen=True, slots=True)
class Timing:
    """A percentile's milliseconds, of how many requests; nearest rank, within 1 %."""

    count: int
    p50: Decimal | None
    p95: Decimal | None
    p99: Decimal | None
    p95_interval: Interval | None


@dataclass(frozen=True)
class Report:
    """The evidence with what it was made from."""

    evidence: Evidence
    traffic: Traffic
    inputs: Inputs
    result: Result
    rated: list[RatedTask]
    first_token: Timing
    whole_answer: Timing
    uptimes: list[DeploymentUptime]
    no_go: NoGo | None
    switches: dict[str, Justification]
    spread: Spread | None  # of the days that the run rate and the cost of a request are taken from
    book: UnitBook
    band: Band | None  # around the break-even, by that spread


def read_report(
    now: datetime, filters: Filters | None = None, deployments: Sequence[Deployment] | None = None
) -> Report:
    """Everything the scorecard needs, in some fifteen statements whatever the traffic, which alone is filtered.

    `deployments` are all of them, where the caller has them.
    """
    traffic = measure(now, filters)
    book = UnitBook(now)
    if deployments is None:
        deployments = all_deployments()
    inputs = live_inputs(now, traffic, book, deployments)
    result = compute(inputs)
    apart = spread(now, filters)
    around = whole_band(inputs, apart)
    rated = ratings_by_task(now, traffic)
    timings = own_timings(now)
    ours = [deployment for deployment in deployments if deployment.enabled and deployment.provider == OWN]
    # Whole days and today, as on the Overview and on Uptime.
    uptimes = uptime_report.report(ours, midnight(now.astimezone(UTC).date() + DAY) - WINDOW, now)
    no_go = next(iter(_standing(NO_GO, "ORDER BY c.created_at DESC LIMIT 1")), None)
    switches = {row.kind: row for row in _standing(SWITCH)}
    evidence = Evidence(
        tasks=tuple(row.quality for row in rated),
        agreement=own_agreement(now),
        quality_gap=answers_gap(now, rated),
        first_token_p95_ms=timings[Metric.TTFT].p95,
        first_token_sample=timings[Metric.TTFT].count,
        first_token_interval=timings[Metric.TTFT].p95_interval,
        end_to_end_p95_ms=timings[Metric.LATENCY].p95,
        **_money(inputs, result),
        saving_interval=Interval(around.saving_low, around.saving_high) if around else None,
        band=around,
        traffic_days=int(traffic.days) if traffic.requests else 0,
        **reliability_facts(uptimes),
        ops_workload=ops_workload(now, [outage for row in uptimes for outage in row.outages]),
        too_complex=no_go.reason if no_go else "",
        private=Justification.Kind.PRIVATE in switches,
        fine_tuned=Justification.Kind.FINE_TUNED in switches,
    )
    first, whole = timings[Metric.TTFT], timings[Metric.LATENCY]
    return Report(evidence, traffic, inputs, result, rated, first, whole, uptimes, no_go, switches, apart, book, around)


NO_GO, SWITCH, PERSON = sql.Table(NoGo, "c"), sql.Table(Justification, "c"), sql.Table(User, "u")


def _standing(table: sql.Table[Any], rest: str = "") -> list[Any]:
    """What people chose and nobody withdrew, with who it was."""
    source = f"{table.model._meta.db_table} AS c LEFT JOIN auth_user AS u ON u.id = c.by_id"
    return sql.joined(f"SELECT {table}, {PERSON} FROM {source} WHERE c.withdrawn_at IS NULL {rest}", table, by=PERSON)


def _money(inputs: Inputs, result: Result) -> dict[str, Any]:
    """The saving on the allocated basis; unknown while there is no traffic."""
    if not inputs.requests_per_month:
        return {}
    return {
        "saving_monthly": result.saving,
        "requests_per_month": inputs.requests_per_month,
        "cheaper": result.cheaper,
        "crossing": first_into_selfhost(result.crossings),
        "volume_for_saving": volume_saving(inputs, Thresholds().saving_monthly),
    }


def reliability_facts(uptimes: Sequence[DeploymentUptime]) -> dict[str, Any]:
    """All our deployments together, weighed by the seconds that each was watched."""
    observed, down = sum(row.observed_s for row in uptimes), sum(row.down_s for row in uptimes)
    uptime = Decimal(repr(max(0.0, 1 - down / observed))) if observed > 0 else None
    checks = sum(row.checks for row in uptimes)
    return {
        "uptime": uptime,
        "uptime_interval": uptime_interval(checks, sum(row.failed for row in uptimes), uptime),
        "observed_seconds": int(observed),
        "checks": checks,
    }


def uptime_interval(checks: int, failed: int, uptime: Decimal | None) -> Interval | None:
    """Wilson's interval of the share of good checks, wide enough to hold the uptime, which goes by seconds."""
    interval = wilson(checks - failed, checks)
    if interval is None or uptime is None:
        return None
    return Interval(min(interval.low, uptime), max(interval.high, uptime))


# --- ratings -------------------------------------------------------------------------------------------------------


# Whether an answer was ours says its deployment; where a rating names none, the model says who served it.
RATINGS = f"""
SELECT r.task, coalesce(d.provider = %(provider)s, r.deployment_id IS NULL AND r.model = ANY(%(models)s)) AS ours,
       count(*) AS ratings, count(*) FILTER (WHERE {ACCEPTABLE_SQL}) AS acceptable,
       count(*) FILTER (WHERE r.day >= %(lately)s) AS lately,
       count(*) FILTER (WHERE r.day >= %(lately)s AND {ACCEPTABLE_SQL}) AS acceptable_lately
FROM traffic_rating AS r LEFT JOIN providers_deployment AS d ON d.id = r.deployment_id
WHERE r.day >= %(since)s AND r.day < %(until)s AND NOT r.gold GROUP BY 1, 2
"""


def ratings_by_task(now: datetime, traffic: Traffic) -> list[RatedTask]:
    """Every task with requests or ratings of ours, the most requests first."""
    end = now.astimezone(UTC).date() + timedelta(days=1)
    days = {"since": end - timedelta(days=COMPARED_DAYS), "lately": end - WINDOW, "until": end}
    rows = sql.mappings(RATINGS, {**days, "provider": OWN, "models": sorted(own_models(traffic))})
    sides = {(row["task"], row["ours"]): row for row in rows}
    requests = requests_by_task(traffic)
    tasks = {*requests, *(task for task, ours in sides if ours)}
    served = {row["task"] for row in traffic.groups if row["ours"]} | {task for task, ours in sides if ours}
    rated = [_rated(task, requests.get(task, 0), sides, task in served) for task in tasks if task]
    return sorted(rated, key=lambda row: (-row.requests, row.task))


def own_models(traffic: Traffic) -> frozenset[str]:
    """Return the models that only our own GPUs served."""
    own = {row["model"] for row in traffic.groups if row["ours"]}
    return frozenset(own - {row["model"] for row in traffic.groups if not row["ours"]})


def _rated(task: str, requests: int, sides: Mapping[tuple[str, bool], Mapping[str, Any]], served: bool) -> RatedTask:
    none = {"ratings": 0, "acceptable": 0, "lately": 0, "acceptable_lately": 0}
    ours, theirs = sides.get((task, True), none), sides.get((task, False), none)
    return RatedTask(
        task=task,
        requests=requests,
        recent=(ours["lately"], ours["acceptable_lately"]),
        ours=(ours["ratings"], ours["acceptable"]),
        theirs=(theirs["ratings"], theirs["acceptable"]),
        served=served,
    )


def requests_by_task(traffic: Traffic) -> dict[str, int]:
    requests: dict[str, int] = {}
    for row in traffic.groups:
        requests[row["task"]] = requests.get(row["task"], 0) + row["requests"]
    return requests


def own_agreement(now: datetime) -> Agreement | None:
    """How far those agree who rated our own answers of the last 30 days; None where none was rated twice."""
    end = midnight(now.astimezone(UTC).date() + timedelta(days=1))
    return shared(Period(end - WINDOW, end), Filters(provider=[OWN])).agreed[""].get("")


def answers_gap(now: datetime, rated: Iterable[RatedTask]) -> Interval | None:
    """How much better our answers are than the API's, 95 %: by pairs once they decide, else by ratings of each side."""
    return compared_gap(now) or quality_gap(rated)


def compared_gap(now: datetime) -> Interval | None:
    """Ours less the API's by the pairs that raters chose between, 95 %; None while these do not decide.

    A pair is the same prompt answered by both sides, so it decides over ratings of different prompts, and from then on
    nothing is called cheaper exactly where the comparison's verdict is `worse`.
    """
    compared = own_against_api(now=now)
    if not compared.enough or compared.difference is None:
        return None
    return Interval(Decimal(repr(compared.difference.low)), Decimal(repr(compared.difference.high)))


def quality_gap(rated: Iterable[RatedTask]) -> Interval | None:
    """Ours less the API's acceptable share, compared task by task and weighed by requests; 95 %.

    Newcombe's interval of a difference from both Wilson intervals, over strata. None where no task was rated enough on
    both sides. A task's share on one side never stands against another task's on the other.
    """
    both = [row for row in rated if min(row.ours[0], row.theirs[0]) >= FEWEST_COMPARED and row.requests]
    total = sum(row.requests for row in both)
    if not total:
        return None
    difference, below, above = Decimal(0), Decimal(0), Decimal(0)
    for row in both:
        weight = Decimal(row.requests) / total
        p, mine = _share(row.ours)
        q, other = _share(row.theirs)
        difference += weight * (p - q)
        below += weight**2 * ((p - mine.low) ** 2 + (other.high - q) ** 2)
        above += weight**2 * ((mine.high - p) ** 2 + (q - other.low) ** 2)
    return Interval(difference - below.sqrt(), difference + above.sqrt())


def _share(counts: tuple[int, int]) -> tuple[Decimal, Interval]:
    interval = wilson(counts[1], counts[0])
    assert interval is not None, "tasks without ratings are not compared"
    return Decimal(counts[1]) / counts[0], interval


# --- latency -------------------------------------------------------------------------------------------------------


BUCKETS = """
SELECT metric, bucket, sum(n)::bigint FROM traffic_latency_day
WHERE day >= %s AND day < %s AND provider = %s GROUP BY 1, 2 ORDER BY 1, 2
"""


def own_timings(now: datetime) -> dict[Metric, Timing]:
    """First token and whole answer of our own deployments over the last 30 days."""
    end = now.astimezone(UTC).date() + timedelta(days=1)
    by_metric: dict[int, list[tuple[int, int]]] = {Metric.LATENCY: [], Metric.TTFT: []}
    for metric, bucket, count in sql.rows(BUCKETS, (end - WINDOW, end, OWN)):
        by_metric[metric].append((bucket, count))
    return {metric: timing(by_metric[metric]) for metric in (Metric.LATENCY, Metric.TTFT)}


def timing(buckets: Buckets) -> Timing:
    total = sum(count for _, count in buckets)
    return Timing(
        count=total,
        p50=ranked(buckets, rank(total, Decimal("0.5"))),
        p95=ranked(buckets, rank(total, Decimal("0.95"))),
        p99=ranked(buckets, rank(total, Decimal("0.99"))),
        p95_interval=quantile_interval(buckets, Decimal("0.95")),
    )


def rank(total: int, share: Decimal) -> int:
    """The nearest rank of a quantile, from 1."""
    return max(1, int((share * total).to_integral_value(ROUND_CEILING)))


def ranked(buckets: Buckets, place: int) -> Decimal | None:
    """Milliseconds of the value at a rank; None where there are not so many."""
    value = bucket_value(bucket_at(buckets, place))
    return None if value is None else Decimal(str(value))


def bucket_at(buckets: Buckets, place: int) -> int | None:
    """The log bucket of the value at a rank; None where there are not so many."""
    for bucket, count in buckets:
        place -= count
        if place <= 0:
            return bucket
    return None


def quantile_interval(buckets: Buckets, share: Decimal) -> Interval | None:
    """Between which values the quantile lies, 95 %: by the binomial spread of its rank; None for too few.

    From the lower edge of the first bucket to the upper edge of the last: where in a bucket a value lies is not known.
    """
    total = sum(count for _, count in buckets)
    half = Z * (total * share * (1 - share)).sqrt()
    first = int((total * share - half).to_integral_value(ROUND_FLOOR))
    last = int((total * share + half).to_integral_value(ROUND_CEILING)) + 1
    low, high = bucket_at(buckets, max(1, first)), bucket_at(buckets, last)
    if low is None or high is None:
        return None
    return Interval(Decimal(str(bucket_edges(low)[0])), Decimal(str(bucket_edges(high)[1])))
