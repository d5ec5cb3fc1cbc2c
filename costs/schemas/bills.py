"""The bill against what was measured, and statements of it."""

from __future__ import annotations

from typing import Annotated

from ninja import Schema
from pydantic import AfterValidator, BeforeValidator, Field

from costs.statements.queries import Statement
from lib.shapes import InUsd, IsoDay, IsoMonth, TextOrNull, Usd

Whole = Annotated[int, BeforeValidator(int)]  # of tokens that were shared out
Share = Annotated[float, AfterValidator(lambda share: round(share, 6))]


class CauseOut(Schema):
    """A part of a difference. Of requests that are not in our log also how many, where the vendor counts them."""

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
    complete_until: IsoDay | None
    closed_on: IsoDay | None
    causes: list[CauseOut]


class ReconciledPartOut(Schema):
    """One day of one model, or one model. `day` is null where it is of the month as a whole."""

    provider: str
    day: IsoDay | None
    model: TextOrNull
    measured: Usd
    estimated: Usd
    billed: Usd
    difference: Usd
    causes: list[CauseOut]


class SeenOut(Schema):
    """Tokens that the vendor has, and how many of them our log has."""

    workspace: TextOrNull
    billed_tokens: int = Field(validation_alias="billed")
    seen_tokens: Whole = Field(validation_alias="seen")
    share: Share | None


class KeySeenOut(SeenOut):
    """`other`: another tool’s key, or used without one."""

    api_key: TextOrNull = Field(validation_alias="key")
    other: bool


class CoverageOut(Schema):
    provider: str
    billed_tokens: int = Field(validation_alias="billed")
    seen_tokens: Whole = Field(validation_alias="seen")
    share: Share | None
    keys: list[KeySeenOut]
    workspaces: list[SeenOut]


class ToleranceOut(Schema):
    """`gap` is the difference without days that no bill holds yet."""

    provider: str
    gap: Usd
    allowed: Usd
    over: bool


class ReconciliationOut(Schema):
    month: IsoMonth = Field(validation_alias="reconciliation.month")
    state: str = Field(validation_alias="reconciliation.state")
    rows: list[ReconciledOut] = Field(validation_alias="reconciliation.rows")
    parts: list[ReconciledPartOut]
    coverage: list[CoverageOut] = Field(validation_alias="coverages")
    tolerance: list[ToleranceOut] = Field(validation_alias="gaps")
    unexplained: Usd = Field(validation_alias="reconciliation.unexplained")


class StatementLineOut(Schema):
    """`amount` in whole cents, `exact` as the ledger has it. `not_allocated` is why it is unallocated."""

    application: TextOrNull = Field(validation_alias="key.application")
    provider: str = Field(validation_alias="key.provider")
    category: str = Field(validation_alias="key.category")
    model: TextOrNull = Field(validation_alias="key.model")
    not_allocated: TextOrNull = Field(validation_alias="key.why")
    amount: Usd = Field(validation_alias="cents")
    exact: Usd


class StatementOut(Schema):
    """One application's or owner's. `key` is null for what is unallocated."""

    key: str | None
    name: str
    total: Usd
    requests: int
    unpriced_requests: int = Field(validation_alias="unpriced")
    lines: list[StatementLineOut] = Field(validation_alias="rows")

    @staticmethod
    def resolve_key(statement: Statement) -> str | None:
        return statement.key if statement.has_name else None


class StatementsOut(InUsd):
    month: IsoMonth
    by: str
    currency: str
    state: str
    final_on: IsoDay
    total: Usd
    statements: list[StatementOut]
