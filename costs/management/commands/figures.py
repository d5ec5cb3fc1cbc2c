"""`manage.py figures`: the research's figures beside ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from costs.price_sheets import sheets
from costs.research.figures import Figure, differing, figures

COLUMNS = "{:<64} {:>24} {:>12} {:>12}  {}"


class Command(BaseCommand):
    help = "Print every figure of a price sheet: note, ours, difference, kind. Exits 1 when a computed one differs."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sheet", default=sheets.REFERENCE, choices=sheets.names(), help="price sheet")
        parser.add_argument("--kind", choices=["computed", "quoted", "slip"], help="only this kind")
        parser.add_argument("--json", action="store_true", help="one JSON array instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = figures(sheets.load(options["sheet"]))
        shown = [row for row in rows if options["kind"] in (None, row.kind)]
        lines = [json.dumps([_plain(row) for row in shown], indent=1)] if options["json"] else table(shown)
        for line in lines:
            self.stdout.write(line)
        wrong = differing(rows)
        if not options["json"]:
            self.stdout.write(summary(rows))
        if wrong:
            raise SystemExit(1)


def table(rows: list[Figure]) -> Iterator[str]:
    """Lines of a table, a heading for each section."""
    for section, part in groupby(rows, key=lambda row: row.section):
        yield ""
        yield COLUMNS.format(section, "note", "ours", "difference", "kind").rstrip()
        for row in part:
            note = f"{row.note} {UNITS.get(row.unit, row.unit)}".strip()
            kind = f"{row.kind} DIFFERS" if row.holds is False else row.kind
            reason = f": {row.why}" if row.why else ""
            line = COLUMNS.format(row.title, note, _number(row.ours), _number(row.difference), kind + reason)
            yield line.rstrip()


def summary(rows: list[Figure]) -> str:
    kinds = {kind: sum(row.kind == kind for row in rows) for kind in ("computed", "quoted", "slip")}
    wrong = differing(rows)
    named = f": {', '.join(row.slug for row in wrong)}" if wrong else ""
    return (
        f"\n{len(rows)} figures: {kinds['computed']} computed, {kinds['quoted']} quoted, {kinds['slip']} slips; "
        f"{len(wrong)} computed differ{named}"
    )


UNITS = {
    "usd": "USD",
    "gb": "GB",
    "percent": "",
    "requests": "",
    "million_tokens": "",
    "tokens_per_second": "tok/s",
}


def _number(value: Decimal | None) -> str:
    """At least two digits after the point, up to six where they matter."""
    if value is None:
        return ""
    whole, part = f"{value:,.6f}".split(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def _plain(row: Figure) -> dict[str, Any]:
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in asdict(row).items()}
