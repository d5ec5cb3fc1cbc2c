"""The break-even's live inputs: this installation's own traffic of the last 30 days at today's prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Sum

from costs import sheets
from costs.breakeven import Inputs, PriceList, SelfHost, TokenPrices
from costs.models import Category, Charge, PriceSheet, Provenance
from providers.models import Deployment, Lease, Offer, TokenPrice
from traffic.models import UsageHour

WINDOW = timedelta(days=30)
LIVE = "live"  # the name of today's price list beside the dated sheets
ROUTABLE = Decimal("0.7")
HOURS = Decimal(730)
LONG_WRITE = Decimal("1.6")  # a 1-hour cache write costs 1.6 of a 5-minute one at every Claude model


@dataclass(frozen=True)
class Traffic:
    """Requests of the window, added up; `api_*` are those that a vendor served."""

    requests: int
    run_rate: int  # a month of 30 days at this pace
    days: Decimal  # observed, at most 30
    input_tokens: Decimal  # of one request, cache writes not counted
    output_tokens: Decimal
    cache_read_share: Decimal
    cache_write_tokens: Decimal  # a month, as 5-minute writes
    batch_share: Decimal
    peak_factor: Decimal
    models: dict[str, int]  # requests by API model


class BookPrices:
    """Today's price list as the break-even engine reads prices."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices in force now; a vendor's own beats a reseller's of the same model."""
        rows = TokenPrice.objects.filter(model=model, starts_at__lte=self.now).order_by("-starts_at")
        found = sorted(rows, key=lambda row: row.provider not in ("anthropic", "openai"))
        return prices_of(found[0]) if found else None


def prices_of(row: TokenPrice) -> TokenPrices:
    """A rate that the vendor does not list costs what an uncached token does."""
    plain = row.uncached_input
    return TokenPrices(
        input=plain,
        output=row.output,
        cache_write_5m=plain if row.cache_write_5m is None else row.cache_write_5m,
        cache_read=plain if row.cache_read is None else row.cache_read,
        batch_discount=Decimal(1) - row.batch_factor if row.batch_factor is not None else Decimal(0),
    )


def price_lists(now: datetime) -> dict[str, PriceList]:
    """Every list that a what-if may name."""
    stored = {sheet.slug: sheets.parse(sheet.figures) for sheet in PriceSheet.objects.all()}
    return {**stored, LIVE: BookPrices(now)}


def live_inputs(now: datetime) -> Inputs:
    """Complete inputs; where nothing was measured yet, the reference sheet's example stands in."""
    reference = sheets.load()
    work = reference.workload
    traffic = measure(now)
    prices = BookPrices(now)
    model, mixed = api_prices(traffic, prices, reference)
    empty = traffic.requests == 0
    return Inputs(
        price_sheet=LIVE,
        api_model=model,
        prices=mixed,
        input_tokens=Decimal(work.input_tokens) if empty else traffic.input_tokens,
        output_tokens=Decimal(work.output_tokens) if empty else traffic.output_tokens,
        cache_read_share=Decimal(1) if empty else traffic.cache_read_share,
        cache_write_tokens=Decimal(work.cache_write_tokens) if empty else traffic.cache_write_tokens,
        batch_share=traffic.batch_share,
        requests_per_month=traffic.run_rate,
        routable_share=ROUTABLE,
        selfhost=live_selfhost(now, traffic, reference),
    )


def live_selfhost(now: datetime, traffic: Traffic, reference: sheets.Sheet) -> SelfHost:
    leases = list(Lease.objects.active().filter(deployments__isnull=False).distinct())
    return SelfHost(
        billing="hourly",
        gpu_hourly=gpu_hourly(leases, reference),
        hours_per_month=HOURS,
        price_per_second=None,
        cold_start_seconds=Decimal(0),
        fixed_monthly=upkeep(now, reference),
        storage_monthly=Decimal(0),
        gpu_tokens_per_second=capacity(leases),
        peak_factor=traffic.peak_factor,
    )


def gpu_hourly(leases: list[Lease], reference: sheets.Sheet) -> Decimal:
    """One GPU's hour: of the leases behind our deployments, else the cheapest RTX 4090 on offer, else the sheet's."""
    gpus = sum(lease.gpu_count for lease in leases)
    if gpus:
        return sum((lease.price_per_hour for lease in leases), Decimal(0)) / gpus
    offer = (
        Offer.objects.filter(gpu="RTX 4090", kind="on_demand", available=True).order_by("price_per_gpu_hour").first()
    )
    if offer:
        return offer.price_per_gpu_hour
    work = reference.workload
    return reference.gpu_price(work.provider, work.gpu, "on_demand").hourly.low


def capacity(leases: list[Lease]) -> Decimal | None:
    """One GPU's aggregate output tokens a second, where a trial or the catalogue says; None is unknown."""
    known = Deployment.objects.filter(lease__in=leases, tokens_per_second__isnull=False)
    rates = [deployment.tokens_per_second for deployment in known]
    return Decimal(str(min(rate for rate in rates if rate))) if rates else None


def upkeep(now: datetime, reference: sheets.Sheet) -> Decimal:
    """Upkeep and VM that people entered for the last 30 days; the sheet's where nobody has."""
    day = now.date()
    entered = Charge.objects.between(day - WINDOW, day).filter(
        provenance=Provenance.ENTERED, category__in=(Category.UPKEEP, Category.VM)
    )
    total: Decimal | None = entered.aggregate(total=Sum("amount"))["total"]
    return reference.workload.upkeep_monthly if total is None else total


def api_prices(traffic: Traffic, book: BookPrices, reference: sheets.Sheet) -> tuple[str, TokenPrices]:
    """The model that most API requests ask for, and the prices of all of them weighted by requests."""
    priced = [(model, count, book.token_prices(model)) for model, count in traffic.models.items()]
    known = [(model, count, prices) for model, count, prices in priced if prices is not None]
    if not known:
        model = reference.workload.api_model
        found = book.token_prices(model) or reference.token_prices(model)
        if found is None:
            raise LookupError(f"neither the price book nor the sheet {reference.name} has a price for {model}")
        return model, found
    total = sum(count for _, count, _ in known)
    means = {
        name: sum((getattr(prices, name) * count for _, count, prices in known), Decimal(0)) / total
        for name in ("input", "output", "cache_write_5m", "cache_read", "batch_discount")
    }
    return max(known, key=lambda one: one[1])[0], TokenPrices(**means)


def measure(now: datetime) -> Traffic:
    """Traffic of the 30 days up to now, from the usage hours."""
    since = now - WINDOW
    hours = UsageHour.objects.filter(hour__gte=since, hour__lte=now)
    names = ("requests", "unknown_usage", "batched", "uncached_input", "cache_read", "output")
    sums = {name: Sum(name) for name in (*names, "cache_write_5m", "cache_write_1h")}
    of_all: dict[str, Any] = hours.aggregate(**sums)
    of_api: dict[str, Any] = hours.filter(leased=0).aggregate(**sums)
    all_ = {name: int(value or 0) for name, value in of_all.items()}
    api = {name: int(value or 0) for name, value in of_api.items()}
    loads = list(hours.values("hour").annotate(tokens=Sum("output")).order_by("hour").values_list("hour", "tokens"))
    days = observed_days(loads[0][0], now) if loads else Decimal(30)
    known = all_["requests"] - all_["unknown_usage"]
    inputs = all_["uncached_input"] + all_["cache_read"]
    writes = all_["cache_write_5m"] + LONG_WRITE * all_["cache_write_1h"]
    models = hours.filter(leased=0, unpriced=0).exclude(provider="self").values("model").annotate(n=Sum("requests"))
    return Traffic(
        requests=all_["requests"],
        run_rate=int(all_["requests"] * 30 / days),
        days=days,
        input_tokens=ratio(inputs, known),
        output_tokens=ratio(all_["output"], known),
        cache_read_share=cached_share(api) if api["requests"] else cached_share(all_),
        cache_write_tokens=Decimal(writes) * 30 / days,
        batch_share=ratio(all_["batched"], all_["requests"]),
        peak_factor=peak([int(tokens) for _, tokens in loads], days),
        models={row["model"]: row["n"] for row in models},
    )


def observed_days(first: datetime, now: datetime) -> Decimal:
    """How much of the window there was anything to see; a day at least, so that one busy hour is no month."""
    days = Decimal(int((now - first).total_seconds())) / 86_400
    return min(max(days, Decimal(1)), Decimal(30))


def ratio(part: int, whole: int) -> Decimal:
    return Decimal(part) / whole if whole else Decimal(0)


def cached_share(sums: dict[str, int]) -> Decimal:
    return ratio(sums["cache_read"], sums["cache_read"] + sums["uncached_input"])


def peak(tokens: list[int], days: Decimal) -> Decimal:
    """Busiest hour against the mean hour, quiet hours included; at least 1."""
    total = sum(tokens)
    if not total:
        return Decimal(1)
    mean = Decimal(total) / (days * 24)
    return max(Decimal(1), round(Decimal(max(tokens)) / mean, 4))
