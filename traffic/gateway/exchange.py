"""One call from its arrival to the row that records it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any
from uuid import UUID

from traffic.gateway.answers import Answer
from traffic.gateway.caps.ledger import CappedCall, Hold
from traffic.gateway.concurrency import FreeSlot, no_slot
from traffic.gateway.estimates import estimated
from traffic.gateway.protocols import GatewayRequest, Protocol
from traffic.gateway.routes import SELF, Decision, Target
from traffic.gateway.snapshot import Application
from traffic.gateway.spool import CallStart
from traffic.gateway.translation import Translation
from traffic.ingest.rows import RequestRow, Tokens, usd_of
from traffic.request_ids import user_hash

Headers = Iterable[tuple[bytes, bytes]]

# Words of `traffic.ingest.data_quality`, which needs Django; a test holds them next to each other.
ANSWER_CUT = "answer_cut"
ANSWER_UNREAD = "answer_unread"
UNCHECKED = "text_not_checked"


@dataclass(slots=True)
class Exchange:
    """One call from its arrival to its record."""

    application: Application
    key_id: int | None  # None: it is charged to no key
    request: GatewayRequest
    task: str
    path: str  # below the target's base address
    headers: Headers
    decision: Decision
    request_id: UUID
    salt: bytes
    external_id: str
    started_at: datetime
    arrived: float  # perf_counter
    keep_bodies: bool
    private: bool  # it must stay on our own machines
    recorded: bool  # False: counting tokens is no call to a model
    query: str = ""
    no_store: bool = False  # nothing of it may be kept
    metered: bool = False  # a quota of tokens or USD holds for it: where usage stays unknown it is estimated
    target: Target | None = None
    tries: list[dict[str, Any]] = field(default_factory=list)  # those before the one that answered
    status: int | None = None
    ttft_ms: float | None = None
    free_slot: FreeSlot = no_slot  # lets another call have the slot that this one holds, if it does
    queueing: bool = False  # it waits for one
    queued_ms: float = 0.0  # how long it waited for slots; a part of its latency
    translation: Translation | None = None  # where its target does not speak the caller's protocol
    capped: CappedCall | None = None  # None: neither its key nor its application has a cap
    hold: Hold | None = None  # what it has reserved of its caps
    row: RequestRow | None = None  # its record, once it has ended
    saved: Tokens | None = None  # of an answer from the cache: what the model used for it
    answer_of: str = ""  # the id of the request that it was the answer of
    outcome: str = ""  # once it is recorded
    deadline: asyncio.TimerHandle | None = None  # of its whole answer
    facts: dict[str, Any] = field(default_factory=dict)  # more of its row's raw data
    # What the rules after its own decide; None: nothing more.
    following: Callable[[str], Decision | None] = lambda rule: None

    @property
    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """What we add to an answer: the request's id, the deployment that answered, and the rule that chose it."""
        target = self.target or self.decision.targets[0]
        translated = [(b"x-breakeven-translated", self.translation.name.encode())] if self.translation else []
        cached = [(b"x-breakeven-cache", b"hit")] if self.saved is not None else []
        return [
            *translated,
            *cached,
            (b"x-breakeven-request-id", str(self.request_id).encode()),
            (b"x-breakeven-deployment", target.slug.encode()),
            (b"x-breakeven-rule", self.decision.rule.encode()),
        ]

    @property
    def spoken(self) -> Protocol:
        """The protocol in which its target answers."""
        return self.translation.spoken if self.translation else self.request.protocol

    def elapsed_ms(self) -> float:
        return (perf_counter() - self.arrived) * 1000

    def begun(self) -> CallStart:
        """What is written down of it before its target is asked."""
        target = self.decision.targets[0]
        return CallStart(
            external_id=self.external_id,
            started_at=self.started_at,
            provider=target.provider,
            model=target.model,
            application_id=self.application.id,
            deployment_id=target.id,
            key_id=self.key_id,
            task=self.task,
            route=self.decision.rule,
            streamed=self.request.streamed,
        )


def figures_of(exchange: Exchange, answer: Answer, outcome: str) -> RequestRow:
    """The record of a call without anything that a caller or an engine wrote, but for the answer's id."""
    target = exchange.target or exchange.decision.targets[0]
    tokens, elapsed_ms = _tokens(exchange, answer, outcome), exchange.elapsed_ms()
    estimate = None
    if tokens is None and exchange.metered:
        counted = answer.tokens(exchange.spoken)
        estimate = estimated(exchange.request, target, answer, counted, elapsed_ms - exchange.queued_ms)
    row = RequestRow(
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
        latency_ms=elapsed_ms,
        ttft_ms=exchange.ttft_ms,
        streamed=exchange.request.streamed,
        response_id=answer.response_id,
        reported_cost=usd_of((answer.usage or {}).get("cost")) if target.engine == "openrouter" else None,
        tokens=tokens,
        user_hash=user_hash(exchange.salt, exchange.request.user),
        route=exchange.decision.rule,
        key_id=None if outcome == "refused" else exchange.key_id,  # what a cap refuses is charged to no quota
        clean=True,
        estimate=estimate,
        caps=() if exchange.hold is None else exchange.hold.told,
    )
    if exchange.saved is not None:  # no deployment has done anything for it
        row.deployment_id, row.tokens, row.estimate, row.saved = None, Tokens(), None, exchange.saved
    return row


def _tokens(exchange: Exchange, answer: Answer, outcome: str) -> Tokens | None:
    """The five classes, or None where one is unknown: half a usage is not usage, it stays in `raw`."""
    counted = answer.tokens(exchange.spoken)
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
    unserved = (
        exchange.queueing
        or outcome == "refused"
        or (outcome == "error" and (exchange.status is None or exchange.status >= 400))
    )
    return Tokens() if unserved else None


def raw_of(exchange: Exchange, answer: Answer) -> dict[str, Any]:
    """What is kept of a call as it was told, not yet looked through for what must not be kept."""
    raw: dict[str, Any] = {"usage": answer.usage} if answer.usage is not None else {}
    if answer.timings is not None:
        raw["timings"] = answer.timings
    if answer.finish_reason is not None:
        raw["finish_reason"] = answer.finish_reason
    raw |= exchange.facts
    if exchange.decision.canary is not None:
        raw["canary"] = exchange.decision.canary.slug
    if exchange.tries:
        raw["tries"] = exchange.tries
    if queued_ms := round(exchange.queued_ms):
        raw["queued_ms"] = queued_ms
    if exchange.decision.instead_of:
        raw["instead_of"] = exchange.decision.instead_of
    if exchange.translation is not None:
        raw["translated"] = exchange.translation.name
    if exchange.saved is not None:
        target = exchange.decision.targets[0]
        raw["cache"] = {"answer_of": exchange.answer_of, "deployment": target.slug}
    asked_model = exchange.request.written or exchange.request.model
    if exchange.target is not None and asked_model != exchange.target.model:
        raw["asked_model"] = asked_model
    if exchange.keep_bodies and exchange.target is not None and exchange.target.provider == SELF:
        raw["private"] = exchange.private  # whether a trial may send the prompt to a vendor
    doubts = [word for word, holds in ((ANSWER_CUT, answer.text_cut), (ANSWER_UNREAD, answer.unread)) if holds]
    if doubts:
        raw["doubts"] = doubts
    return raw


def unreached(exchange: Exchange) -> str:
    """What its caller is told where no target was reached."""
    inside = [attempt["deployment"] for attempt in exchange.tries if attempt.get("error") == "address_refused"]
    names = " and ".join(target.slug for target in exchange.decision.targets)
    redirects = any(attempt.get("error") == "UnexpectedStatus" for attempt in exchange.tries)
    sentence = f"{names} could not be reached{': a redirect is not followed' if redirects else ''}."
    where = f" {' and '.join(inside)}: only a deployment that is marked as local may be at a private address."
    return sentence + where if inside else sentence
