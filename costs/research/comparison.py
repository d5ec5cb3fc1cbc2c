"""The comparison tables and the decision of the research: figures of January 2026 beside today's, with the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from costs.breakeven import Inputs, Result, compute
from costs.breakeven.book_prices import BookPrices
from costs.breakeven.measured_inputs import example
from costs.breakeven.statement import usd
from costs.price_sheets.sheets import GpuLine, Sheet
from costs.research.scenarios import VariantCost, workload_inputs
from lib.formats import count, missing, signed_percent
from providers.models import Deployment, Model, OfferKind, provider_name
from traffic.models import Rating
from traffic.quality.queries import ACCEPTABLE

Kinds = Mapping[tuple[str, str, str], Decimal]  # USD an hour by provider, GPU and kind
MONTH = Decimal(730)
RATED = timedelta(days=90)
VOLUMES = (30_000, 100_000, 300_000, 1_000_000)
RATES = ("input", "output", "cache_write_5m", "cache_read")


def why(sheet: Sheet, then: VariantCost, line: GpuLine, now: VariantCost) -> str:
    """Why a scenario costs more or less today, in words: the price of the GPU hour, and of the machine around the GPU
    if that is paid separately."""
    was, is_now = then.lines["gpu"], now.lines["gpu"]
    if was is None or is_now is None:
        return _("no offer of this GPU and contract is known, so there is nothing to hold against it")
    around = machine(then.lines.get("vm"), now.lines.get("vm"))
    rest = around or (_("; VM and storage as in the sheet") if len(then.lines) > 1 else "")
    if abs(is_now - was) < Decimal("0.005"):
        return _("the GPU costs the same") + around
    values = {
        "then": usd(round(was / line.hours, 4)),
        "now": usd(round(is_now / line.hours, 4)),
        "hours": f"{line.hours:,.0f}",
        "sum": usd(round(abs(is_now - was), 2)),
    }
    text = (
        _("the GPU’s hour rose from %(then)s to %(now)s: %(hours)s h make %(sum)s more")
        if is_now > was
        else _("the GPU’s hour fell from %(then)s to %(now)s: %(hours)s h make %(sum)s less")
    )
    return text % values + rest


def machine(was: Decimal | None, is_now: Decimal | None) -> str:
    """The part of the difference that the machine around a GPU makes, in words; empty without a known change."""
    if is_now is None or abs(is_now - (was or Decimal(0))) < Decimal("0.005"):
        return ""
    change = is_now - (was or Decimal(0))
    more, less = _("; the machine around it %(sum)s a month more"), _("; the machine around it %(sum)s a month less")
    return (more if change > 0 else less) % {"sum": usd(round(abs(change), 2))}


@dataclass(frozen=True, slots=True)
class PricedHardware:
    """The price span of January and today's price, USD a GPU hour; None if nobody offers it today."""

    name: str
    detail: str
    low: Decimal
    high: Decimal
    today: Decimal | None

    @property
    def change(self) -> Decimal | None:
        """The change as a share of the nearer end of January's span; 0 inside the span, None without a price."""
        if self.today is None:
            return None
        near = min(max(self.today, self.low), self.high)
        return self.today / near - 1 if near else None

    def change_words(self) -> str:
        return (
            _("as then")
            if self.change == 0
            else missing("dash")
            if self.change is None
            else signed_percent(self.change)
        )

    @property
    def monthly(self) -> Decimal | None:
        return None if self.today is None else self.today * MONTH


def hardware(sheet: Sheet, today: Kinds) -> list[PricedHardware]:
    """One row for each GPU price of the sheet."""
    return [
        PricedHardware(
            f"{provider_name(row.provider)} {sheet.gpu(row.gpu).name}",
            str(OfferKind(row.kind).label), row.hourly.low, row.hourly.high,
            today.get((row.provider, sheet.gpu(row.gpu).name, row.kind)),
        )
        for row in sheet.gpu_prices
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Claude:
    """A model's rates of January and today, USD a million tokens."""

    name: str
    rates: list[tuple[Decimal, Decimal | None]]
    retires_on: Any

    @property
    def difference(self) -> str:
        if any(now is None for _then, now in self.rates):
            return _("no longer in the price book")
        changed = [(then, now) for then, now in self.rates if now is not None and now != then]
        return _("paid as in January") if not changed else _("%(n)s of 4 rates differ") % {"n": len(changed)}


def claude(sheet: Sheet, now: datetime) -> list[Claude]:
    """The sheet's models with today's rates after the discounts of contracts; in three statements."""
    book = BookPrices(now)
    names = [row.slug for row in sheet.claude]
    prices = book.by_model(("anthropic", name) for name in names)
    retiring = dict(Model.objects.filter(provider="anthropic", name__in=names).values_list("name", "retires_on"))
    rows = []
    for row in sheet.claude:
        price = prices.get(("anthropic", row.slug))
        today = [price.uncached_input, price.output, price.cache_write_5m, price.cache_read] if price else [None] * 4
        rates = [(getattr(row, name), paid) for name, paid in zip(RATES, today, strict=True)]
        rows.append(Claude(row.name, rates, retiring.get(row.slug)))
    return rows


@dataclass(frozen=True, slots=True)
class MeasuredDeployment:
    """One of our own deployments with the output tokens a second of one GPU, from a trial or the catalogue."""

    name: str
    model: str
    engine: str
    tokens_per_second: float | None


def own_deployments() -> list[MeasuredDeployment]:
    rows = Deployment.objects.enabled().filter(provider="self").order_by("slug")
    return [MeasuredDeployment(row.name, row.model, row.engine, row.tokens_per_second) for row in rows]


@dataclass(frozen=True, slots=True)
class JudgedModel:
    """The share of acceptable answers of a model in the last 90 days."""

    model: str
    ratings: int
    share: Decimal


def judged(now: datetime) -> list[JudgedModel]:
    day = now.date()
    rows = Rating.objects.in_days(day - RATED, day + timedelta(days=1)).exclude(model="").order_by().values("model")
    counted = rows.annotate(n=Count("id"), good=Count("id", filter=ACCEPTABLE)).order_by("-n", "model")
    return [JudgedModel(row["model"], row["n"], Decimal(row["good"]) / row["n"]) for row in counted]


# --- the decision --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume of the research's table: USD a month at January's prices and at today's, for the same workload."""

    n: int
    then: Result
    now: Result


@dataclass(frozen=True, slots=True)
class Decision:
    volumes: list[Volume]
    then: int | None  # requests a month from which our own GPU pays, at January's prices
    now: int | None
    because: list[str]

    def answer(self) -> SafeString:
        words = {"then": count(self.then), "now": count(self.now)}
        if self.now is None:
            text = _(
                "In January our own GPU paid from <b>{then} requests</b> a month for the research’s workload; at"
                " today’s prices it pays at no volume."
            )
        elif self.now == self.then:
            text = _("As in January our own GPU pays from <b>{then} requests</b> a month for the research’s workload.")
        else:
            text = _(
                "For the research’s workload our own GPU paid from <b>{then} requests</b> a month in January and pays"
                " from <b>{now}</b> today."
            )
        return format_html(text, **words)


def decision(sheet: Sheet, live: Inputs, now: datetime) -> Decision:
    """The break-even of the research's workload, with every request routed to one GPU, in January and today."""
    january = workload_inputs(sheet)
    own = replace(
        live.selfhost,
        gpu_tokens_per_second=None,
        peak_factor=Decimal(1),
        hours_per_month=january.selfhost.hours_per_month,
    )
    today = replace(example(BookPrices(now), sheet, own, january.requests_per_month), routable_share=Decimal(1))
    rows = [Volume(n, at(january, n), at(today, n)) for n in VOLUMES]
    return Decision(rows, pays_from(january), pays_from(today), because(january, today))


def at(inputs: Inputs, n: int) -> Result:
    return compute(replace(inputs, requests_per_month=n), curve_to=0)


def pays_from(inputs: Inputs) -> int | None:
    crossings = compute(inputs, curve_to=0).crossings
    return next((crossing.requests_per_month for crossing in crossings if crossing.side_to == "selfhost"), None)


def because(january: Inputs, today: Inputs) -> list[str]:
    """A sentence for every input that differs."""
    facts = (
        (_("a GPU’s hour"), january.selfhost.gpu_hourly, today.selfhost.gpu_hourly),
        (_("VM and upkeep a month"), january.selfhost.fixed_monthly, today.selfhost.fixed_monthly),
        (_("a million cached input tokens"), january.prices.cache_read, today.prices.cache_read),
        (_("a million output tokens"), january.prices.output, today.prices.output),
        (_("a million tokens written to the cache"), january.prices.cache_write_5m, today.prices.cache_write_5m),
    )
    text = _("%(what)s: %(then)s in January, %(now)s today")
    return [
        text
        % {"what": what, "then": usd(round(then, 2 if then >= 1 else 4)), "now": usd(round(now, 2 if now >= 1 else 4))}
        for what, then, now in facts
        if then is not None and now is not None and then != now
    ]
