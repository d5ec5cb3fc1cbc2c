"""Shapes of the providers' answers in the JSON API."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from ninja import Schema
from pydantic import Field

from providers.rest.shapes import Usd

Text = Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")]


class OfferOut(Schema):
    """A GPU to rent. Memory is GB of one GPU; null where the vendor does not say."""

    provider: str
    gpu: str
    gpu_count: int
    memory_gb: float | None
    kind: str
    price_per_gpu_hour: Usd
    region: str
    available: bool
    reliability: float | None
    seen_at: datetime


class LeaseOut(Schema):
    """A machine or endpoint that we rent or rented; hours and cost as observed, `price_per_hour` of all its GPUs."""

    id: int
    provider: str
    account: str
    external_id: str
    name: str
    gpu: str
    gpu_count: int
    kind: str
    region: str
    price_per_hour: Usd
    started_at: datetime
    ended_at: datetime | None
    hours: float
    cost: Usd
    month_end: Usd | None = Field(description="What this month will have cost at this price; null when it has ended")
    utilisation: float | None
    state: str
    deployments: list[str]


class OutageOut(Schema):
    """What it cost is null where it is not known: requests not counted yet, no lease observed in that time."""

    started_at: datetime
    ended_at: datetime | None
    cause: str
    requests_failed: int | None
    requests_rerouted: int | None
    rent: Usd | None = Field(description="USD of its lease's observed time in the outage")


class DeploymentUptimeOut(Schema):
    """`uptime` is null where nothing was observed; a state that nobody confirmed lately is `unknown`."""

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
