"""Machines that are rented from a simulated vendor: loaded as spans of time, billed for what the spans cover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.state import Row, moment, stamp

RUNNING, EXITED = "RUNNING", "EXITED"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def kept(row: Row, **defaults: Any) -> Row:
    """A loaded machine in the shape that is kept. Raises KeyError, ValueError, TypeError."""
    spans = [
        {"from": stamp(moment(s["from"])), "to": s.get("to") and stamp(moment(s["to"])), "status": s["status"]}
        for s in row["spans"]
    ]
    if not spans or not {span["status"] for span in spans} <= {RUNNING, EXITED}:
        raise ValueError("a machine needs spans, each RUNNING or EXITED")
    return {
        **defaults,
        **row,
        "id": str(row["id"]),
        "name": str(row.get("name") or row["id"]),
        "gpu": str(row["gpu"]),
        "gpu_count": int(row.get("gpu_count", 1)),
        "price_per_hour": str(float(row["price_per_hour"])),
        "disk_per_hour": str(float(row.get("disk_per_hour", 0))),
        "spans": sorted(spans, key=lambda span: str(span["from"])),
    }


def status(row: Row) -> str:
    """RUNNING, EXITED, or TERMINATED once the last span has ended; a machine's own word comes before its spans'."""
    last = row["spans"][-1]
    return "TERMINATED" if last["to"] else str(row.get("status") or last["status"])


def stopped(row: Row, now: datetime) -> Row:
    """The machine as it is once it has been stopped at a moment: rented on, for its disk alone."""
    spans = [dict(span) for span in row["spans"]]
    if status(row) == RUNNING:
        spans[-1]["to"] = stamp(now)
        spans.append({"from": stamp(now), "to": None, "status": EXITED})
    return {name: value for name, value in row.items() if name != "status"} | {"spans": spans}


def given_back(row: Row, now: datetime) -> Row:
    """The machine once it has been given back: it costs nothing any more."""
    spans = [dict(span) for span in row["spans"]]
    spans[-1]["to"] = spans[-1]["to"] or stamp(now)
    return {name: value for name, value in row.items() if name != "status"} | {"spans": spans}


def alive(row: Row) -> bool:
    return status(row) != "TERMINATED"


def started(row: Row) -> datetime:
    """When it was rented."""
    return moment(row["spans"][0]["from"])


def ended(row: Row, now: datetime) -> datetime:
    """When it was given back; now while it is rented."""
    last = row["spans"][-1]["to"]
    return moment(last) if last else now


@dataclass(frozen=True)
class Bill:
    """USD of one machine in one bucket of time."""

    row: Row
    starts_at: datetime
    gpu: float
    disk: float


def spent(row: Row, start: datetime, end: datetime) -> tuple[float, float]:
    """USD for GPU and disk in a period: the GPU while it ran, the disk while it was rented."""
    gpu = _covered(row["spans"], start, end, RUNNING) * float(row["price_per_hour"])
    return gpu, _covered(row["spans"], start, end, None) * float(row["disk_per_hour"])


def bills(rows: Iterable[Row], start: datetime, end: datetime, step: timedelta, now: datetime) -> Iterator[Bill]:
    """What machines cost in each bucket of [start, end), which begins on one; buckets without cost are left out."""
    for row in rows:
        skipped = max(0, (started(row) - start) // step)
        at, last = start + skipped * step, min(end, ended(row, now))
        while at < last:
            gpu, disk = spent(row, at, min(at + step, now))
            if gpu or disk:
                yield Bill(row, at, gpu, disk)
            at += step


def burn_rate(rows: Iterable[Row]) -> float:
    """USD per hour right now."""
    return sum(
        float(row["disk_per_hour"]) + (float(row["price_per_hour"]) if status(row) == RUNNING else 0.0)
        for row in rows
        if alive(row)
    )


def balance_left(rows: Iterable[Row], loaded: Row | None, now: datetime) -> float:
    """Prepaid USD: what was loaded (100 if nothing was), less what the machines have burnt since."""
    if loaded is None:
        return 100.0
    since = moment(loaded["at"])
    return float(loaded["amount"]) - sum(sum(spent(row, since, now)) for row in rows)


def _covered(spans: Iterable[Row], start: datetime, end: datetime, wanted: str | None) -> float:
    """Hours of [start, end) that spans cover, of one status or of any; a span without end goes on."""
    total = 0.0
    for span in spans:
        if wanted in (None, span["status"]):
            until = moment(span["to"]) if span["to"] else end
            total += max((min(until, end) - max(moment(span["from"]), start)).total_seconds(), 0.0) / 3600
    return total
