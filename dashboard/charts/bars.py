"""Stacked bars: money by day (or hour, or month) and provider; the fill of a part shows its provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.scales import Scale, axis_of, tick_word, word
from dashboard.charts.svg import CHARACTER_PX, Drawing, Key, drawing, pct, tag, text, titled
from lib import formats as money

Row = Mapping[str, Any]

PHONE_PX = 290  # of a plot on a phone
GAP_PX = 16  # between two labels of an axis

# A provider has the same colour on every page: 1 is for our own machines, 6 for all that have no number.
SERIES = {"self": 1, "runpod": 1, "anthropic": 2, "vast": 3, "google": 4, "lambda": 5}


def series_numbers(keys: Iterable[str]) -> dict[str, int]:
    """A series number, 1 to 6, for each key: its fixed one if that is free, else the next free one, else 6."""
    unique = list(dict.fromkeys(keys))
    numbers: dict[str, int] = {}
    for key in sorted(unique, key=lambda k: SERIES.get(k, 9)):
        taken = set(numbers.values())
        fixed = SERIES.get(key)
        free = (n for n in (1, 2, 3, 4, 5, 6) if n not in taken)
        numbers[key] = fixed if fixed and fixed not in taken else next(free, 6)
    return {key: numbers[key] for key in unique}


def total_of(row: Row) -> Decimal:
    return sum((money.to_decimal(part["amount"]) or Decimal(0) for part in row["parts"]), Decimal(0))


def axis(scale: Scale, values: Sequence[float], unit: str) -> list[str]:
    """Horizontal grid lines with labels at the left; the lowest is the zero line."""
    marks = []
    for index, value in enumerate(values):
        y = pct(1 - scale.at(value))
        marks.append(tag("line", cls="grid" if index else "zero", x1=0, y1=y, x2="100%", y2=y))
        marks.append(text(tick_word(value, unit), cls="t-axis end", x=0, y=y, dx=-6, dy=4))
    return marks


def axis_class(values: Sequence[float], unit: str) -> str:
    """The CSS class of the plot; with long labels it leaves more room at the left."""
    return "plot plot-y5" if max((len(tick_word(v, unit)) for v in values), default=0) > 5 else "plot"


def stacked_bars(
    rows: Sequence[Row], *, unit: str = "usd", height: int = 230, label: str = "", by: str = ""
) -> Drawing:
    """`rows`: `{"label": "1 Jun", "parts": [{"key": "runpod", "name": "RunPod", "amount": D, "provenance": "billed"}],
    "note": "14 h", "unknown": True}`; `note` is written above its bar; `unknown` adds a hatched cap (at least).
    `day` (a date) and `by`, the filter of requests that a part's key belongs to, lead from a bar to its requests."""
    highest = max((float(total_of(row)) for row in rows), default=0.0)
    values, top = axis_of(0.0, highest or 1.0)
    scale = Scale(0.0, top)
    numbers = series_numbers(str(part["key"]) for row in rows for part in row["parts"])
    slot = 1 / max(1, len(rows))
    marks = axis(scale, values, unit)
    every = max(1, round(len(rows) / 16))
    apart = every * labels_apart([str(row["label"]) for row in rows[::every]])
    for index, row in enumerate(rows):
        marks += one_bar(row, numbers, scale, index * slot, slot, unit)
        if index % every == 0:
            narrow = " wide" if index % apart else ""
            marks.append(text(row["label"], cls=f"t-axis mid{narrow}", x=pct((index + 0.5) * slot), y="100%", dy=16))
    return drawing(
        marks,
        label=label or _("Amounts by period and provider"),
        height=height,
        cls=axis_class(values, unit),
        legend=legend(rows, numbers),
        columns=[_("Period"), *names(rows).values(), _("Total")],
        rows=[table_row(row, list(names(rows)), unit) for row in rows],
        places=[(index + 0.5) * slot for index in range(len(rows))],
        unit=unit,
        spec={"kind": "bars", "unit": unit, "label": label, "series": bar_series(rows, by)},
    )


def labels_apart(labels: Sequence[str]) -> int:
    """Of labels in a row, each how many-th a phone shows, so that they do not touch."""
    longest = max(map(len, labels), default=1)
    return math.ceil(len(labels) * (longest * CHARACTER_PX + GAP_PX) / PHONE_PX) or 1


def bar_series(rows: Sequence[Row], by: str) -> list[Row]:
    """One series for each key, at the day of each row or at its label; `by` is the filter that a key belongs to."""
    keys, x = names(rows), [row.get("day") or row["label"] for row in rows]
    sums: dict[str, list[Decimal]] = {key: [Decimal(0)] * len(rows) for key in keys}
    for index, row in enumerate(rows):
        for part in row["parts"]:
            sums[str(part["key"])][index] += money.to_decimal(part["amount"]) or Decimal(0)
    return [
        {"key": key, "name": name, "x": x, "y": sums[key], "meta": {by: key} if by else None}
        for key, name in keys.items()
    ]


def one_bar(row: Row, numbers: Mapping[str, int], scale: Scale, x: float, slot: float, unit: str) -> list[str]:
    base, marks, width = Decimal(0), [], slot * 0.7
    left = x + (slot - width) / 2
    for part in sorted(row["parts"], key=lambda p: numbers[str(p["key"])]):
        amount = money.to_decimal(part["amount"])
        if not amount:
            continue
        top = 1 - scale.inside(base + amount)
        kind = str(part.get("provenance") or "billed")
        rect = tag("rect", cls=f"f{numbers[str(part['key'])]} p-{kind}", x=pct(left), y=pct(top), width=pct(width),
                   height=pct(1 - scale.inside(base) - top))  # fmt: skip
        words = f"{row['label']}, {part['name']}: {word(amount, unit)}"
        marks.append(titled(rect, f"{words}, {money.provenance_word(kind)}" if part.get("provenance") else words))
        base += amount
    y = 1 - scale.inside(base)
    if row.get("unknown"):
        cap = tag("rect", cls="unknown", x=pct(left), y=-9, width=pct(width), height=8)
        marks.append(titled(tag("svg", cap, cls="in", y=pct(y)), _("at least")))
    if row.get("note"):
        marks.append(
            text(row["note"], cls="mid halo", x=pct(left + width / 2), y=pct(y), dy=-14 if row.get("unknown") else -5)
        )
    return marks


def names(rows: Sequence[Row]) -> dict[str, str]:
    return {str(part["key"]): str(part["name"]) for row in rows for part in row["parts"]}


def legend(rows: Sequence[Row], numbers: Mapping[str, int]) -> list[Key]:
    """The series in their order, then the fills of other provenances than billed that occur."""
    by_number = sorted(names(rows).items(), key=lambda item: numbers[item[0]])
    keys = [Key("box", f"f{numbers[key]} p-billed", name) for key, name in by_number]
    kinds = {str(part.get("provenance")) for row in rows for part in row["parts"]}
    return keys + [Key("box", f"f1 p-{k}", money.provenance_word(k)) for k in money.PROVENANCES[1:] if k in kinds]


def table_row(row: Row, keys: Sequence[str], unit: str) -> list[str]:
    sums = {key: Decimal(0) for key in keys}
    for part in row["parts"]:
        sums[str(part["key"])] += money.to_decimal(part["amount"]) or Decimal(0)
    total = total_of(row)
    total_text = money.at_least(total, row.get("unknown")) if unit == "usd" else word(total, unit)
    return [str(row["label"]), *(word(amount, unit) for amount in sums.values()), total_text]
