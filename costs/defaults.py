"""What every installation starts with: the research's reference sheet."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

from costs.models import PriceSheet

SHEETS = Path(__file__).parent / "data"


def ensure_defaults() -> None:
    """Load reference sheets that are not in the database yet; one that a person has edited stays as it is."""
    for path in sorted(SHEETS.glob("sheet-*.json")):
        figures = json.loads(path.read_text())
        slug = path.stem.removeprefix("sheet-")
        PriceSheet.objects.get_or_create(
            slug=slug,
            defaults={
                "title": figures.get("title", slug),
                "dated": date.fromisoformat(figures["dated"]),
                "source": figures["source"],
                "figures": figures,
            },
        )
