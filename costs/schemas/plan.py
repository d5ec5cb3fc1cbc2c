"""Phases, stages, budgets and the forecast."""

from __future__ import annotations

from ninja import Schema
from pydantic import Field

from costs.schemas.decisions import StateOut
from lib.shapes import IsoDay, Usd


class ForecastOut(Schema):
    low: Usd
    median: Usd
    high: Usd


class MonthlyOut(Schema):
    """A budget by the month, the only period that there is."""

    @staticmethod
    def resolve_budget_period(state: object) -> str:
        return "month"


class PhaseOut(MonthlyOut):
    slug: str = Field(validation_alias="phase.slug")
    name: str = Field(validation_alias="phase.name")
    budget_period: str
    budget_low: Usd = Field(validation_alias="phase.budget_low")
    budget_high: Usd = Field(validation_alias="phase.budget_high")
    volume_from: int = Field(validation_alias="phase.volume_from")
    volume_to: int | None = Field(validation_alias="phase.volume_to")
    starts_on: IsoDay | None = Field(validation_alias="phase.starts_on")
    ends_on: IsoDay | None = Field(validation_alias="phase.ends_on")
    spent: Usd
    forecast: ForecastOut | None
    requests: int
    runs_out_on: IsoDay | None


class StageOut(Schema):
    slug: str = Field(validation_alias="stage.slug")
    name: str = Field(validation_alias="stage.name")
    starts_on: IsoDay = Field(validation_alias="stage.starts_on")
    ends_on: IsoDay = Field(validation_alias="stage.ends_on")
    budget: Usd = Field(validation_alias="stage.budget")
    spent: Usd


class BudgetOut(MonthlyOut):
    """A budget in this month: `month_low` and `month_high` are prorated, with what last month left."""

    slug: str = Field(validation_alias="budget.slug")
    name: str = Field(validation_alias="budget.name")
    scope: str = Field(validation_alias="budget.scope")
    subject: str = Field(validation_alias="budget.subject")
    budget_period: str
    budget_low: Usd = Field(validation_alias="budget.low")
    budget_high: Usd = Field(validation_alias="budget.high")
    starts_on: IsoDay = Field(validation_alias="budget.starts_on")
    ends_on: IsoDay | None = Field(validation_alias="budget.ends_on")
    month_low: Usd = Field(validation_alias="status.allowance.low")
    month_high: Usd = Field(validation_alias="status.allowance.high")
    carried: Usd = Field(validation_alias="status.allowance.carried")
    spent: Usd = Field(validation_alias="status.spent")
    committed: Usd = Field(validation_alias="month.committed")
    left: Usd = Field(validation_alias="status.left")
    unpriced_requests: int = Field(validation_alias="month.unpriced_requests")
    forecast: ForecastOut | None = Field(validation_alias="status.forecast")
    runs_out_on: IsoDay | None = Field(validation_alias="status.runs_out_on")
    state: StateOut = Field(validation_alias="verdict.state")


class BudgetsOut(Schema):
    budgets: list[BudgetOut]


class PhasesOut(Schema):
    current: str | None
    volume_phase: str | None
    run_rate: int
    phases: list[PhaseOut]
    stages: list[StageOut]
