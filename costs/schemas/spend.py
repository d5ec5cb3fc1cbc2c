"""What was spent, what changed it and what one of anything costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from ninja import Schema
from pydantic import BeforeValidator, Field

from costs.allocation.queries import Group
from lib.shapes import InUsd, IsoDay, IsoMonth, QuotientUsd, TextOrNull, Usd


class SpendGroupOut(Schema):
    key: str | None
    amount: Usd
    requests: int
    provenance: dict[str, Usd]

    @staticmethod
    def resolve_provenance(group: Group) -> dict[str, Decimal]:
        return {name: amount for name, amount in group.provenance.items() if amount}


class SpendOut(InUsd):
    since: IsoDay = Field(serialization_alias="from")
    until: IsoDay = Field(serialization_alias="to")
    currency: str
    total: Usd
    unpriced_requests: int
    provenance: dict[str, Usd]
    groups: list[SpendGroupOut]


class ChangePartOut(Schema):
    """A row behind a step. `kind` is what its `key` names: a model, an application's id, a GPU, a category."""

    kind: str
    key: list[str]
    amount: Usd


class ChangeStepOut(Schema):
    step: str = Field(validation_alias="slug")
    amount: Usd
    parts: list[ChangePartOut]


class ChangePeriodOut(Schema):
    since: IsoDay = Field(validation_alias="before", serialization_alias="from")
    until: IsoDay = Field(validation_alias="before_until", serialization_alias="to")


class ChangesOut(InUsd):
    """`before` and all steps make `after`, the parts of a step make its amount, exactly."""

    since: IsoDay = Field(validation_alias="days.since", serialization_alias="from")
    until: IsoDay = Field(validation_alias="days.until", serialization_alias="to")
    against: str
    compared_with: ChangePeriodOut | None
    currency: str
    before: Usd = Field(validation_alias="bridge.before")
    after: Usd = Field(validation_alias="bridge.after")
    change: Usd = Field(validation_alias="bridge.change")
    steps: list[ChangeStepOut] = Field(validation_alias="bridge.steps")


class UnitOut(Schema):
    """A unit of which there is none costs null, never 0."""

    key: TextOrNull
    amount: Usd
    requests: int
    unpriced_requests: int = Field(validation_alias="unpriced")
    tokens: int
    per_request: QuotientUsd | None
    per_request_before: QuotientUsd | None
    per_mtok: QuotientUsd | None
    per_accepted_answer: QuotientUsd | None = Field(validation_alias="per_accepted")
    ratings: int
    paid_by_token: Usd = Field(validation_alias="by_token")
    at_list_price: QuotientUsd | None = Field(validation_alias="at_list")


class ClassUnitOut(Schema):
    token_class: str = Field(validation_alias="slug")
    tokens: int
    paid_per_mtok: QuotientUsd | None = Field(validation_alias="paid")
    list_per_mtok: QuotientUsd | None = Field(validation_alias="listed")


class IncidentUnitOut(Schema):
    count: int
    upkeep: Usd
    upkeep_per_incident: QuotientUsd | None = Field(validation_alias="upkeep_each")
    hours: float


class MonthUnitOut(Schema):
    month: IsoMonth
    amount: Usd
    requests: int
    per_request: QuotientUsd | None
    per_mtok: QuotientUsd | None


class UnitCostsOut(InUsd):
    since: IsoDay = Field(validation_alias="days.since", serialization_alias="from")
    until: IsoDay = Field(validation_alias="days.until", serialization_alias="to")
    group_by: str = Field(validation_alias="by")
    currency: str
    total: UnitOut = Field(validation_alias="whole")
    groups: list[UnitOut] = Field(validation_alias="rows")
    classes: list[ClassUnitOut]
    incidents: IncidentUnitOut
    months: list[MonthUnitOut]


class UserCostOut(Schema):
    """`user` is the keyed hash that is kept of its name. `by_day` is USD of every day."""

    user: Annotated[str, BeforeValidator(str)]
    requests: int
    leased_requests: int = Field(validation_alias="leased")
    unpriced_requests: int = Field(validation_alias="unpriced")
    tokens: int
    amount: Usd
    per_request: QuotientUsd | None
    by_day: list[Usd]


class UserCostsOut(InUsd):
    application: str = Field(validation_alias="application.slug")
    since: IsoDay = Field(validation_alias="first", serialization_alias="from")
    until: IsoDay = Field(serialization_alias="to")
    currency: str
    users: int
    requests: int
    requests_without_user: int = Field(validation_alias="without")
    dearest: list[UserCostOut] = Field(validation_alias="rows")
