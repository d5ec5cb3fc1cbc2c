"""Rows of calls that were refused before a deployment was chosen, so that people find them in the log.

They hold who called, when, and the word of the reason; of the call itself nothing, for much of it may be unreadable.
Calls without a known key leave none, nor do those that are refused for now: whoever is told to come back comes back.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter

from traffic.authentication.limits import Buckets
from traffic.gateway.refusals import Refusal
from traffic.gateway.snapshot import Application, Key
from traffic.gateway.spool import Spool
from traffic.ingest.rows import RequestRow, Tokens

PER_MINUTE = 60  # rows of one key: a caller that repeats a mistake fills no table
FOR_NOW = frozenset({408, 429, 503})
UNKNOWN = "unknown"


class RefusedCalls:
    """Writes their rows into the spool. For one event loop."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._buckets = Buckets()

    def note(
        self, refusal: Refusal, key: Key | None, application: Application | None, name: str,
        started_at: datetime, arrived: float,
    ) -> None:  # fmt: skip
        """Leave a row of a call, `name` being its external id."""
        if key is None or application is None or application.id is None or refusal.status in FOR_NOW:
            return
        if self._buckets.take(key.line, PER_MINUTE):
            return
        self._spool.append(
            RequestRow(
                external_id=name,
                started_at=started_at,
                provider=UNKNOWN,
                model=UNKNOWN,
                source="gateway",
                application_id=application.id,
                outcome="refused",
                http_status=refusal.status,
                error_type=refusal.code,
                latency_ms=(perf_counter() - arrived) * 1000,
                tokens=Tokens(),
                clean=True,
            )
        )
