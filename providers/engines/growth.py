"""How much a server's counters grew between two scrapes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from providers.engines.metrics import Buckets, EngineSample

COUNTERS = {
    "prompt_tokens": "prompt_tokens_total",
    "cached_tokens": "cached_tokens_total",
    "output_tokens": "output_tokens_total",
    "requests": "requests_total",
    "failed": "failed_total",
    "preemptions": "preemptions_total",
}
SAME_START = timedelta(seconds=2)  # a process's own start is told in whole or in broken seconds

# Requests by the upper bound in seconds of the bucket that they fell into. A bound without any is left out, unless it
# is the lower end of one with some: between these two a quantile is interpolated.
Counts = Mapping[float, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """What was counted between two scrapes. None: the engine does not say, or did not before."""

    prompt_tokens: float | None = None
    cached_tokens: float | None = None
    output_tokens: float | None = None
    requests: float | None = None
    failed: float | None = None
    preemptions: float | None = None
    ttft: Counts = field(default_factory=dict)
    restarted: bool = False


def growth(before: EngineSample, after: EngineSample) -> Growth:
    """A server that restarted counts from zero again: then all that it says now is growth."""
    fresh = restarted(before, after)
    counted = {
        name: _increase(getattr(before, column), getattr(after, column), fresh) for name, column in COUNTERS.items()
    }
    return Growth(**counted, ttft=_grown(() if fresh else before.ttft_buckets, after.ttft_buckets), restarted=fresh)


def restarted(before: EngineSample, after: EngineSample) -> bool:
    """By the process's own start where it tells it, else by any counter that fell."""
    if before.started_at and after.started_at and after.started_at - before.started_at > SAME_START:
        return True
    pairs = [(getattr(before, column), getattr(after, column)) for column in COUNTERS.values()]
    return any(old is not None and new is not None and new < old for old, new in pairs)


def _increase(before: float | None, after: float | None, fresh: bool) -> float | None:
    if before is None or after is None:
        return None
    return after if fresh else after - before


def _grown(before: Buckets, after: Buckets) -> Counts:
    """Cumulative counts turned into each bucket's own; a list of bounds that has changed begins from zero."""
    old = dict(before) if {bound for bound, _count in before} == {bound for bound, _count in after} else {}
    counts: dict[float, float] = {}
    below, low = 0.0, 0.0
    for bound, count in after:
        inside = count - old.get(bound, 0.0) - below
        if inside > 0:
            counts.setdefault(low, 0.0)
            counts[bound] = inside
        below, low = count - old.get(bound, 0.0), bound
    counts.pop(0.0, None)
    return counts


def quantile(counts: Counts, q: float) -> float | None:
    """Seconds below which a share `q` of the requests stayed, by interpolation in the engine's own buckets
    (approximate); past the last bound it is that bound, which is then "at least"."""
    total = sum(counts.values())
    if total <= 0:
        return None
    rank, below, low = q * total, 0.0, 0.0
    for bound in sorted(counts):
        inside = counts[bound]
        if below + inside >= rank and inside > 0:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / inside
        below, low = below + inside, bound
    return low
