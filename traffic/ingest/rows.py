"""One request on its way in: what every way in makes of what it was sent, and what the store takes.

Structs and no dataclasses: they are made in a third of the time, and none is ever part of a circle of garbage.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from traffic.ingest.bounds import MOST_USD


class Tokens(msgspec.Struct, gc=False):
    """The five disjoint token classes of one request; `reasoning` is a sub-count of `output`."""

    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0


class CapCharge(msgspec.Struct, frozen=True, gc=False):
    """A cap that a call of the gateway counts for, in the window that began at `starts_at`."""

    cap: int
    unit: str
    user: uuid.UUID
    starts_at: datetime
    reserved: int  # counted where it is not known what was used


class RequestRow(msgspec.Struct, gc=False):
    """A call to a model, normalised. Times are aware UTC, durations milliseconds; None is unknown, never zero."""

    external_id: str  # identity within the application and the UTC day
    started_at: datetime
    provider: str
    model: str
    source: str  # the way in: native, otlp, litellm, gateway, import
    application_id: int | None = None
    deployment_id: int | None = None
    task: str = "other"
    outcome: str = "ok"
    http_status: int | None = None
    error_type: str | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    streamed: bool = False
    batch: bool = False
    response_id: str | None = None
    tokens: Tokens | None = None
    user: str | None = None  # hashed by the store under the installation's salt
    route: str | None = None  # slug of the rule that chose the deployment
    raw: dict[str, Any] | None = None
    prompt: str | None = None  # only where the application opted in
    answer: str | None = None
    # (child, parent) by external id: spans whose parent, if it turns out to be a call of the same model, is this call.
    links: tuple[tuple[str, str], ...] = ()
    reported_cost: Decimal | None = None  # USD, as who reports the call reckons it; never our figure
    tier: str | None = None  # of service or region, where it is not the standard; see `traffic.ingest.tiers`
    tier_read: bool = False  # whether `tier` and `batch` hold what `raw` tells of them already
    import_id: int | None = None  # the file that brought it, until another way in reports it too
    key_id: int | None = None  # the key that it came with, for quotas
    suspect: bool | None = None  # whether `raw` may hold what the shipped redactions take out; None: not looked at
    # The gateway takes out and hashes before it spools: then `user` is None and this is its hash.
    clean: bool = False
    user_hash: uuid.UUID | None = None
    estimate: Tokens | None = None  # where `tokens` are unknown: what its key's quota is charged with; never shown
    caps: tuple[CapCharge, ...] = ()
    saved: Tokens | None = None  # an answer from the gateway's cache: what the model would have used for it


COST_STEP = Decimal("0.000000000001")  # as stored
LONGEST_AMOUNT = 50  # characters


def usd_of(value: Any) -> Decimal | None:
    """A cost in USD that came as a number or as text; None for zero, which tools say where they do not know."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    written = str(value)
    if len(written) > LONGEST_AMOUNT:
        return None
    try:
        amount = Decimal(written)
    except InvalidOperation:
        return None
    # An exponent of a thousand million would be written out with as many zeros.
    return amount.quantize(COST_STEP) or None if amount.is_finite() and 0 < amount < MOST_USD else None
