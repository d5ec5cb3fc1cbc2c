"""Shapes of the providers' answers in the JSON API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from lib.shapes import Usd
from providers.leases.queries import LeaseNow

Text = Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")]


class OfferOut(Schema):
    """A GPU to rent. Memory is GB of one GPU, null where it is not reported.

    `machine_per_gpu_hour` is what the machine around the GPU costs besides. Null: it is in the price.
    """

    provider: str
    gpu: str
    gpu_count: int
    memory_gb: float | None
    kind: str
    price_per_gpu_hour: Usd
    machine_per_gpu_hour: Usd | None
    whole_per_gpu_hour: Usd = Field(description="Both together: what `max_price` and the order by price go by")
    disk_per_gb_month: Usd | None
    region: str
    available: bool
    reliability: float | None
    seen_at: datetime
    price_per_month: Usd = Field(description="Of one GPU, 730 hours")
    price_per_gb_hour: Usd | None
    price_per_million_tokens: Usd | None = Field(
        description="Output tokens of `model` on a busy GPU, by the slower figure known, null where none is"
    )
    tokens_per_second: float | None = Field(description="Of one GPU, what that price is made of")
    tokens_source: str | None = Field(description="Where the figure is from")


class OfferDayOut(Schema):
    """Lowest, median and highest price of a day, USD per GPU hour with its machine. Over its available offers."""

    provider: str
    gpu: str
    kind: str
    day: date
    low: Usd
    median: Usd
    high: Usd
    offers: int
    estimated: bool = Field(description="From before machines were stored with offers: today’s price of one is in it")


class OfferWatchOut(Schema):
    """What a person waits for. An empty text is no condition. `price` is USD per GPU hour."""

    id: int
    gpu: str
    kind: str
    provider: str
    region: str
    min_reliability: float | None
    price: Usd
    created_at: datetime
    below: bool | None = Field(description="Whether it is there now. Null where a vendor cannot be asked")
    lowest: OfferOut | None = Field(description="The cheapest like it of vendors that are read on time")


class OfferWatchesOut(Schema):
    watches: list[OfferWatchOut]


class LeaseOut(Schema):
    """A GPU or endpoint that we rent or rented. Hours and cost as observed, `price_per_hour` of all its GPUs."""

    id: int = Field(validation_alias="lease.id")
    provider: str = Field(validation_alias="lease.account.kind")
    account: str = Field(validation_alias="lease.account.slug")
    external_id: str = Field(validation_alias="lease.external_id")
    name: str = Field(validation_alias="lease.name")
    gpu: str = Field(validation_alias="lease.gpu")
    gpu_count: int = Field(validation_alias="lease.gpu_count")
    kind: str = Field(validation_alias="lease.kind")
    region: str = Field(validation_alias="lease.region")
    price_per_hour: Usd = Field(validation_alias="lease.price_per_hour")
    started_at: datetime = Field(validation_alias="lease.started_at")
    ended_at: datetime | None = Field(validation_alias="lease.ended_at")
    hours: float
    cost: Usd
    month_end: Usd | None = Field(
        description="What this month will have cost at this price. Null when it has ended or is not reported"
    )
    utilisation: float | None = Field(description="Share of the time that the GPU is busy, as its vendor reports it")
    state: str = Field(validation_alias="lease.state", description="unknown where its account is switched off")
    reported_at: datetime = Field(validation_alias="lease.seen_at", description="When the vendor reported it last")
    deployments: list[str]

    @staticmethod
    def resolve_deployments(row: LeaseNow) -> list[str]:
        return [deployment.slug for deployment in row.deployments]


class BillPartOut(Schema):
    """A workspace, key or tier. `cost` is null where the bill has no line. A key's is its part of its workspace's."""

    id: str
    name: str
    state: str
    requests: int | None = Field(description="null where the report does not count them")
    tokens: int
    cost: Usd | None


class BillWorkspaceOut(BillPartOut):
    keys: list[BillPartOut]


class BillOut(Schema):
    account: str
    provider: str
    since: datetime = Field(alias="from")
    workspaces: list[BillWorkspaceOut]
    tiers: list[BillPartOut]
    not_in_the_bill: list[str] = Field(description="Tiers that were used and that the vendor's cost report leaves out")


class OutageOut(Schema):
    """What it cost is null where it is not known: requests not counted yet, no lease observed in that time."""

    started_at: datetime
    ended_at: datetime | None
    cause: str
    requests_failed: int | None
    requests_rerouted: int | None
    rent: Usd | None = Field(description="USD of its lease's observed time in the outage")


class DeploymentUptimeOut(Schema):
    """`uptime` is null where nothing was observed. A state that was not confirmed lately is `unknown`."""

    slug: str
    engine: str
    state: str
    uptime: float | None
    uptime_with_maintenance: float | None = Field(description="With planned windows counted as time")
    checks: int
    failed: int
    outages: list[OutageOut]


class UptimeOut(Schema):
    deployments: list[DeploymentUptimeOut]


class GaugeOut(Schema):
    """Of the scrapes in one step."""

    least: float
    mean: float
    most: float


class EnginePointOut(Schema):
    """One step of an engine's own counters. A step without a scrape is missing. Null: not reported."""

    start: datetime
    samples: int
    restarts: int
    running: GaugeOut | None
    waiting: GaugeOut | None
    kv_cache: GaugeOut | None = Field(description="Share 0..1")
    output_tokens_per_s: float | None
    prompt_tokens_per_s: float | None = Field(description="Those from the prefix cache included")
    cached_tokens_per_s: float | None
    requests: float | None
    failed: float | None
    preemptions: float | None
    ttft_p50_ms: float | None = Field(description="By the engine's own buckets, interpolated")
    ttft_p95_ms: float | None


class EngineSeriesOut(Schema):
    slug: str
    engine: str
    served_model: str
    max_concurrency: int | None = Field(description="Calls that it serves at once. Null: not set")
    engine_slots: int | None = Field(description="As its engine reports. It counts where max_concurrency is null")
    tls_expires_at: datetime | None
    step_s: int
    points: list[EnginePointOut]
