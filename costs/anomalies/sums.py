"""What is compared: requests of a window added up, and the figures that follow from them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from math import log
from typing import Any

from lib.tokens import PROMPT_CLASSES

ENOUGH = 30  # requests of a window from which on a share of them says something


@dataclass(slots=True)
class Sums:
    """Requests added up; `cost` is USD, measured, of the priced ones."""

    requests: int = 0
    errors: int = 0
    unknown_usage: int = 0
    uncached_input: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    cost: Decimal = Decimal(0)
    latency_us: int = 0
    timed: int = 0

    def add(self, other: Sums) -> None:
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @classmethod
    def of_row(cls, values: Sequence[Any]) -> Sums:
        """From the columns of a query, in the order of `COLUMNS`."""
        numbers: list[Any] = [v if name == "cost" else int(v) for name, v in zip(COLUMNS, values, strict=True)]
        return cls(*numbers)

    @property
    def prompt(self) -> int:
        return sum(getattr(self, name) for name in PROMPT_CLASSES)

    @property
    def tokens(self) -> int:
        return self.prompt + self.output

    @property
    def told(self) -> int:
        """Requests whose tokens are known."""
        return self.requests - self.unknown_usage


COLUMNS = tuple(field.name for field in fields(Sums))


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a window: a part of a whole, or an amount where `whole` is None.

    `worse` is the direction in which it is bad news. It is compared as it is, or by its logarithm where it grows by
    factors; `noise` is the least spread that it is taken to have, and `least` the least change worth telling, both on
    that scale.
    """

    name: str
    part: Callable[[Sums], int | Decimal]
    whole: Callable[[Sums], int] | None
    worse: int
    factors: bool
    noise: float
    least: float

    def value(self, sums: Sums) -> float | None:
        """None where there is too little to tell."""
        if self.whole is None:
            return float(self.part(sums))
        whole = self.whole(sums)
        return float(self.part(sums)) / whole if whole > 0 and sums.requests >= ENOUGH else None


METRICS = {
    metric.name: metric
    for metric in (
        Metric("cache", lambda s: s.cache_read, lambda s: s.prompt, -1, False, 0.03, 0.15),
        Metric("size", lambda s: s.tokens, lambda s: s.told, 1, True, 0.08, log(1.4)),
        Metric("errors", lambda s: s.errors, lambda s: s.requests, 1, False, 0.01, 0.05),
        Metric("latency", lambda s: s.latency_us, lambda s: s.timed, 1, True, 0.1, log(1.6)),
        Metric("spend", lambda s: s.cost, None, 1, True, 0.12, log(1.5)),
    )
}
REQUESTS = Metric("requests", lambda s: s.requests, None, 1, True, 0.12, log(1.5))
