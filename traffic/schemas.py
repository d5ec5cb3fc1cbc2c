"""Shapes of traffic's answers in the JSON API."""

from __future__ import annotations

from ninja import Schema

from providers.rest.shapes import Usd


class TokensOut(Schema):
    uncached_input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int


class UsageGroupOut(Schema):
    key: str | None
    requests: int
    errors: int
    tokens: TokensOut
    cost: Usd
    unpriced_requests: int
    unknown_usage_requests: int


class UsageOut(Schema):
    groups: list[UsageGroupOut]


class TtftOut(Schema):
    count: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class LatencyGroupOut(TtftOut):
    key: str | None
    errors: int
    mean_ms: float | None
    output_tokens_per_second: float | None
    ttft: TtftOut


class LatencyOut(Schema):
    groups: list[LatencyGroupOut]
