"""How far the demo company's history has loaded, as the pages say it; `demo` writes the file."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

PROGRESS = "demo-progress.json"


def read_json(path: Path) -> Any:
    """The content, or None where there is no such file."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def loading(directory: Path) -> dict[str, Any] | None:
    """How much of the history has arrived (`done` and `total` requests, `percent`, the `month` that is loading).

    None when all of it has.
    """
    progress = read_json(directory / PROGRESS)
    if not progress or progress["month"] is None:
        return None
    return {
        "done": progress["done_rows"],
        "total": progress["total_rows"],
        "percent": min(99, 100 * progress["done_rows"] // max(1, progress["total_rows"])),
        "month": date.fromisoformat(f"{progress['month']}-01"),
    }
