"""The break-even's live inputs: this installation's own traffic of the last 30 days at today's prices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from costs.breakeven import Day, Inputs, PriceList, SelfHost, Spread, spread_of
from costs.breakeven.book_prices import BookPrices
from costs.breakeven.counterfactual import inputs_of, models_of, priced, stand_ins
from costs.breakeven.inputs import Capacity
from costs.breakeven.own_costs import WINDOW, UnitBook
from costs.breakeven.queries import ADDED, COMPARED, COUNTS, chosen_models, compared_condition, served_by_week
from costs.models import PriceSheet
from costs.price_sheets import sheets
from lib import sql
from lib.dates import DAY, midnight
from providers.models import Account, Deployment, Lease, Offer
from traffic.models import Trial
from traffic.usage.filters import Filters

LIVE = "live"  # the name of today's price list beside the dated sheets
ROUTABLE = Decimal("0.7")
HOURS = Decimal(730)
KEYS = ", ".join(("provider", "model", "task", "leased", "application_id", *COUNTS, "output"))


@dataclass(frozen=True)
class Traffic:
    """Requests of the window, added up by provider, model, task and `ours`: whether our own GPUs served them.

    They are those of the applications that count in the comparison; `excluded` is how many others there were.
    """

    groups: list[dict[str, Any]]
    days: Decimal  # with observations, 1 to 30
    peak_factor: Decimal
    filters: Filters = field(default_factory=Filters)
    excluded: int = 0

    @property
    def requests(self) -> int:
        return sum(row["requests"] for row in self.groups)

    @property
    def own_requests(self) -> int:
        return sum(row["requests"] for row in self.groups if row["ours"])

    @property
    def run_rate(self) -> int:
        """Requests of a month of 30 days at the mean rate of the window."""
        return int(self.requests * 30 / self.days)

    @property
    def whole_run_rate(self) -> int:
        """The same with the requests of the applications that are not compared."""
        return int((self.requests + self.excluded) * 30 / self.days)


# Whole days come from the rows of days, which are a twenty-fourth of those of hours; hours fill the ends of the window.
# Added up by application first: a DISTINCT aggregate has all rows sorted, which takes longer than to add them up.
GROUPS = f"""
SELECT provider, model, task, ours, {COMPARED} AS compared,
       array_agg(application_id ORDER BY application_id) AS applications, {ADDED}
FROM (
    SELECT provider, model, task, leased > 0 OR provider = 'self' AS ours, application_id, {ADDED} FROM (
        SELECT {KEYS} FROM traffic_usage_hour
        WHERE (hour >= %s AND hour < %s OR hour >= %s AND hour <= %s){{condition}}
        UNION ALL
        SELECT {KEYS} FROM traffic_usage_day WHERE day >= %s AND day < %s{{condition}}
    ) AS parts GROUP BY 1, 2, 3, 4, 5
) AS by_application GROUP BY 1, 2, 3, 4, 5
"""
# The first hour, the output tokens of the busiest hour, and those of all hours.
LOADS = """
SELECT min(hour), max(tokens), sum(tokens) FROM (
    SELECT hour, sum(output) AS tokens FROM traffic_usage_hour WHERE hour >= %s AND hour <= %s{condition} GROUP BY hour
) AS loads
"""
WHOLE_DAYS = """
SELECT sum(requests)::bigint,
       coalesce(sum(requests - unpriced - leased - unknown_usage) FILTER (WHERE provider <> 'self'), 0)::bigint,
       coalesce(sum(cost) FILTER (WHERE provider <> 'self'), 0)
FROM traffic_usage_day WHERE day >= %s AND day < %s{condition} GROUP BY day
"""


def measure(now: datetime, filters: Filters | None = None) -> Traffic:
    """Traffic of the 30 days up to now that passes the filters.

    Applications that the filters name count in any case.
    """
    wanted = filters or Filters()
    condition, values = wanted.condition()
    first_day, today = (now - WINDOW).astimezone(UTC).date() + DAY, now.astimezone(UTC).date()
    hours = [now - WINDOW, midnight(first_day), midnight(today), now, *values]
    groups = sql.mappings(GROUPS.format(condition=condition), [*hours, first_day, today, *values])
    condition, values = compared_condition(wanted)
    [(first, busiest, total)] = sql.rows(LOADS.format(condition=condition), [now - WINDOW, now, *values])
    days = observed_days(first, now) if first else Decimal(30)
    compared = [row for row in groups if row["compared"] or wanted.application]
    excluded = sum(row["requests"] for row in groups) - sum(row["requests"] for row in compared)
    return Traffic(compared, days, peak(busiest, total, days), wanted, excluded)


def spread(now: datetime, filters: Filters | None = None) -> Spread | None:
    """The spread of the whole days of the window; None if there are too few."""
    today = now.astimezone(UTC).date()
    condition, values = compared_condition(filters or Filters())
    rows = sql.rows(WHOLE_DAYS.format(condition=condition), [today - WINDOW, today, *values])
    return spread_of([Day(requests, priced, paid) for requests, priced, paid in rows])


def observed_days(first: datetime, now: datetime) -> Decimal:
    """Days from the first request to now, 1 to 30. At least 1, because a month made of one busy hour would be wrong."""
    days = Decimal(int((now - first).total_seconds())) / 86_400
    return min(max(days, Decimal(1)), Decimal(30))


def peak(busiest: Decimal | None, total: Decimal | None, days: Decimal) -> Decimal:
    """Output tokens of the busiest hour / of the mean hour, hours without requests included; at least 1."""
    if not busiest or not total:
        return Decimal(1)
    return max(Decimal(1), round(Decimal(busiest) / (Decimal(total) / (days * 24)), 4))


def price_lists(now: datetime) -> dict[str, PriceList]:
    """Every price list that a what-if may name, by its name."""
    stored = {sheet.slug: sheets.parse(sheet.figures) for sheet in PriceSheet.objects.all()}
    return {**stored, LIVE: BookPrices(now)}


def live_inputs(
    now: datetime,
    traffic: Traffic | None = None,
    unit_book: UnitBook | None = None,
    deployments: Iterable[Deployment] | None = None,
) -> Inputs:
    """Complete inputs; before anything was measured, those of the example of the reference sheet.

    What the caller passes is not read again; `deployments` are all of them, with lease and account.
    """
    reference = sheets.load()
    traffic = traffic or measure(now)
    made = stand_ins(served_by_week(now, traffic.filters), traffic.groups, chosen_models()) if traffic.groups else {}
    models = models_of(traffic.groups, made)
    book = BookPrices(now, {*(model for _provider, model in models), reference.workload.api_model})
    trial = newest_trial()
    leases, capacity = serving(all_deployments() if deployments is None else deployments, trial)
    speed = capacity.tokens_per_second if capacity else None
    selfhost = live_selfhost(unit_book or UnitBook(now), traffic, reference, leases, speed)
    unused = measured_capacity(trial) if capacity is None or capacity.source != "trial" else None
    inputs = replace(example(book, reference, selfhost, traffic.run_rate), capacity=capacity, unused=unused)
    if not traffic.groups:
        return inputs
    return inputs_of(priced(traffic.groups, made, book.by_model(models)), inputs, traffic.days)


def example(book: BookPrices, reference: sheets.Sheet, selfhost: SelfHost, run_rate: int) -> Inputs:
    """The reference sheet's workload at today's price of its model, or at the sheet's if the price book has none."""
    work = reference.workload
    prices = book.token_prices(work.api_model) or reference.token_prices(work.api_model)
    prices = prices and prices.of_prompt(Decimal(work.input_tokens))
    if prices is None:
        raise LookupError(f"neither the price book nor the sheet {reference.name} has a price for {work.api_model}")
    return Inputs(
        price_sheet=LIVE,
        api_model=work.api_model,
        prices=prices,
        input_tokens=Decimal(work.input_tokens),
        output_tokens=Decimal(work.output_tokens),
        cache_read_share=Decimal(1),
        cache_write_tokens=Decimal(work.cache_write_tokens),
        batch_share=Decimal(0),
        requests_per_month=run_rate,
        routable_share=ROUTABLE,
        selfhost=selfhost,
    )


def live_selfhost(
    book: UnitBook, traffic: Traffic, reference: sheets.Sheet, leases: list[Lease], tokens_per_second: Decimal | None
) -> SelfHost:
    hourly, offer = gpu_hourly(leases, reference)
    entered, _vm = book.entered
    beside = book.of_offer(offer) if offer else book.of_leases(leases)
    return SelfHost(
        billing="hourly",
        gpu_hourly=hourly,
        hours_per_month=HOURS,
        price_per_second=None,
        cold_start_seconds=Decimal(0),
        fixed_monthly=reference.workload.upkeep_monthly if entered is None else entered,
        storage_monthly=Decimal(0),
        gpu_tokens_per_second=tokens_per_second,
        peak_factor=traffic.peak_factor,
        **asdict(beside),
    )


DEPLOYMENT, LEASE, ACCOUNT = sql.Table(Deployment, "d"), sql.Table(Lease, "l"), sql.Table(Account, "a")
DEPLOYMENTS = f"""
SELECT {DEPLOYMENT}, {LEASE}, {ACCOUNT} FROM providers_deployment AS d
LEFT JOIN providers_lease AS l ON l.id = d.lease_id LEFT JOIN providers_account AS a ON a.id = l.account_id
ORDER BY d.slug
"""


def all_deployments() -> list[Deployment]:
    """All deployments with their leases and accounts."""
    deployments = []
    for deployment, lease, account in sql.instances(DEPLOYMENTS, DEPLOYMENT, LEASE, ACCOUNT):
        if lease is not None:
            lease.account, deployment.lease = account, lease
        deployments.append(deployment)
    return deployments


TRIAL, OFFER = sql.Table(Trial, "t"), sql.Table(Offer, "o")
NEWEST_TRIAL = f"""
SELECT {TRIAL}, {DEPLOYMENT} FROM traffic_trial AS t JOIN providers_deployment AS d ON d.id = t.candidate_id
WHERE t.state = 'done' AND t.used_in_break_even AND t.capacity_tokens_per_second IS NOT NULL AND d.provider = 'self'
ORDER BY t.finished_at DESC, t.id DESC LIMIT 1
"""


def newest_trial() -> Trial | None:
    """The finished trial whose capacity counts: the newest of a self-hosted candidate."""
    return next(iter(sql.joined(NEWEST_TRIAL, TRIAL, candidate=DEPLOYMENT)), None)


def measured_capacity(trial: Trial | None) -> Capacity | None:
    if trial is None or not trial.capacity_tokens_per_second:
        return None
    speed = round(Decimal(str(trial.capacity_tokens_per_second)), 3)
    names = {"name": trial.name, "deployment": trial.candidate.name}
    return Capacity(speed, "trial", trial.pk, **names, concurrency=trial.capacity_concurrency, at=trial.finished_at)


# Output tokens/s of one GPU that nobody entered. An engine's is that of an hour in which calls waited at each scrape:
# in any other one it could have served more. A published one counts where it is of all streams together.
KNOWN_RATES = """
SELECT d.id, 'engine', max(b.output_tokens / b.counted_s) / l.gpu_count FROM providers_deployment AS d
JOIN providers_lease AS l ON l.id = d.lease_id JOIN providers_enginebucket AS b ON b.deployment_id = d.id
WHERE d.id = ANY(%(ids)s) AND b.resolution = 3600 AND b.waiting_min > 0 AND b.counted_s >= 1800 AND b.output_tokens > 0
GROUP BY d.id, l.gpu_count
UNION ALL
SELECT d.id, 'catalogue', min(t.low / t.gpu_count) FROM providers_deployment AS d
JOIN providers_lease AS l ON l.id = d.lease_id JOIN providers_throughput AS t ON t.gpu = l.gpu
WHERE d.id = ANY(%(ids)s) AND t.basis = 'aggregate' AND lower(t.model) = lower(d.model)
    AND replace(t.engine, '.', '') = d.engine AND t.low > 0
GROUP BY d.id
"""


def known_rates(deployments: list[Deployment]) -> dict[int, Capacity]:
    """One GPU's output by the deployment's key: as its engine measured it, else as published."""
    if not deployments:
        return {}
    names = {row.pk: row.name for row in deployments}
    rows = sorted(sql.rows(KNOWN_RATES, {"ids": list(names)}), key=lambda row: row[1])  # the engine's come last
    return {pk: Capacity(round(Decimal(str(rate)), 3), source, deployment=names[pk]) for pk, source, rate in rows}


def serving(deployments: Iterable[Deployment], trial: Trial | None = None) -> tuple[list[Lease], Capacity | None]:
    """Running leases behind our deployments, and the capacity of one GPU; None: unknown.

    A trial's capacity counts before what people entered at the lease that was tried, and this before what the engines
    measured and what is published. A trial of a deployment without a lease says nothing about leased GPUs, so it counts
    only where no throughput of theirs is known. If it is known how fast some deployments are, only their leases are
    given: a machine that does other work would falsify the cost of serving.
    """
    active = [row for row in deployments if row.lease and row.lease.ended_at is None and row.lease.reported]
    measured = measured_capacity(trial)
    tried = [row.lease for row in active if trial and row.pk == trial.candidate_id and row.lease]
    if measured is not None and tried:
        return tried, measured
    rates = {
        row.pk: Capacity(Decimal(str(row.tokens_per_second)), "person", deployment=row.name)
        for row in active if row.tokens_per_second
    } or known_rates(active)  # fmt: skip
    leases = {row.lease.pk: row.lease for row in active if row.lease and (not rates or row.pk in rates)}
    slowest = min(rates.values(), key=lambda rate: rate.tokens_per_second, default=measured)
    return [leases[pk] for pk in sorted(leases)], slowest


USUAL_OFFER = """
WHERE gpu = 'RTX 4090' AND kind = 'on_demand' AND available ORDER BY whole_per_gpu_hour LIMIT 1
"""


def gpu_hourly(leases: list[Lease], reference: sheets.Sheet) -> tuple[Decimal, Offer | None]:
    """USD of one GPU hour: the mean of our leases, else the cheapest RTX 4090 on offer, else the sheet's price.

    The second value is the offer, if the price is that of an offer.
    """
    gpus = sum(lease.gpu_count for lease in leases)
    if gpus:
        return sum((lease.price_per_hour for lease in leases), Decimal(0)) / gpus, None
    for offer in OFFER.read(USUAL_OFFER):
        return offer.whole_per_gpu_hour, offer
    work = reference.workload
    return reference.gpu_price(work.provider, work.gpu, "on_demand").hourly.low, None
