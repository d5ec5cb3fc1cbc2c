"""Measurements of speed, each against a reference taken in the same run, so that a slow machine slows both.

`manage.py bench NAME` starts a stack of its own in a temporary folder, measures over loopback and stops it again.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import (
    checks,
    delivery,
    forecast,
    gateway,
    imports,
    ingest,
    large_batches,
    memory,
    offers,
    otlp,
    pages,
    reprice,
    requests,
    rules,
    worker,
)
from benchmarks.figures import Figure

BENCHES: dict[str, Callable[[], list[Figure]]] = {
    "memory": memory.measure,
    "large-batches": large_batches.measure,
    "ingest": ingest.measure,
    "imports": imports.measure,
    "otlp": otlp.measure,
    "pages": pages.measure,
    "gateway": gateway.measure,
    "requests": requests.measure,
    "rules": rules.measure,
    "reprice": reprice.measure,
    "forecast": forecast.measure,
    "offers": offers.measure,
    "checks": checks.measure,
    "delivery": delivery.measure,
    "worker": worker.measure,
}
