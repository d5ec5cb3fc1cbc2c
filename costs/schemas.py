"""Shapes of costs' answers in the JSON API."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Schema
from pydantic import ConfigDict, Field

from providers.rest.shapes import Usd


class SpendGroupOut(Schema):
    key: str | None
    amount: Usd
    requests: int
    provenance: dict[str, Usd]


class SpendOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    currency: str
    total: Usd
    unpriced_requests: int
    provenance: dict[str, Usd]
    groups: list[SpendGroupOut]


class ChangePartOut(Schema):
    """A row behind a step; `kind` says what its `key` names: a model, an application's id, a GPU, a category."""

    kind: str
    key: list[str]
    amount: Usd


class ChangeStepOut(Schema):
    step: str
    amount: Usd
    parts: list[ChangePartOut]


class ChangePeriodOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")


class ChangesOut(Schema):
    """`before` and all steps make `after`, the parts of a step make its amount, exactly."""

    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    against: str
    compared_with: ChangePeriodOut | None
    currency: str
    before: Usd
    after: Usd
    change: Usd
    steps: list[ChangeStepOut]


class UnitOut(Schema):
    """A unit of which there is none costs null, never 0."""

    key: str | None
    amount: Usd
    requests: int
    unpriced_requests: int
    tokens: int
    per_request: Usd | None
    per_request_before: Usd | None
    per_mtok: Usd | None
    per_accepted_answer: Usd | None
    ratings: int
    paid_by_token: Usd
    at_list_price: Usd | None


class ClassUnitOut(Schema):
    token_class: str
    tokens: int
    paid_per_mtok: Usd | None
    list_per_mtok: Usd | None


class IncidentUnitOut(Schema):
    count: int
    upkeep: Usd
    upkeep_per_incident: Usd | None
    hours: float


class MonthUnitOut(Schema):
    month: str
    amount: Usd
    requests: int
    per_request: Usd | None
    per_mtok: Usd | None


class UnitCostsOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    since: str = Field(alias="from")
    until: str = Field(alias="to")
    group_by: str
    currency: str
    total: UnitOut
    groups: list[UnitOut]
    classes: list[ClassUnitOut]
    incidents: IncidentUnitOut
    months: list[MonthUnitOut]


class UserCostOut(Schema):
    """`user` is the keyed hash that is kept of its name; `by_day` is USD of every day."""

    user: str
    requests: int
    leased_requests: int
    unpriced_requests: int
    tokens: int
    amount: Usd
    per_request: Usd | None
    by_day: list[Usd]


class UserCostsOut(Schema):
    model_config = ConfigDict(populate_by_name=True)

    application: str
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    currency: str
    users: int
    requests: int
    requests_without_user: int
    dearest: list[UserCostOut]


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


class AnomalyOut(Schema):
    """`before` and `after` are the driver's figure: a share, tokens, milliseconds, requests a day or USD a request."""

    id: int
    application: str | None
    model: str | None
    driver: str
    sentence: str
    before: float
    after: float
    costs_a_day: Usd | None
    effects: dict[str, Usd]
    models: list[str]
    applications: list[str]
    since: datetime
    ended_at: datetime | None
    expected: str | None


class NewOut(Schema):
    """Of an application, its model that it did not use two weeks ago; null where all of the application is new."""

    application: str
    model: str | None
    first_day: date
    cost_last_day: Usd


class AnomaliesOut(Schema):
    """Open ones and those that ended in the last 60 days; `too_little` are applications with too few days."""

    looked_at: datetime | None
    too_little: dict[str, int]
    new: list[NewOut]
    anomalies: list[AnomalyOut]


class PhasesOut(Schema):
    current: str | None
    volume_phase: str | None
    run_rate: int
    phases: list[PhaseOut]
    stages: list[StageOut]


class CriterionOut(Schema):
    slug: str
    holds: bool | None
    value: Any
    threshold: Any
    interval: list[float] | list[str] | None
    sample: int
    sentence: str
    set_aside: bool


class ObjectionOut(Schema):
    slug: str
    sentence: str


class BurdenOut(Schema):
    """Of 30 days; `limit` null is none."""

    value: float
    limit: float | None
    over: bool


class ScorecardOut(Schema):
    verdict: str
    sentence: str
    criteria: list[CriterionOut]
    objections: list[ObjectionOut]
    justified_by: list[str]
    changes: list[str]
    burden: dict[str, BurdenOut]


class DecisionOut(Schema):
    """A signed record; `digest` is SHA-256 over all of it and `previous`, the digest of the one before."""

    number: int
    choice: str
    statement: str
    signed_at: str
    signed_by: str
    signed_name: str
    superseded: bool
    previous: str | None
    digest: str
    intact: bool
    figures: dict[str, Any]


class DecisionsOut(Schema):
    items: list[DecisionOut]


class CauseOut(Schema):
    """A part of a difference; of requests that our log has not also how many, where the vendor counts them."""

    cause: str
    amount: Usd
    requests: int | None
    models: list[str]


class ReconciledOut(Schema):
    provider: str
    measured: Usd
    estimated: Usd
    billed: Usd
    invoiced: Usd
    difference: Usd
    complete_until: str | None
    closed_on: str | None
    causes: list[CauseOut]


class ReconciledPartOut(Schema):
    """One day of one model, or one model; `day` is null where it is of the month as a whole."""

    provider: str
    day: str | None
    model: str | None
    measured: Usd
    estimated: Usd
    billed: Usd
    difference: Usd
    causes: list[CauseOut]


class SeenOut(Schema):
    """Tokens that the vendor has, and how many of them our log has."""

    workspace: str | None
    billed_tokens: int
    seen_tokens: int
    share: float | None


class KeySeenOut(SeenOut):
    """`other`: another tool’s key, or used without one."""

    api_key: str | None
    other: bool


class CoverageOut(Schema):
    provider: str
    billed_tokens: int
    seen_tokens: int
    share: float | None
    keys: list[KeySeenOut]
    workspaces: list[SeenOut]


class ToleranceOut(Schema):
    """`gap` is the difference without days that no bill holds yet."""

    provider: str
    gap: Usd
    allowed: Usd
    over: bool


class ReconciliationOut(Schema):
    month: str
    state: str
    rows: list[ReconciledOut]
    parts: list[ReconciledPartOut]
    coverage: list[CoverageOut]
    tolerance: list[ToleranceOut]
    unexplained: Usd


class StatementLineOut(Schema):
    """`amount` in whole cents, `exact` as the ledger has it; `not_allocated` says why nobody carries it."""

    application: str | None
    provider: str
    category: str
    model: str | None
    not_allocated: str | None
    amount: Usd
    exact: Usd


class StatementOut(Schema):
    """One application's or owner's; `key` is null for what is nobody's."""

    key: str | None
    name: str
    total: Usd
    requests: int
    unpriced_requests: int
    lines: list[StatementLineOut]


class StatementsOut(Schema):
    month: str
    by: str
    currency: str
    state: str
    final_on: str
    total: Usd
    statements: list[StatementOut]


class SavingOutcomeOut(Schema):
    """Whether an accepted saving arrived; `before` and `after` are USD a unit of work, measured in whole days."""

    state: str
    per: str
    before: Usd | None
    after: Usd | None
    days: int
    monthly: Usd | None
    low: Usd | None
    high: Usd | None


class FindingOut(Schema):
    """`counted_by` is the key of the finding that counts the same tokens or hours; then the total has not this one."""

    model_config = ConfigDict(populate_by_name=True)

    key: str
    kind: str
    state: str
    title: str
    found: str
    assumption: str
    application: str | None
    provider: str | None
    model: str | None
    task: str | None
    since: str = Field(alias="from")
    until: str = Field(alias="to")
    monthly: Usd
    counted_by: str | None
    reason: str | None
    outcome: SavingOutcomeOut | None


class SavingsOut(Schema):
    currency: str
    searched_at: str | None
    total: Usd
    unjudged_prompts: Usd
    findings: list[FindingOut]
