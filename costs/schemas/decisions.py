"""Go or no-go, and what was decided."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Schema

StateOut = Literal["met", "not_met", "too_close", "not_enough_data"]


class CriterionOut(Schema):
    """`holds` is true only where it is met, false only where it is not met, else null."""

    slug: str
    holds: bool | None
    state: StateOut
    value: Any
    threshold: Any
    interval: list[float] | list[str] | None
    sample: int
    sentence: str
    needed: str
    set_aside: bool


class ObjectionOut(Schema):
    slug: str
    sentence: str


class BurdenOut(Schema):
    """Of 30 days. `limit` null is none."""

    value: float
    limit: float | None
    over: bool


class VerdictOut(Schema):
    """Money as strings, shares (0 to 1) and milliseconds as numbers. Null is unknown. `needed` would decide it."""

    question: Literal["plan", "up", "quality", "latency", "saving", "reliability", "go"]
    state: StateOut
    sentence: str
    value: str | float | None
    threshold: str | float | None
    interval: list[str] | list[float] | None
    sample: int
    because: str
    needed: str


class VerdictsOut(Schema):
    items: list[VerdictOut]


class ScorecardOut(Schema):
    verdict: str
    state: StateOut
    sentence: str
    criteria: list[CriterionOut]
    objections: list[ObjectionOut]
    justified_by: list[str]
    changes: list[str]
    burden: dict[str, BurdenOut]


class DecisionOut(Schema):
    """A signed record. `digest` is SHA-256 over all of it and `previous`, the digest of the one before.

    `intact`: the digest fits the record, and is the one that the audit log has.
    """

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
