"""What stands out, and what could be saved."""

from __future__ import annotations

from datetime import date, datetime

from ninja import Schema
from pydantic import ConfigDict, Field

from lib.shapes import Usd


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
