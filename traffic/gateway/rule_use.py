"""Counts how the canaries of rules do, for a worker that ends them by their bounds."""

from __future__ import annotations

import psycopg

from traffic.gateway.exchange import Exchange

ADD = """
INSERT INTO traffic_routeuse AS u (route_id, calls, failures, streams, slow, reason, usd)
SELECT id, %s, %s, %s, %s, '', 0 FROM traffic_route WHERE slug = %s AND canary_id = %s
ON CONFLICT (route_id) DO UPDATE SET calls = u.calls + excluded.calls, failures = u.failures + excluded.failures,
    streams = u.streams + excluded.streams, slow = u.slow + excluded.slow
WHERE u.returned_at IS NULL
"""
OF_THE_CALLER = (400, 413, 422)


class CanaryCounts:
    """For one event loop; `write` is for the thread that reads the configuration."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int], list[int]] = {}

    def note(self, exchange: Exchange, outcome: str) -> None:
        """Count a finished call of a canary. A caller that left, or sent what no engine takes, is no failure.

        A key or a model that the vendor does not know is the canary's fault, not the caller's.
        """
        canary, rule = exchange.decision.canary, exchange.decision.of
        if canary is None or rule is None or not exchange.recorded or outcome in ("cancelled", "refused"):
            return
        own = exchange.target is canary
        failed = not own or outcome == "timeout" or (outcome == "error" and exchange.status not in OF_THE_CALLER)
        bound, first = rule.canary_ttft_ms, exchange.ttft_ms if own else None
        counts = self._counts.setdefault((rule.slug, canary.id), [0, 0, 0, 0])
        for at, holds in enumerate((True, failed, first is not None, bool(first and bound and first > bound))):
            counts[at] += holds

    def write(self, conn: psycopg.Connection) -> None:
        """Raises psycopg.Error."""
        counted, self._counts = self._counts, {}
        for (rule, canary), counts in sorted(counted.items()):
            conn.execute(ADD, [*counts, rule, canary])
