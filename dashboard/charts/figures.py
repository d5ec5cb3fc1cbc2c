"""Figures for Plotly in the design's style, made from a spec of plain rows.

Colours are names of CSS variables (`"--series-1"`), which `static/js/charts.js` replaces by the reader's theme.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.bars import series_numbers
from dashboard.charts.scales import word, x_word
from lib import formats as money

Row = Mapping[str, Any]
Json = dict[str, Any]

DASHES = {1: "solid", 2: "dash", 3: "dot", 4: "dashdot", 5: "longdash", 6: "longdashdot"}
SYMBOLS = {1: "circle", 2: "square", 3: "triangle-up", 4: "diamond", 5: "x", 6: "cross"}
MANY = 40  # places on the x axis above which bars have no gap
ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
NAMED = {"us": 1, "api": 2}
TICKS: dict[str, Json] = {
    "usd": {"tickprefix": "$", "tickformat": ",~f"},
    "count": {"tickformat": "~s"},
    "ms": {"ticksuffix": " s", "tickformat": ",~f"},
    "percent": {"tickformat": ",.0%"},
}
HOVER = {"usd": "$,.2f", "count": ",.0f", "ms": ",.2f", "percent": ".1%"}


@dataclass(frozen=True)
class Figure:
    """What `charts/plotly.html` needs: the figure's JSON, its label, and the same data as a table."""

    json: Json
    label: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def figure(spec: Row) -> Figure:
    """`spec`: `{"kind": "lines|bars|scatter|heatmap", "label", "unit", "x_title", "series": [...], "limits", "marks"}`.

    A series is `{"name", "x": [...], "y": [...], "key" or "style": 1-6|us|api, "text": [...]}`; a heatmap's one series
    has `z` (rows of numbers) beside x and y. None is a gap. Decimals become floats for drawing, the table keeps them.
    """
    kind, unit = str(spec["kind"]), str(spec.get("unit") or "count")
    numbers = series_numbers(str(s.get("key") or s["name"]) for s in spec["series"])
    traces = [TRACES[kind](s, style_number(s, numbers), unit) for s in spec["series"]]
    layout = base_layout(spec, unit)
    if kind == "bars":
        layout |= {"barmode": "stack", "bargap": 0.25}
    if kind in ("scatter", "heatmap"):
        layout["hovermode"] = "closest"
    columns, rows = table(spec, unit)
    return Figure({"data": traces, "layout": layout}, str(spec.get("label") or ""), columns, rows)


def style_number(series: Row, numbers: Mapping[str, int]) -> int:
    style = series.get("style")
    if style in NAMED:
        return NAMED[str(style)]
    return int(style) if style else numbers[str(series.get("key") or series["name"])]


# Plotly interprets markup in any text (links, line breaks, styles). All of it begins with one of these characters.
LITERAL = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def literal(text: Any) -> str:
    """A text that Plotly shows unchanged. Anybody who sends requests can choose names, so they may contain markup."""
    return str(text).translate(LITERAL)


def plain(value: Any) -> Any:
    """A value for JSON; money becomes a float, which is used for drawing only."""
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        return money.aware(value).strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else value


def listed(values: Sequence[Any]) -> list[Any]:
    return [plain(value) for value in values]


def drawn(values: Sequence[Any], unit: str) -> list[Any]:
    """Values for plotting: milliseconds become seconds, so that an axis has 0.5 s and 10 s in the same unit."""
    plotted = listed(values)
    return [v / 1000 if v is not None else None for v in plotted] if unit == "ms" else plotted


def hover(unit: str) -> str:
    return f"%{{y:{HOVER.get(unit, ',.0f')}}}{' s' if unit == 'ms' else ''}"


def line_trace(series: Row, number: int, unit: str) -> Json:
    many = len(series["x"]) > MANY
    return {
        "type": "scatter",
        "mode": "lines" if many else "lines+markers",
        "name": literal(series["name"]),
        "x": listed(series["x"]),
        "y": drawn(series["y"], unit),
        "line": {"color": f"--series-{number}", "dash": DASHES[number], "width": 2,
                 "shape": "hv" if series.get("step") else "linear"},
        "marker": {"color": f"--series-{number}", "symbol": SYMBOLS[number], "size": 6},
        "hovertemplate": hover(unit),
        "connectgaps": False,
    }  # fmt: skip


def bar_trace(series: Row, number: int, unit: str) -> Json:
    return {
        "type": "bar",
        "name": literal(series["name"]),
        "x": listed(series["x"]),
        "y": drawn(series["y"], unit),
        "marker": {"color": f"--series-{number}", "line": {"color": "--paper", "width": gap(series)}},
        "hovertemplate": hover(unit),
    }  # fmt: skip


def gap(series: Row) -> int:
    """The gap between bars or cells in px; 0 if there are so many that gaps would fill a phone's screen."""
    return 0 if len(series["x"]) > MANY else 1


def scatter_trace(series: Row, number: int, unit: str) -> Json:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": literal(series["name"]),
        "x": listed(series["x"]),
        "y": drawn(series["y"], unit),
        "text": [literal(text) for text in series.get("text") or ()],
        "marker": {"color": f"--series-{number}", "symbol": SYMBOLS[number], "size": 9,
                   "line": {"color": "--paper", "width": 1}},
        "hovertemplate": f"%{{text}}<br>{hover(unit)}",
    }  # fmt: skip


def heatmap_trace(series: Row, number: int, unit: str) -> Json:
    return {
        "type": "heatmap",
        "name": literal(series["name"]),
        "x": listed(series["x"]),
        "y": listed(series["y"]),
        "z": [drawn(row, unit) for row in series["z"]],
        "colorscale": [[0, "--sunken"], [1, f"--series-{number}"]],
        "showscale": False,
        "xgap": gap(series),
        "ygap": 1,
        "hoverongaps": False,
        "hovertemplate": f"%{{x}}, %{{y}}: %{{z:{HOVER.get(unit, ',.0f')}}}<extra></extra>",
    }


TRACES: dict[str, Callable[[Row, int, str], Json]] = {
    "lines": line_trace,
    "bars": bar_trace,
    "scatter": scatter_trace,
    "heatmap": heatmap_trace,
}


def base_layout(spec: Row, unit: str) -> Json:
    """Axis names, limits as lines, marks as dotted vertical lines; settings of all figures are in charts.js."""
    limits, marks = spec.get("limits") or (), spec.get("marks") or ()
    y: Json = {**TICKS.get(unit, {}), "rangemode": "tozero"}
    if spec.get("log"):
        y |= {"type": "log", "dtick": 1}
    return {
        "xaxis": {"title": {"text": literal(spec.get("x_title") or "")}, **x_axis(spec)},
        "yaxis": y,
        "shapes": [limit_shape(row, unit) for row in limits] + [mark_shape(row) for row in marks],
        "annotations": [limit_note(row, unit) for row in limits if row.get("label")]
        + [mark_note(row, left=right_half(row, spec)) for row in marks if row.get("label")],
        "showlegend": len(spec["series"]) > 1,
    }


def x_axis(spec: Row) -> Json:
    """The format of the x axis: days as 18 Jun, times as 14:00 over 18 Jun (UTC as in the table), else Plotly's own."""
    first = next((x for series in spec["series"] for x in series["x"]), None)
    if isinstance(first, datetime):
        return {"tickformat": "%H:%M\n%-d %b", "hoverformat": "%-d %b, %H:%M"}
    if isinstance(first, date) or ISO_DAY.fullmatch(str(first)):
        return {"tickformat": "%-d %b", "hoverformat": "%a, %-d %b %Y"}
    return {"type": "log"} if spec.get("x_log") else {}


def limit_shape(row: Row, unit: str) -> Json:
    y = drawn([row["y"]], unit)[0]
    return {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y,
            "line": {"color": "--bad-mark", "width": 1.5}}  # fmt: skip


def limit_note(row: Row, unit: str) -> Json:
    y = drawn([row["y"]], unit)[0]
    return {"xref": "paper", "x": 0, "y": y, "text": literal(row["label"]), "xanchor": "left", "yanchor": "bottom",
            "showarrow": False, "font": {"color": "--bad-ink"}}  # fmt: skip


def mark_shape(row: Row) -> Json:
    x = plain(row["x"])
    return {"type": "line", "yref": "paper", "y0": 0, "y1": 1, "x0": x, "x1": x,
            "line": {"color": "--ink", "width": 1, "dash": "dot"}}  # fmt: skip


def right_half(row: Row, spec: Row) -> bool:
    """Whether a mark lies in the right half. Its label then goes to the left: on the right it would widen the axis."""
    places = sorted({x for series in spec["series"] for x in listed(series["x"]) if isinstance(x, str)})
    return bool(places) and str(plain(row["x"])) > places[len(places) // 2]


def mark_note(row: Row, *, left: bool) -> Json:
    return {"yref": "paper", "y": 1, "x": plain(row["x"]), "text": literal(row["label"]),
            "xanchor": "right" if left else "left", "yanchor": "top", "showarrow": False,
            "font": {"color": "--ink"}}  # fmt: skip


def axis_text(x: Any) -> str:
    """A place on the x axis as text in the table; a name stays as it is, also one of digits only."""
    return x if isinstance(x, str) else x_word(x)


def table(spec: Row, unit: str) -> tuple[list[str], list[list[str]]]:
    """One row for each x, one column for each series; a heatmap's rows are its y, or its x if it is wider than high."""
    if spec["kind"] == "heatmap":
        grid = spec["series"][0]
        if len(grid["x"]) > len(grid["y"]):  # a long table: a phone scrolls down more easily
            head = [str(spec.get("x_title") or _("When")), *map(str, grid["y"])]
            if not grid["z"]:  # no data at all
                return head, []
            columns_of = zip(grid["x"], zip(*grid["z"], strict=True), strict=True)
            return head, [[axis_text(x), *(word(v, unit) for v in zs)] for x, zs in columns_of if set(zs) != {None}]
        head = ["", *map(axis_text, grid["x"])]
        return head, [[str(y), *(word(v, unit) for v in zs)] for y, zs in zip(grid["y"], grid["z"], strict=True)]
    if spec["kind"] == "scatter":
        head = [_("What"), str(spec.get("x_title") or _("At")), str(spec.get("y_title") or _("Value"))]
        rows = [
            [str(t), money.count(x), word(y, unit)]
            for s in spec["series"]
            for t, x, y in zip(s.get("text") or [s["name"]] * len(s["x"]), s["x"], s["y"], strict=True)
        ]
        return head, rows
    columns = [dict(zip(s["x"], s["y"], strict=True)) for s in spec["series"]]
    xs = list(dict.fromkeys(x for s in spec["series"] for x in s["x"]))
    rows = [[axis_text(x), *(word(c[x], unit) if x in c else "" for c in columns)] for x in xs]
    return [str(spec.get("x_title") or _("When")), *(str(s["name"]) for s in spec["series"])], rows
