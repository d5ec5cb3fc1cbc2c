"""One call from its arrival to the row that records it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import UUID

from traffic.gateway.answers import Answer
from traffic.gateway.protocols import Asked
from traffic.gateway.routes import Decision, Target
from traffic.gateway.snapshot import Application
from traffic.ingest.ids import user_hash
from traffic.ingest.rows import RequestRow, Tokens

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class Exchange:
    """One call from its arrival to its record."""

    application: Application
    key_id: int
    asked: Asked
    task: str
    path: str  # below the target's base address, with the query
    headers: Headers
    decision: Decision
    request_id: UUID
    salt: bytes
    external_id: str
    started_at: datetime
    arrived: float  # perf_counter
    keep_bodies: bool
    recorded: bool  # False: counting tokens is no call to a model
    target: Target | None = None
    tries: list[dict[str, Any]] = field(default_factory=list)  # those before the one that answered
    status: int | None = None
    ttft_ms: float | None = None

    @property
    def own_headers(self) -> list[tuple[bytes, bytes]]:
        target = self.target or self.decision.targets[0]
        return [
            (b"x-breakeven-request-id", str(self.request_id).encode()),
            (b"x-breakeven-deployment", target.slug.encode()),
            (b"x-breakeven-rule", self.decision.rule.encode()),
        ]

    def elapsed_ms(self) -> float:
        return (perf_counter() - self.arrived) * 1000


def row_of(exchange: Exchange, answer: Answer, outcome: str) -> RequestRow:
    """The record of a call, without what must not be kept: it is about to lie in the spool."""
    redaction, user = exchange.application.redaction, exchange.asked.user
    target = exchange.target or exchange.decision.targets[0]
    return RequestRow(
        external_id=exchange.external_id,
        started_at=exchange.started_at,
        provider=target.provider,
        model=target.model,
        source="gateway",
        application_id=exchange.application.id,
        deployment_id=target.id,
        task=exchange.task,
        outcome=outcome,
        http_status=exchange.status,
        error_type=redaction.optional(answer.error_type),
        latency_ms=exchange.elapsed_ms(),
        ttft_ms=exchange.ttft_ms,
        streamed=exchange.asked.streamed,
        response_id=answer.response_id,
        tokens=_tokens(exchange, answer, outcome),
        user_hash=user_hash(exchange.salt, user),
        route=exchange.decision.rule,
        key_id=exchange.key_id,
        raw=redaction.tree(_raw(exchange, answer), user),
        prompt=redaction.prompt(exchange.asked.prompt()) if exchange.keep_bodies else None,
        answer=redaction.text("".join(answer.text)).replace("\0", "\N{REPLACEMENT CHARACTER}")
        if exchange.keep_bodies
        else None,
        clean=True,
    )


def _tokens(exchange: Exchange, answer: Answer, outcome: str) -> Tokens | None:
    """The five classes, or None where one is unknown: half a usage is not usage, it stays in `raw`."""
    counted = answer.tokens(exchange.asked.protocol)
    if counted.uncached_input is not None and counted.output is not None:
        return Tokens(
            counted.uncached_input,
            counted.cache_read or 0,
            counted.cache_write_5m or 0,
            counted.cache_write_1h or 0,
            counted.output,
            counted.reasoning or 0,
        )
    # Known to be none: the target was not reached, or answered with an error instead of a model's work.
    unserved = outcome == "error" and (exchange.status is None or exchange.status >= 400)
    return Tokens() if unserved else None


def _raw(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    raw: dict[str, Any] = {"usage": answer.usage} if answer.usage is not None else {}
    if answer.timings is not None:
        raw["timings"] = answer.timings
    if exchange.tries:
        raw["tries"] = exchange.tries
    if exchange.decision.instead_of:
        raw["instead_of"] = exchange.decision.instead_of
    if exchange.target is not None and exchange.asked.model != exchange.target.model:
        raw["asked_model"] = exchange.asked.model
    return raw
