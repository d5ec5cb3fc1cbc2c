"""What was spent, what changed it and what one of anything costs."""

from __future__ import annotations

from ninja import Schema
from pydantic import ConfigDict, Field

from lib.shapes import Usd


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
