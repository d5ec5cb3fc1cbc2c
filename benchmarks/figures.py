"""What a measurement says, and the table of them."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One measured number beside its reference of the same run and the target it is held to."""

    what: str
    value: float
    unit: str
    reference: float | None = None
    reference_is: str = ""
    target: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference if self.reference else None


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | measured | reference of the same run | ratio | target |", "|---|---:|---|---:|---|"]
    return "\n".join([*lines, *map(row, figures)])


def row(figure: Figure) -> str:
    """A figure's line of the table."""
    reference = f"{figure.reference:,.1f} {figure.unit} ({figure.reference_is})" if figure.reference else "–"
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else "–"
    return f"| {figure.what} | {figure.value:,.1f} {figure.unit} | {reference} | {ratio} | {figure.target} |"


def machine() -> str:
    """What it was measured on, in one line."""
    model = next((line.split(":")[1].strip() for line in cpu_info() if line.startswith("model name")), "")
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores {model}, {memory_gib:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def cpu_info() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []
