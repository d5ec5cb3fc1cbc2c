"""The break-even's live inputs: this installation's own traffic of the last 30 days at today's prices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from costs.breakeven import (
    Day,
    Inputs,
    Mix,
    PriceList,
    Prompts,
    SelfHost,
    Spread,
    TokenPrices,
    Usage,
    measured_mix,
    spread_of,
)
from costs.breakeven.own_costs import WINDOW, UnitBook
from costs.list_prices import ListPrices
from costs.models import PriceSheet
from costs.price_sheets import sheets
from lib import sql
from lib.tokens import PROMPT_CLASSES
from providers.models import Deployment, Lease, Offer, TokenPrice
from traffic.usage.filters import Filters

VENDORS = ("anthropic", "openai")  # who sell models of their own
LIVE = "live"  # the name of today's price list beside the dated sheets
ROUTABLE = Decimal("0.7")
HOURS = Decimal(730)
COUNTS = ("requests", "unknown_usage", "batched", *PROMPT_CLASSES)
ADDED = ", ".join(f"sum({name})::bigint AS {name}" for name in (*COUNTS, "output"))


@dataclass(frozen=True)
class Traffic:
    """Requests of the window, added up by provider, model, task and `ours`: whether our own GPUs served them."""

    groups: list[dict[str, Any]]
    days: Decimal  # with observations, 1 to 30
    peak_factor: Decimal

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


GROUPS = f"""
SELECT provider, model, task, leased > 0 OR provider = 'self' AS ours, {ADDED}
FROM traffic_usage_hour WHERE hour >= %s AND hour <= %s{{condition}} GROUP BY 1, 2, 3, 4
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
    """Traffic of the 30 days up to now that passes the filters, from the usage hours."""
    condition, values = (filters or Filters()).condition()
    window = [now - WINDOW, now, *values]
    groups = sql.mappings(GROUPS.format(condition=condition), window)
    [(first, busiest, total)] = sql.rows(LOADS.format(condition=condition), window)
    days = observed_days(first, now) if first else Decimal(30)
    return Traffic(groups, days, peak(busiest, total, days))


def spread(now: datetime, filters: Filters | None = None) -> Spread | None:
    """The spread of the whole days of the window; None if there are too few."""
    today = now.astimezone(UTC).date()
    condition, values = (filters or Filters()).condition()
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


class BookPrices:
    """Today's prices of the price book as a `PriceList`, with the discounts of contracts taken off."""

    def __init__(self, now: datetime, models: Iterable[str] = ()) -> None:
        """`models` are those that will be asked for; one statement reads them all."""
        self.now, self.names, self.prices = now, frozenset(models), ListPrices({})

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices in force now, USD a million tokens; the vendor's own price goes before a reseller's."""
        prices = self._read({model})
        providers = sorted({provider for provider, _name in prices.versions})
        providers.sort(key=lambda provider: provider not in VENDORS)
        rows = (prices.in_force(provider, model, self.now) for provider in providers)
        return next((prices_of(row) for row in rows if row is not None), None)

    def by_model(self, models: Iterable[tuple[str, str]]) -> dict[tuple[str, str], TokenPrice]:
        """The price of each (provider, model) that has one, in one query."""
        wanted = set(models)
        prices = self._read({model for _, model in wanted})
        rows = {key: prices.in_force(*key, self.now) for key in wanted}
        return {key: row for key, row in rows.items() if row is not None}

    def _read(self, models: Set[str]) -> ListPrices:
        """Prices of these models at least; they are read again where one of them was not asked for before."""
        if not models <= self.prices.models:
            self.names |= models
            self.prices = ListPrices.of(self.names, self.prices.discounts or None)
        return self.prices


def prices_of(row: TokenPrice) -> TokenPrices:
    """The prices of a row, USD a million tokens; a cache rate that is not listed is the rate of uncached input."""
    return replace(
        tier_of(row, ""), over_tokens=row.over_tokens, over=tier_of(row, "over_") if is_tiered(row) else None
    )


def is_tiered(row: TokenPrice) -> bool:
    return row.over_tokens is not None and row.over_uncached_input is not None and row.over_output is not None


def tier_of(row: TokenPrice, prefix: str) -> TokenPrices:
    """Where the batch factor is not known, a batch is estimated at the full rates; ingest leaves its cost unknown."""
    plain: Decimal = getattr(row, f"{prefix}uncached_input")
    write, read = getattr(row, f"{prefix}cache_write_5m"), getattr(row, f"{prefix}cache_read")
    return TokenPrices(
        input=plain,
        output=getattr(row, f"{prefix}output"),
        cache_write_5m=plain if write is None else write,
        cache_read=plain if read is None else read,
        batch_discount=Decimal(1) - row.batch_factor if row.batch_factor is not None else Decimal(0),
    )


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
    models = {row["model"] for row in traffic.groups if not row["ours"]}
    book = BookPrices(now, {*models, reference.workload.api_model})
    leases = serving_leases(all_deployments() if deployments is None else deployments)
    selfhost = live_selfhost(unit_book or UnitBook(now), traffic, reference, *leases)
    inputs = example(book, reference, selfhost, traffic.run_rate)
    prices = book.by_model((row["provider"], row["model"]) for row in traffic.groups if not row["ours"])
    mix = traffic_mix(traffic, prices)
    if mix is None:
        return inputs
    live = replace(writes_as_input(mix).over(inputs), api_model=main_model(traffic, prices) or inputs.api_model)
    return replace(live, apart=apart(mix))


def apart(mix: Mix) -> Prompts:
    """The measured prompts with separate cache writes, because list prices have a rate of their own for these."""
    return Prompts(mix.input_tokens, mix.cache_read_share, mix.cache_writes_as_5m, mix.batch_share)


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


def main_model(traffic: Traffic, prices: Mapping[tuple[str, str], TokenPrice]) -> str | None:
    """The model that most API requests went to."""
    counts: dict[str, int] = {}
    for row in traffic.groups:
        if not row["ours"] and (row["provider"], row["model"]) in prices:
            counts[row["model"]] = counts.get(row["model"], 0) + row["requests"]
    return max(counts, key=lambda model: counts[model], default=None)


def traffic_mix(traffic: Traffic, prices: Mapping[tuple[str, str], TokenPrice]) -> Mix | None:
    """The average request at today's prices; None without any API request whose model has a price.

    Requests that a vendor served count at their model's price. The cost of the others (our own GPUs, models without a
    price) is not measured: they count with their own tokens at the mean price and cache shares of the first.
    """
    priced = [row for row in traffic.groups if not row["ours"] and (row["provider"], row["model"]) in prices]
    rows = [part for row in priced for part in usage_of(row, prices[row["provider"], row["model"]])]
    mix = measured_mix(rows, traffic.run_rate)
    others = [row for row in traffic.groups if row not in priced]
    if mix is None or not others:
        return mix
    return measured_mix([*rows, *(at_mean(row, mix, rows) for row in others)], traffic.run_rate)


def writes_as_input(mix: Mix) -> Mix:
    """The mix with cache writes counted as uncached input, whose price is raised so that the cost stays the same.

    The engine takes cache writes as a fixed number a month, as in the research's example with one prompt. Real prompts
    are written again every few minutes: their writes grow with the requests and leave with those that are routed.
    """
    if not mix.requests_per_month or not mix.cache_write_tokens:
        return replace(mix, cache_write_tokens=Decimal(0))
    read, written = mix.input_tokens * mix.cache_read_share, mix.cache_write_tokens / mix.requests_per_month
    uncached, prices = mix.input_tokens - read, mix.prices
    writes = written * prices.cache_write_5m
    before = uncached * prices.input + read * prices.cache_read + mix.output_tokens * prices.output
    return replace(
        mix,
        prices=replace(prices, input=(uncached * prices.input + writes) / (uncached + written)),
        input_tokens=mix.input_tokens + written,
        cache_read_share=read / (mix.input_tokens + written),
        cache_write_tokens=Decimal(0),
        # The price of writes has its discount in it already, so the batch discount must apply to the rest alone.
        batch_share=mix.batch_share * before / (before + writes),
    )


def usage_of(row: Mapping[str, Any], price: TokenPrice) -> Iterable[Usage]:
    """A group's tokens at its price, batch requests apart; requests without known tokens count like the mean."""
    with_usage = row["requests"] - row["unknown_usage"]
    listed = prices_of(price)
    # Usage hours do not keep the length of each prompt, so the mean length decides about the price tier.
    prices = listed.of_prompt(
        Decimal(sum(row[name] for name in PROMPT_CLASSES)) / with_usage if with_usage else Decimal(0)
    )
    hour_long = price.over_cache_write_1h if prices is listed.over else price.cache_write_1h
    long_write = prices.cache_write_5m if hour_long is None else hour_long
    batched = min(row["batched"], with_usage)
    in_batch: dict[str, Any] = {
        name: row[name] * batched // with_usage if with_usage else 0 for name in (*PROMPT_CLASSES, "output")
    }
    if with_usage > batched:
        at_once: dict[str, Any] = {name: row[name] - in_batch[name] for name in in_batch}
        yield Usage(prices, long_write, with_usage - batched, **at_once)
    if batched:
        # Vendors discount cache writes of a batch too. The engine's batch discount does not, so it is taken off here.
        factor = 1 - prices.batch_discount
        discounted = replace(prices, cache_write_5m=prices.cache_write_5m * factor)
        yield Usage(discounted, long_write * factor, batched, **in_batch, batch=True)


def at_mean(row: Mapping[str, Any], mix: Mix, rows: Iterable[Usage]) -> Usage:
    """A group's tokens as if the API had served them: own token counts, the API's mean prices and cache shares."""
    sums = [(name, sum(getattr(usage, name) for usage in rows)) for name in PROMPT_CLASSES]
    total = sum(count for _, count in sums)
    tokens = sum(row[name] for name in PROMPT_CLASSES)
    divided: dict[str, Any] = {name: tokens * count // total if total else 0 for name, count in sums}
    return Usage(
        prices=mix.prices,
        cache_write_1h_price=mix.prices.cache_write_5m,  # in a mix this is the mean price of both kinds of write
        requests=row["requests"] - row["unknown_usage"],
        output=row["output"],
        **divided,
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


def all_deployments() -> list[Deployment]:
    """All deployments with their leases and accounts."""
    return list(Deployment.objects.select_related("lease__account"))


def serving_leases(deployments: Iterable[Deployment]) -> tuple[list[Lease], Decimal | None]:
    """Running leases behind our deployments, and the output tokens a second of one GPU in all; None: unknown.

    If a trial or the catalogue says how fast some deployments are, only their leases are given: a machine that does
    other work would falsify the cost of serving.
    """
    serving = [(row.lease, row.tokens_per_second) for row in deployments if row.lease and row.lease.ended_at is None]
    fast = [(lease, speed) for lease, speed in serving if speed]
    leases = {lease.pk: lease for lease, _speed in fast or serving}
    slowest = min((speed for _lease, speed in fast if speed), default=None)
    return [leases[pk] for pk in sorted(leases)], None if slowest is None else Decimal(str(slowest))


def gpu_hourly(leases: list[Lease], reference: sheets.Sheet) -> tuple[Decimal, Offer | None]:
    """USD of one GPU hour: the mean of our leases, else the cheapest RTX 4090 on offer, else the sheet's price.

    The second value is the offer, if the price is that of an offer.
    """
    gpus = sum(lease.gpu_count for lease in leases)
    if gpus:
        return sum((lease.price_per_hour for lease in leases), Decimal(0)) / gpus, None
    usual = Offer.objects.filter(gpu="RTX 4090", kind="on_demand", available=True)
    offer = usual.order_by("whole_per_gpu_hour").first()
    if offer is not None:
        return offer.whole_per_gpu_hour, offer
    work = reference.workload
    return reference.gpu_price(work.provider, work.gpu, "on_demand").hourly.low, None
