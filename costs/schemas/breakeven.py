"""Break-even and scenarios."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import ConfigDict, Field


class CrossingOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    requests_per_month: int
    before: str = Field(alias="from")
    after: str = Field(alias="to")
    routed_requests: int


class PointOut(Schema):
    requests_per_month: int
    api: str
    selfhost: str
    gpus: int | None


class CostPerMtokOut(Schema):
    api: str | None
    selfhost_allocated: str | None
    selfhost_used: str | None


class TaskCostOut(Schema):
    task: str
    requests: int
    routable: bool
    api_model: str | None
    api_model_because: str
    api_cost: str | None
    cost_per_request: str | None
    last_served: date | None
    chosen_by: str | None
    other_model: str | None
    left_out_requests: int
    unpriced_model: str | None


class BacktestSpanOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    first: date = Field(alias="from")
    end: date = Field(alias="to")
    requests: int
    cost_per_1000: str


class BacktestOut(Schema):
    tasks: list[str]
    before: BacktestSpanOut
    now: BacktestSpanOut


class CapacityOut(Schema):
    """Output of one GPU over all its requests. Null is not known, and one GPU is assumed at every volume.

    `used` is false for the newest trial where its deployment has no lease: what is known of leased GPUs is used then.
    `engine` is the best hour of the last 30 days in which calls waited all the time. `catalogue` is published for all
    streams together. `person` was entered. `concurrency` and `measured_at` are of a trial.
    """

    tokens_per_second: float | None
    source: Literal["trial", "engine", "catalogue", "person"] | None
    trial: int | None
    concurrency: int | None = None
    measured_at: datetime | None = None
    used: bool = True


class BreakEvenOut(Schema):
    api_cost: str
    selfhost_cost: str
    own_cost: str
    saving: str
    gpus: int | None
    cheaper: str
    crossings: list[CrossingOut]
    more_crossings: bool
    api_cost_per_request: str
    utilisation: float | None
    cost_per_mtok: CostPerMtokOut
    curve: list[PointOut]
    inputs: dict[str, Any]
    saving_interval: list[str] | None
    crossing_interval: list[int | None] | None  # of the first into self-hosting; null: at no volume
    saving_at_other_models: str | None
    verdict: str
    tasks: list[TaskCostOut]
    left_out_requests: int
    capacity: CapacityOut
    backtest: BacktestOut | None = None
    excluded_applications: list[str] = []


class VariantOut(Schema):
    slug: str
    title: str
    lines: dict[str, str | None]
    total: str | None


class ScenarioOut(Schema):
    id: str
    title: str
    price_sheet: str
    variants: list[VariantOut]
