"""What stands out, and what could be saved."""

from __future__ import annotations

from datetime import date, datetime

from ninja import Schema
from pydantic import Field

from costs.anomalies import wording
from costs.anomalies.page import scaled
from costs.models import Anomaly
from costs.savings.page import SavingRow, Savings
from lib.shapes import InUsd, IsoDay, TextOrNull, Usd


class AnomalyOut(Schema):
    """`before` and `after` are the driver's figure: a share, tokens, milliseconds, requests a day or USD a request."""

    id: int
    application: TextOrNull
    model: TextOrNull
    driver: str
    sentence: str
    before: float
    after: float
    costs_a_day: Usd | None = Field(validation_alias="costs")
    effects: dict[str, Usd]
    models: list[str] = Field(validation_alias="models_shown")
    applications: list[str] = Field(validation_alias="applications_shown")
    since: datetime
    ended_at: datetime | None
    expected: TextOrNull = Field(validation_alias="reason")

    @staticmethod
    def resolve_sentence(anomaly: Anomaly) -> str:
        return wording.sentence(anomaly)

    @staticmethod
    def resolve_before(anomaly: Anomaly) -> float:
        return scaled(anomaly.driver, anomaly.before)

    @staticmethod
    def resolve_after(anomaly: Anomaly) -> float:
        return scaled(anomaly.driver, anomaly.after)


class NewOut(Schema):
    """Of an application, its model that it did not use two weeks ago. Null where all of the application is new."""

    application: str
    model: str | None
    first_day: date
    cost_last_day: Usd


class AnomaliesOut(Schema):
    """Open ones and those that ended in the last 60 days. `too_little` are applications with too few days."""

    looked_at: datetime | None
    too_little: dict[str, int]
    new: list[NewOut]
    anomalies: list[AnomalyOut]


class SavingOutcomeOut(Schema):
    """Whether an accepted saving arrived. `before` and `after` are USD a unit of work, measured in whole days."""

    state: str
    per: str = Field(validation_alias="unit")
    before: Usd | None
    after: Usd | None
    days: int
    monthly: Usd | None
    low: Usd | None
    high: Usd | None


class FindingOut(Schema):
    """`counted_by` is the key of the finding that counts the same tokens or hours. The total then has not this one."""

    key: str = Field(validation_alias="finding.key")
    kind: str = Field(validation_alias="finding.kind")
    state: str = Field(validation_alias="finding.state")
    title: str
    found: str = Field(validation_alias="sentence")
    assumption: str = Field(validation_alias="assumed")
    application: str | None
    provider: TextOrNull = Field(validation_alias="finding.provider")
    model: TextOrNull = Field(validation_alias="finding.model")
    task: TextOrNull = Field(validation_alias="finding.task")
    since: IsoDay = Field(validation_alias="finding.since", serialization_alias="from")
    until: IsoDay = Field(validation_alias="finding.until", serialization_alias="to")
    monthly: Usd = Field(validation_alias="finding.monthly")
    counted_by: TextOrNull = Field(validation_alias="finding.behind")
    reason: TextOrNull = Field(validation_alias="finding.reason")
    outcome: SavingOutcomeOut | None

    @staticmethod
    def resolve_application(row: SavingRow) -> str | None:
        return row.finding.application.slug if row.finding.application else None


class CachedSavingOut(InUsd):
    """What the gateway's answer cache saved an application in the last 30 days."""

    application: str = Field(validation_alias="slug")
    hits: int
    unpriced: int
    tokens: int
    cost: Usd


class SavingsOut(InUsd):
    currency: str
    searched_at: str | None
    total: Usd
    unjudged_prompts: Usd
    findings: list[FindingOut]
    answer_cache: list[CachedSavingOut] = Field(validation_alias="cached")

    @staticmethod
    def resolve_searched_at(savings: Savings) -> str | None:
        return savings.search.at.isoformat() if savings.search else None

    @staticmethod
    def resolve_findings(savings: Savings) -> list[SavingRow]:
        return [*savings.open, *savings.accepted, *savings.dismissed]
