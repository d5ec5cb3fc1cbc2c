"""The line chart, which other charts use too: series, bands, limits, shades and marks on one pair of axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.bars import axis, axis_class
from dashboard.charts.labels import LINE_NAME, Label, placed
from dashboard.charts.scales import (
    Scale,
    Value,
    axis_of,
    extent,
    log_ticks,
    number,
    short_count,
    spread,
    ticks,
    time_ticks,
    word,
    x_word,
)
from dashboard.charts.svg import Drawing, Key, drawing, pct, points, stretched, tag, tail_class, text

Row = Mapping[str, Any]

STYLES = {"us": "us", "api": "l2", "forecast": "forecast", "plan": "plan", "limit": "limit"}
MAX_TABLE_ROWS = 120


def style_class(series: Row, index: int) -> str:
    """The CSS class of a series: a named style, a number from 1 to 6, or its position in the list."""
    style = series.get("style") or index + 1
    return STYLES.get(str(style), f"l{style}")


@dataclass(frozen=True)
class Plane:
    """Both axes; converts a pair of values into a place in the plot."""

    x: Scale
    y: Scale
    height_px: int

    def place(self, x: Value, y: Value) -> tuple[float, float]:
        return self.x.at(x), self.y.at(y)


def line_chart(
    series: Sequence[Row],
    *,
    bands: Sequence[Row] = (),
    limits: Sequence[Row] = (),
    shades: Sequence[Row] = (),
    marks: Sequence[Row] = (),
    unit: str = "usd",
    x_from: Value | None = None,
    x_to: Value | None = None,
    y_from: float | None = 0.0,
    y_to: float | None = None,
    log: bool = False,
    height: int = 260,
    label: str = "",
    x_name: str = "",
    tails: bool = True,
    x_ticks: int = 9,
) -> Drawing:
    """A chart of `series`; `docs/reference/design.md` describes the rows. The mappings are not changed."""
    plane, values = axes(series, bands, limits, marks, x_from, x_to, y_from, y_to, log, height)
    tail_words = [str(s["label"]) for s in series if s.get("label")] if tails else []
    by_time = any(isinstance(p[0], date) for s in series for p in s["points"])
    rows, xs, note = table_rows(series, bands, unit)
    drawn = [
        *shade_areas(shades, plane),
        *[band_area(b, plane) for b in bands],
        *axis(plane.y, values, unit),
        *x_axis(plane.x, by_time, x_ticks),
        *[limit_line(row, plane) for row in limits],
        stretched(*(line(s, plane, i) for i, s in enumerate(series))),
        *(series_tails(series, plane) if tails else []),
        *[m for row in marks for m in mark(row, plane)],
        *placed([*shade_words(shades, plane), *limit_words(limits, plane), *mark_words(marks, plane)], plane.height_px),
    ]
    return drawing(
        drawn,
        label=label,
        height=height,
        cls=axis_class(values, unit) + tail_class(tail_words),
        legend=legend(series, bands, limits, shades),
        columns=[x_name or (_("When") if by_time else _("At")), *table_columns(series, bands)],
        rows=rows,
        note=note,
        places=[plane.x.inside(x) for x in xs],
        unit=unit,
        spec={"kind": "lines", "series": series, "bands": bands, "limits": limits, "marks": marks, "unit": unit,
              "log": log, "label": label, "x_title": x_name},
    )  # fmt: skip


def axes(
    series: Sequence[Row], bands: Sequence[Row], limits: Sequence[Row], marks: Sequence[Row], x_from: Value | None,
    x_to: Value | None, y_from: float | None, y_to: float | None, log: bool, height: int,
) -> tuple[Plane, list[float]]:  # fmt: skip
    """Both scales, wide enough for all that is drawn, and the values of the horizontal grid."""
    xs = [p[0] for row in (*series, *bands) for p in row["points"]]
    ys = [v for row in (*series, *bands) for p in row["points"] for v in p[1:]]
    ys += [row["y"] for row in (*limits, *marks) if row.get("y") is not None]
    left, right = extent(xs)
    x = Scale(number(x_from) if x_from is not None else left, number(x_to) if x_to is not None else right)
    low, high = extent(ys)
    if log:
        low = y_from or max(1e-9, min([number(v) for v in ys if v is not None and number(v) > 0], default=1.0))
        high = y_to or max(high, low * 10)
        return Plane(x, Scale(low, high, log=True), height - 40), log_ticks(low, high)
    low = low if y_from is None else min(y_from, low)
    if y_to is not None:
        grid = [v for v in ticks(low, y_to) if v <= y_to * 1.0001]
        return Plane(x, Scale(grid[0], y_to), height - 40), grid
    grid, top = axis_of(low, high if high > low else low + 1)
    return Plane(x, Scale(grid[0], top), height - 40), grid


def x_axis(scale: Scale, by_time: bool, about: int) -> list[str]:
    """The ticks of the x axis; every second one is hidden on a phone."""
    chosen = time_ticks(scale.low, scale.high) if by_time else [
        (v, short_count(v)) for v in ticks(scale.low, scale.high, about) if v <= scale.high * 1.0001
    ]  # fmt: skip
    return [
        text(
            words,
            cls=f"t-axis mid{' wide' if index % 2 and len(chosen) > 4 else ''}",
            x=pct(scale.at(v)),
            y="100%",
            dy=16,
        )
        for index, (v, words) in enumerate(chosen)
    ]


def runs(row: Row) -> list[list[tuple[Value, Value]]]:
    """The parts of a series between unknown values; as steps if the series asks for that."""
    stretches: list[list[tuple[Value, Value]]] = [[]]
    for x, y in row["points"]:
        if y is None:
            stretches.append([])
            continue
        if row.get("step") and stretches[-1]:
            stretches[-1].append((x, stretches[-1][-1][1]))
        stretches[-1].append((x, y))
    return [stretch for stretch in stretches if stretch]


def line(row: Row, plane: Plane, index: int) -> str:
    cls = style_class(row, index)
    return "".join(tag("polyline", cls=cls, points=points(plane.place(x, y) for x, y in run)) for run in runs(row))


def band_area(row: Row, plane: Plane) -> str:
    """The area between low and high: `plan` (a budget's band) or `fan` (a forecast), its edges drawn."""
    edges = [p for p in row["points"] if p[1] is not None and p[2] is not None]
    low = [plane.place(x, y) for x, y, _high in edges]
    high = [plane.place(x, y) for x, _low, y in edges]
    fill, edge = ("fan", "fan-edge") if row.get("style") == "fan" else ("band", "band-edge")
    area = tag("polygon", cls=fill, points=points([*low, *reversed(high)]))
    return stretched(area, *(tag("polyline", cls=edge, points=points(side)) for side in (low, high)))


def shade_areas(rows: Sequence[Row], plane: Plane) -> list[str]:
    """Spans of the x axis as areas of the plot's full height."""
    spans = [(plane.x.inside(r["from"]), plane.x.inside(r["to"]) if r.get("to") is not None else 1.0) for r in rows]
    return [
        tag("rect", cls="pays", x=pct(a), y=0, width=pct(b - a), height="100%") for a, b in spans if b > a
    ]  # fmt: skip


def shade_words(rows: Sequence[Row], plane: Plane) -> list[Label]:
    return [
        Label([str(r["label"])], plane.x.inside(r["from"]), 1.0, dy=14, cls="t-us", rank=3)
        for r in rows
        if r.get("label")
    ]


def limit_line(row: Row, plane: Plane) -> str:
    y = pct(1 - plane.y.inside(row["y"]))
    return tag("line", cls=row.get("style") or "limit", x1=0, y1=y, x2="100%", y2=y)


def limit_words(rows: Sequence[Row], plane: Plane) -> list[Label]:
    return [
        Label([str(r["label"])], 0.0, plane.y.inside(r["y"]), dy=-5, dx=5, cls="t-bad", rank=2)
        for r in rows
        if r.get("label")
    ]


def series_tails(series: Sequence[Row], plane: Plane) -> list[str]:
    """Names at the ends of lines, moved apart if they would overlap; charts.css moves them inside on a phone."""
    ends = [(s, run[-1][-1]) for s in series if s.get("label") and (run := runs(s))]
    gap = 14 / max(1, plane.height_px)
    heights = spread([plane.y.inside(end[1]) for _s, end in ends], gap)
    return [
        text(s["label"], cls=f"halo tail{' t-1 t-b' if s.get('style') == 'us' else ''}", x=pct(plane.x.inside(end[0])),
             y=pct(1 - y), dx=7, dy=4)
        for (s, end), y in zip(ends, heights, strict=True)
    ]  # fmt: skip


def mark(row: Row, plane: Plane) -> list[str]:
    """A marked place: `today` and `event` (a dotted vertical line), `here` (our present value), `crossing` (a ring),
    `dot`, `name` and `end` (a label only)."""
    y = plane.y.inside(row["y"]) if row.get("y") is not None else 1.0
    return MARKS[str(row.get("kind") or "event")](plane.x.inside(row["x"]), y)


BOLD = {"here": "t-us", "crossing": "t-ink", "dot": "t-us"}
RANKS = {"here": 0, "dot": 0, "end": 1, "crossing": 1, "today": 4, "event": 6}


def mark_words(rows: Sequence[Row], plane: Plane) -> list[Label]:
    """The labels of marked places: our own first, names of lines last, because the legend has them."""
    labels = []
    for row in rows:
        if not row.get("label"):
            continue
        kind, x = str(row.get("kind") or "event"), plane.x.inside(row["x"])
        y = plane.y.inside(row["y"]) if row.get("y") is not None else 1.0
        left = row.get("side") == "left" or (row.get("side") is None and x > 0.72)
        words = str(row["label"]).split("\n")
        at, first = label_place(kind, y, len(words), row.get("lift"))
        labels.append(
            Label(words, x, at, dy=first, anchor="end" if left else "start", rank=RANKS.get(kind, LINE_NAME),
                  cls=BOLD.get(kind) or str(row.get("cls") or ""))
        )  # fmt: skip
    return labels


def label_place(kind: str, y: float, lines: int, lift: float | None) -> tuple[float, int]:
    """The place of a mark's label: its height in the plot (0 to 1), and the offset of its first line in px."""
    if kind in ("today", "event"):
        return 1.0, -6 if kind == "today" else 14
    if kind == "here":
        return min(0.97, y + (lift if lift is not None else 0.34)), -2
    return {"crossing": (0.0, -8), "name": (y, 28)}.get(kind, (y, -9 - 15 * (lines - 1)))


def upright(cls: str, x: float, low: float, high: float) -> str:
    return tag("line", cls=cls, x1=pct(x), y1=pct(1 - low), x2=pct(x), y2=pct(1 - high))


MARKS: dict[str, Callable[[float, float], list[str]]] = {
    "today": lambda x, y: [upright("today", x, 0, 1)],
    "event": lambda x, y: [upright("today", x, 0, 1)],
    "here": lambda x, y: [
        upright("hair", x, y, min(0.97, y + 0.34)),
        tag("circle", cls="dot", cx=pct(x), cy=pct(1 - y), r=5.5),
    ],
    "crossing": lambda x, y: [
        upright("hair", x, 0, y),
        tag("circle", cls="ring", cx=pct(x), cy=pct(1 - y), r=5),
    ],
    "dot": lambda x, y: [tag("circle", cls="dot", cx=pct(x), cy=pct(1 - y), r=5)],
    "end": lambda x, y: [],
    "name": lambda x, y: [],
}


def legend(series: Sequence[Row], bands: Sequence[Row], limits: Sequence[Row], shades: Sequence[Row]) -> list[Key]:
    """Legend entries of all rows with a `name`; a shade has a separate `label` in the plot."""
    keys = [Key("line", style_class(s, i), str(s["name"])) for i, s in enumerate(series) if s.get("name")]
    keys += [Key("area", "fan" if b.get("style") == "fan" else "band", str(b["name"])) for b in bands if b.get("name")]
    keys += [Key("line", str(r.get("style") or "limit"), str(r["name"])) for r in limits if r.get("name")]
    return keys + [Key("area", "pays", str(s["name"])) for s in shades[:1] if s.get("name")]


def table_columns(series: Sequence[Row], bands: Sequence[Row]) -> list[str]:
    ends = [(_("%(name)s, low"), _("%(name)s, high")) for _b in bands]
    band_names = [end % {"name": b.get("name") or ""} for b, pair in zip(bands, ends, strict=True) for end in pair]
    return [str(s.get("name") or s.get("label") or "") for s in series] + band_names


def table_rows(series: Sequence[Row], bands: Sequence[Row], unit: str) -> tuple[list[list[str]], list[Any], str]:
    """One row for each x of any series, these x, and a note; past 120 rows every n-th is listed, as the note says."""
    columns: list[dict[Any, Any]] = [{p[0]: p[1] for p in s["points"]} for s in series]
    for band in bands:
        columns += [{p[0]: p[1] for p in band["points"]}, {p[0]: p[2] for p in band["points"]}]
    xs = sorted({x for column in columns for x in column}, key=number)
    every = -(-len(xs) // MAX_TABLE_ROWS) or 1
    rows = [[x_word(x), *(word(c[x], unit) if x in c else "" for c in columns)] for x in xs[::every]]
    note = _("One point in %(n)s is listed. The JSON of this page has all points.") % {"n": every} if every > 1 else ""
    return rows, xs[::every], note
