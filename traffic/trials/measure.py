"""What the calls of a step come to: throughput, percentiles, capacity. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

FIRST_TOKEN_LIMIT_MS = 500.0  # p95; where the curve crosses it, answers begin too late
MOST_ERRORS = 0.05  # of a step's calls, for its throughput to count as capacity


@dataclass(frozen=True, slots=True)
class Timed:
    """One call of a step. Milliseconds; `offset_ms` from the step's start to the sending; None is unknown."""

    ok: bool
    offset_ms: float
    ttft_ms: float | None
    latency_ms: float
    output_tokens: int | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The results of a step; tokens/s are output tokens, times milliseconds, None where nothing was measured."""

    requests: int
    errors: int
    tokens_per_second: float | None
    stream_tokens_per_second: float | None
    ttft_p50_ms: float | None
    ttft_p95_ms: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    output_tokens: int


def nearest_rank(values: Iterable[float], share: float) -> float | None:
    """The smallest value that at least this share of the values do not exceed; None of none."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1] if ordered else None


def measure(calls: Sequence[Timed], seconds: float) -> Measured:
    """The results of calls that were sent within `seconds`; what they generated after it does not count.

    A call's tokens are spread evenly from its first token to its end, and those inside the window are its throughput:
    neither calls that end after the window nor streams that fall idle then change the figure. Where no first token came
    inside it, all tokens are taken over the time until the last call ended, which is a lower bound.
    """
    good = [call for call in calls if call.ok]
    generated = sum(tokens_within(call, seconds * 1000) for call in good)
    if not generated and good:
        seconds = max(call.offset_ms + call.latency_ms for call in good) / 1000
        generated = float(sum(call.output_tokens or 0 for call in good))
    rates = [rate for call in good if (rate := stream_rate(call)) is not None]
    ttfts = [call.ttft_ms for call in good if call.ttft_ms is not None]
    latencies = [call.latency_ms for call in good]
    return Measured(
        requests=len(calls),
        errors=len(calls) - len(good),
        tokens_per_second=generated / seconds if generated and seconds > 0 else None,
        stream_tokens_per_second=median(rates) if rates else None,
        ttft_p50_ms=nearest_rank(ttfts, 0.5),
        ttft_p95_ms=nearest_rank(ttfts, 0.95),
        latency_p50_ms=nearest_rank(latencies, 0.5),
        latency_p95_ms=nearest_rank(latencies, 0.95),
        output_tokens=sum(call.output_tokens or 0 for call in good),
    )


def tokens_within(call: Timed, window_ms: float) -> float:
    """Output tokens of a call that were generated before the window ended."""
    begun = call.offset_ms + (call.ttft_ms or 0.0)
    ended = call.offset_ms + call.latency_ms
    if ended <= window_ms or ended <= begun:
        return float(call.output_tokens or 0) if begun <= window_ms else 0.0
    share = max(window_ms - begun, 0.0) / (ended - begun)
    return (call.output_tokens or 0) * share


def stream_rate(call: Timed) -> float | None:
    """Tokens/s of one call after its first token; None where they cannot be told apart."""
    if call.ttft_ms is None or call.output_tokens is None or call.output_tokens < 2 or call.latency_ms <= call.ttft_ms:
        return None
    return (call.output_tokens - 1) * 1000 / (call.latency_ms - call.ttft_ms)


@dataclass(frozen=True, slots=True)
class Point:
    """A step on the curve of throughput against concurrency."""

    concurrency: int
    requests: int
    errors: int
    tokens_per_second: float | None
    ttft_p95_ms: float | None

    @property
    def counts(self) -> bool:
        """Whether its throughput can be the capacity: calls rarely failed."""
        return bool(self.tokens_per_second) and self.errors <= MOST_ERRORS * self.requests

    @property
    def in_time(self) -> bool:
        return self.ttft_p95_ms is None or self.ttft_p95_ms <= FIRST_TOKEN_LIMIT_MS


def capacity_point(points: Iterable[Point]) -> Point | None:
    """The step whose throughput is the capacity: the highest of those whose first token comes in time, else of all.

    One whose first token was not measured is it only where none was measured.
    """
    counting = [point for point in points if point.counts]
    measured = [point for point in counting if point.ttft_p95_ms is not None] or counting
    choice = [point for point in measured if point.in_time] or measured
    return max(choice, key=lambda point: point.tokens_per_second or 0.0, default=None)


def late_from(points: Iterable[Point]) -> float | None:
    """The concurrency at which the p95 of the first token passes the limit, between two steps by a straight line.

    None where no step passes it; the first step's own concurrency where that is late already.
    """
    before: Point | None = None
    for point in sorted(points, key=lambda entry: entry.concurrency):
        if point.ttft_p95_ms is None:
            continue
        if point.ttft_p95_ms > FIRST_TOKEN_LIMIT_MS:
            if before is None or before.ttft_p95_ms is None:
                return float(point.concurrency)
            share = (FIRST_TOKEN_LIMIT_MS - before.ttft_p95_ms) / (point.ttft_p95_ms - before.ttft_p95_ms)
            return before.concurrency + share * (point.concurrency - before.concurrency)
        before = point
    return None
