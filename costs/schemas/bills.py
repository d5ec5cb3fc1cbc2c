"""The bill against what was measured, and statements of it."""

from __future__ import annotations

from ninja import Schema

from lib.shapes import Usd


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
