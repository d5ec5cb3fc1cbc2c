"""Prometheus text of an inference server, read into our words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

Buckets = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class EngineSample:
    """One scrape. None: the engine does not say. Counters are raw and fall to zero when the server restarts.

    `kv_cache` is a share 0..1. `prompt_tokens_total` includes tokens served from the prefix cache, which
    `cached_tokens_total` counts alone. `ttft_buckets` are (upper bound in seconds, cumulative count).
    """

    running: float | None = None
    waiting: float | None = None
    kv_cache: float | None = None
    prompt_tokens_total: float | None = None
    cached_tokens_total: float | None = None
    output_tokens_total: float | None = None
    requests_total: float | None = None
    failed_total: float | None = None
    preemptions_total: float | None = None
    ttft_buckets: Buckets = ()
    started_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """As plain data; the unbounded bucket is `inf`, which JSON has no number for."""
        buckets = [[str(bound), count] for bound, count in self.ttft_buckets]
        started_at = self.started_at.isoformat() if self.started_at else None
        return asdict(self) | {"ttft_buckets": buckets, "started_at": started_at}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EngineSample:
        buckets = tuple((float(bound), float(count)) for bound, count in data["ttft_buckets"])
        started_at = datetime.fromisoformat(data["started_at"]) if data["started_at"] else None
        return cls(**{**data, "ttft_buckets": buckets, "started_at": started_at})


class Samples:
    """Samples by the name that the server wrote, each a list of (labels, value)."""

    def __init__(self, by_name: Mapping[str, list[tuple[Mapping[str, str], float]]]) -> None:
        self.by_name = by_name

    def __bool__(self) -> bool:
        return bool(self.by_name)

    @classmethod
    def parse(cls, text: str, prefixes: tuple[str, ...]) -> Samples:
        """Keep the lines that begin with a prefix; raises ValueError on a malformed one.

        Dropping the rest first is most of the speed (vLLM writes 532 lines, we want a dozen), and without the TYPE
        comments the parser leaves every name as the server wrote it.
        """
        wanted = "".join(line + "\n" for line in text.splitlines() if line.startswith(prefixes))
        by_name: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in text_string_to_metric_families(wanted):
            for sample in family.samples:
                by_name.setdefault(sample.name, []).append((sample.labels, float(sample.value)))
        return cls(by_name)

    def of(self, *names: str, **labels: str) -> list[tuple[Mapping[str, str], float]]:
        """Samples of the first name present. A wanted label that the series does not carry is no obstacle."""
        rows = next((self.by_name[name] for name in names if name in self.by_name), [])
        return [row for row in rows if all(row[0].get(key, value) == value for key, value in labels.items() if value)]

    def total(self, *names: str, **labels: str) -> float | None:
        values = [value for _, value in self.of(*names, **labels) if isfinite(value)]
        return sum(values) if values else None

    def highest(self, *names: str, **labels: str) -> float | None:
        """For shares, which must not be added over the ranks of one server."""
        values = [value for _, value in self.of(*names, **labels) if isfinite(value)]
        return max(values) if values else None

    def buckets(self, name: str, **labels: str) -> Buckets:
        """A cumulative histogram, added over the label sets. Bounds are the server's: they differ by version."""
        counts: dict[float, float] = {}
        for labels_of_row, value in self.of(f"{name}_bucket", **labels):
            bound = float(labels_of_row.get("le", inf))
            counts[bound] = counts.get(bound, 0.0) + value
        return tuple(sorted(counts.items()))

    def time(self, name: str) -> datetime | None:
        seconds = self.highest(name)
        return datetime.fromtimestamp(seconds, UTC) if seconds else None


def plus(*values: float | None) -> float | None:
    """The sum of what is known; None when nothing is."""
    addends = [value for value in values if value is not None]
    return sum(addends) if addends else None
