"""Phases, stages, budgets and the forecast."""

from __future__ import annotations

from ninja import Schema

from lib.shapes import Usd


class ForecastOut(Schema):
    low: Usd
    median: Usd
    high: Usd


class PhaseOut(Schema):
    slug: str
    name: str
    budget_period: str
    budget_low: Usd
    budget_high: Usd
    volume_from: int
    volume_to: int | None
    starts_on: str | None
    ends_on: str | None
    spent: Usd
    forecast: ForecastOut | None
    requests: int
    runs_out_on: str | None


class StageOut(Schema):
    slug: str
    name: str
    starts_on: str
    ends_on: str
    budget: Usd
    spent: Usd


class BudgetOut(Schema):
    """A budget in this month: `month_low` and `month_high` are prorated, with what last month left."""

    slug: str
    name: str
    scope: str
    subject: str
    budget_period: str
    budget_low: Usd
    budget_high: Usd
    starts_on: str
    ends_on: str | None
    month_low: Usd
    month_high: Usd
    carried: Usd
    spent: Usd
    committed: Usd
    left: Usd
    unpriced_requests: int
    forecast: ForecastOut | None
    runs_out_on: str | None


class BudgetsOut(Schema):
    budgets: list[BudgetOut]


class PhasesOut(Schema):
    current: str | None
    volume_phase: str | None
    run_rate: int
    phases: list[PhaseOut]
    stages: list[StageOut]
