"""Reference price sheets: dated, cited figures as typed data. The first is the research's "2026-01".

A sheet is read from `costs/data/sheet-NAME.json`, or from the same structure kept and edited in the database. Money is
USD, memory is GB (10^9 bytes), contexts are tokens, throughputs are output tokens per second. A span is a low and a
high end, equal where the source gives one number.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

from costs.price_sheets.token_prices import TokenPrices

DATA = Path(__file__).parents[1] / "data"
REFERENCE = "2026-01"

Kind = Literal["computed", "quoted", "slip"]
Unit = Literal["usd", "percent", "requests", "tokens", "tokens_per_second", "gb", "million_tokens"]
Tolerance = Literal["usd", "point", "about", "gb", "exact"]


class Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of all parts of a sheet. It forbids unknown keys, so that a misspelt one is no missing figure."""


class Span(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    low: Decimal
    high: Decimal

    def __str__(self) -> str:
        return f"{self.low:f}" if self.low == self.high else f"{self.low:f}-{self.high:f}"


class Source(Struct, frozen=True):
    """The source of figures; `url` is empty for the research note itself."""

    title: str
    url: str = ""


class Memory(Struct, frozen=True):
    fp16: Span
    int8: Span
    int4: Span


class Model(Struct, frozen=True):
    """An open model: the research's figures, and the shape from its published configuration, for sizing."""

    slug: str
    name: str
    parameters: Decimal  # billions, as it is called
    memory_gb: Memory
    ram_gb: int
    ram_or_more: bool
    storage_gb: int
    context_tokens: int | None
    weights: Decimal  # billions, counted
    layers: int
    kv_heads: int
    head_size: int
    shape_source: str
    source: str


class Quantisation(Struct, frozen=True):
    slug: str
    name: str
    memory_saving: Decimal  # percent
    quality: Span  # percent of the unquantised model's
    advice: str
    source: str


class Throughput(Struct, frozen=True):
    """Measured tokens per second; a single stream's is only a lower bound of what a GPU can serve."""

    model: str
    hardware: str
    hardware_count: int
    engine: str
    tokens_per_second: Span
    basis: Literal["single_stream", "aggregate"]
    about: bool
    source: str


class CpuOnly(Struct, frozen=True):
    model: str
    precision: str
    tokens_per_second: Span
    ram_gb: int
    ram_or_more: bool
    price_per_hour: Decimal | None
    practical: bool
    source: str


class Claim(Struct, frozen=True):
    """A statement about an engine in words, with its number if it has one."""

    text: str
    value: Span | None = None
    unit: str = ""


class Engine(Struct, frozen=True):
    slug: str
    name: str
    strengths: tuple[str, ...]
    weaknesses: tuple[str, ...]
    claims: tuple[Claim, ...]
    source: str


class Purpose(Struct, frozen=True):
    """The recommended providers and GPUs for a purpose."""

    purpose: str
    choices: tuple[str, ...]
    monthly: Span | None = None
    monthly_or_more: bool = False
    why: str = ""
    source: str = ""


class Quality(Struct, frozen=True):
    model: str
    reasoning: str
    coding: str
    context_tokens: int
    vision: bool
    italian: str
    first_token_ms: Span
    sla: Decimal | None  # percent
    source: str


class GpuPrice(Struct, frozen=True):
    """One GPU for an hour, and for a month as the source prints it."""

    provider: str
    gpu: str
    kind: Literal["on_demand", "spot", "committed_1y", "committed_3y"]
    hourly: Span
    hours_per_month: Decimal
    monthly: Span | None
    source: str

    def monthly_computed(self) -> Span:
        return Span(self.hourly.low * self.hours_per_month, self.hourly.high * self.hours_per_month)


class Gpu(Struct, frozen=True):
    slug: str
    name: str
    memory_gb: int


class Serverless(Struct, frozen=True):
    provider: str
    gpu: str | None
    price_per_second: Decimal
    source: str


class MonthlyPrice(Struct, frozen=True):
    """A VM or a disk for a month."""

    slug: str
    provider: str
    name: str
    monthly: Decimal
    source: str


class Discount(Struct, frozen=True):
    """Percent off the on-demand price, as the source says."""

    provider: str
    kind: str
    percent: Span
    source: str


class Claude(Struct, frozen=True):
    slug: str
    name: str
    input: Decimal  # USD per million tokens, as are the others
    output: Decimal
    cache_write_5m: Decimal
    cache_read: Decimal
    source: str


class GpuLine(Struct, frozen=True):
    """The GPU of a scenario: which price, for how many hours. `month` takes the month as quoted instead."""

    provider: str
    gpu: str
    kind: str
    hours: Decimal
    month: Literal["computed", "quoted_low", "quoted_high"] = "computed"
    hourly: Decimal | None = None  # the scenario's own, where the price is a span


class Variant(Struct, frozen=True):
    slug: str
    title: str
    gpu: GpuLine
    vm: str | None
    storage: str | None
    note_total: Decimal


class Scenario(Struct, frozen=True):
    id: str
    title: str
    model: str
    throughput: Span | None
    variants: tuple[Variant, ...]
    source: str


class Workload(Struct, frozen=True):
    """The research's example: the dashboard on Sonnet 4.5 against one RTX 4090."""

    api_model: str
    requests_per_day: int
    days: int
    input_tokens: int
    output_tokens: int
    cache_write_tokens: int
    provider: str
    gpu: str
    upkeep_monthly: Decimal
    self_hosted_model: str
    tokens_per_second: Decimal
    routable_share: Decimal
    source: str


class PhaseFigure(Struct, frozen=True):
    slug: str
    name: str
    volume_from: int
    volume_to: int | None
    shape: str
    budget_low: Decimal
    budget_high: Decimal
    api_only: Span | None
    source: str


class StageFigure(Struct, frozen=True):
    slug: str
    name: str
    weeks: Decimal | None
    months: int | None
    budget: Decimal  # total
    band: Span | None
    on: str
    source: str


class Plan(Struct, frozen=True):
    months: int
    monthly: Decimal
    gpu_monthly: Decimal
    api_monthly: Decimal
    api_only_total: Decimal
    requests_per_month: int
    source: str


class GoNoGo(Struct, frozen=True):
    quality_share: Decimal
    ratings_per_task: int
    first_token_p95_ms: int
    saving_monthly: Decimal
    reliability: Decimal
    no_go: tuple[str, ...]
    measures: tuple[str, ...]
    source: str


class RoutingRule(Struct, frozen=True):
    when: str
    to: str
    why: str
    source: str


class Recipe(Struct, frozen=True):
    """A set-up by its purpose; the commands are made for today's versions elsewhere."""

    slug: str
    purpose: str
    stale: tuple[str, ...]
    source: str


class Fact(Struct, frozen=True):
    """A single figure that is quoted and not compared."""

    slug: str
    title: str
    value: str
    source: str


class FigureNote(Struct, frozen=True):
    """A figure of the note to compare with ours, with its kind and its tolerance."""

    slug: str
    section: str
    title: str
    kind: Kind
    unit: Unit
    note: str  # as printed
    value: Span | None
    tolerance: Tolerance
    why: str = ""


class System(Struct, frozen=True):
    name: str
    role: str


class Sheet(Struct, frozen=True):
    """All figures of one sheet."""

    name: str
    title: str
    dated: date
    currency: str
    hours_per_month: Decimal
    batch_discount: Decimal  # share
    sources: dict[str, Source]
    models: tuple[Model, ...]
    quantisations: tuple[Quantisation, ...]
    throughputs: tuple[Throughput, ...]
    cpu_only: tuple[CpuOnly, ...]
    engines: tuple[Engine, ...]
    engine_purposes: tuple[Purpose, ...]
    provider_purposes: tuple[Purpose, ...]
    quality: tuple[Quality, ...]
    gpus: tuple[Gpu, ...]
    gpu_prices: tuple[GpuPrice, ...]
    discounts: tuple[Discount, ...]
    serverless: tuple[Serverless, ...]
    vms: tuple[MonthlyPrice, ...]
    storages: tuple[MonthlyPrice, ...]
    claude: tuple[Claude, ...]
    scenarios: tuple[Scenario, ...]
    workload: Workload
    phases: tuple[PhaseFigure, ...]
    stages: tuple[StageFigure, ...]
    plan: Plan
    go_no_go: GoNoGo
    routing: tuple[RoutingRule, ...]
    recipes: tuple[Recipe, ...]
    systems: tuple[System, ...]
    facts: tuple[Fact, ...]
    figures: tuple[FigureNote, ...]

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices of a model by slug, USD a million tokens; None if this sheet does not list it."""
        for row in self.claude:
            if row.slug == model:
                return TokenPrices(row.input, row.output, row.cache_write_5m, row.cache_read, self.batch_discount)
        return None

    def model(self, slug: str) -> Model:
        return next(row for row in self.models if row.slug == slug)

    def gpu(self, slug: str) -> Gpu:
        return next(row for row in self.gpus if row.slug == slug)

    def gpu_price(self, provider: str, gpu: str, kind: str) -> GpuPrice:
        """The price of a GPU, by slugs. Raises LookupError if the sheet does not list it."""
        for row in self.gpu_prices:
            if (row.provider, row.gpu, row.kind) == (provider, gpu, kind):
                return row
        raise LookupError(f"sheet {self.name} has no price for {provider} {gpu} {kind}")

    def vm(self, slug: str) -> MonthlyPrice:
        return next(row for row in self.vms if row.slug == slug)

    def storage(self, slug: str) -> MonthlyPrice:
        return next(row for row in self.storages if row.slug == slug)


def names() -> list[str]:
    """The sheets that come with the product, oldest first."""
    return sorted(path.stem.removeprefix("sheet-") for path in DATA.glob("sheet-*.json"))


@cache
def load(name: str = REFERENCE) -> Sheet:
    """A sheet that comes with the product. Raises LookupError for an unknown name."""
    if name not in names():
        raise LookupError(f"there is no price sheet {name!r}")
    return msgspec.json.decode((DATA / f"sheet-{name}.json").read_bytes(), type=Sheet)


def raw(name: str = REFERENCE) -> dict[str, Any]:
    """A sheet as plain JSON, for the database, where it can be edited. Raises LookupError for an unknown name."""
    data: dict[str, Any] = msgspec.json.decode((DATA / f"sheet-{name}.json").read_bytes())
    return data


def parse(data: object) -> Sheet:
    """A sheet from plain JSON data. Raises `msgspec.ValidationError`, which names the place."""
    return msgspec.convert(data, type=Sheet)
