"""Figures for Plotly in the design's style, made from a spec of plain rows.

Colours are names of CSS variables (`"--series-1"`), which `static/js/explore.js` replaces by the reader's theme.
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
from dashboard.charts.svg import Key
from lib import formats as money

Row = Mapping[str, Any]
Json = dict[str, Any]

DASHES = {1: "solid", 2: "dash", 3: "dot", 4: "dashdot", 5: "longdash", 6: "longdashdot"}
SYMBOLS = {1: "circle", 2: "square", 3: "triangle-up", 4: "diamond", 5: "x", 6: "cross"}
MANY = 40  # places on the x axis above which bars have no gap
ISO_DAY = re.compile(r"\d{4}-\d\d-\d\d")
NAMED = {"us": 1, "api": 2, "forecast": 1, "plan": 6}
TICKS: dict[str, Json] = {
    "usd": {"tickprefix": "$", "tickformat": ",~f"},
    "count": {"tickformat": "~s"},
    "ms": {"ticksuffix": " s", "tickformat": ",~f"},
    "percent": {"tickformat": ",.0%"},
}
HOVER = {"usd": "$,.2f", "count": ",.0f", "ms": ",.2f", "percent": ".1%"}


@dataclass(frozen=True)
class Figure:
    """What `charts/explorer.html` needs: the figure's JSON, its label, and the keys by which series are switched."""

    json: Json
    label: str
    keys: Sequence[Key] = ()


def figure(spec: Row) -> Figure:
    """`spec`: `{"kind": "lines|bars|heatmap", "label", "unit", "x_title", "series": [...], "limits", "marks"}`.

    A series is `{"name", "x": [...], "y": [...], "key" or "style": 1-6|us|api}`; a heatmap's one series
    has `z` (rows of numbers) beside x and y. None is a gap. Decimals become floats.
    Series of line charts have `points` in the place of x and y; `meta` names the filter that a point leads to.
    """
    if any("points" in series for series in spec["series"]):
        spec = of_lines(spec)
    kind, unit = str(spec["kind"]), str(spec.get("unit") or "count")
    numbers = series_numbers(str(s.get("key") or s["name"]) for s in spec["series"])
    traces = [TRACES[kind](s, style_number(s, numbers), unit) for s in spec["series"]]
    layout = base_layout(spec, unit)
    if kind == "bars":
        layout |= {"barmode": "stack", "bargap": 0.25}
    if kind == "heatmap":
        layout["hovermode"] = "closest"
    traces = [{**trace, "meta": s.get("meta")} for trace, s in zip(traces, spec["series"], strict=True)]
    for n, band in enumerate(spec.get("bands") or (), len(traces)):
        traces += band_traces(band, str(n), unit)
    shape = ("box", "f{} p-billed") if kind == "bars" else ("line", "l{}")
    keys = [Key(shape[0], shape[1].format(style_number(s, numbers)), str(s["name"])) for s in spec["series"]]
    keys += [
        Key("area", "fan" if band.get("style") == "fan" else "band", str(band.get("name") or ""))
        for band in spec.get("bands") or ()
    ]
    return Figure({"data": traces, "layout": layout}, str(spec.get("label") or ""), keys if len(keys) > 1 else ())


def of_lines(row: Row) -> Row:
    """The spec of a line chart's rows, whose series have `points`."""
    marks = [mark for mark in row.get("marks") or () if mark.get("kind", "event") in ("event", "today")]
    return {**row, "marks": marks, "series": [
        {**series, "x": [p[0] for p in series["points"]], "y": [p[1] for p in series["points"]]}
        for series in row["series"]
    ]}  # fmt: skip


def band_traces(band: Row, group: str, unit: str) -> list[Json]:
    """The low and the high edge of a band, filled between."""
    edges = [p for p in band["points"] if p[1] is not None and p[2] is not None]
    fill, edge = ("--fan", "--series-1") if band.get("style") == "fan" else ("--band", "--band-edge")
    return [
        {"type": "scatter", "mode": "lines", "name": literal(name), "x": listed([p[0] for p in edges]),
         "y": drawn([p[at] for p in edges], unit), "line": {"color": edge, "width": 1},
         "hovertemplate": hover(unit), "legendgroup": group,
         **({"fill": "tonexty", "fillcolor": fill} if at == 2 else {})}
        for at, name in ((1, _("%(name)s, low")), (2, _("%(name)s, high")))
        for name in [name % {"name": band.get("name") or ""}]
    ]  # fmt: skip


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
        "line": {"color": f"--series-{number}", "dash": "dash" if series.get("style") == "forecast" else DASHES[number],
                 "width": 2,
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
    "heatmap": heatmap_trace,
}


def base_layout(spec: Row, unit: str) -> Json:
    """Axis names, limits as lines, marks as dotted vertical lines; settings of all figures are in explore.js."""
    limits, marks = spec.get("limits") or (), spec.get("marks") or ()
    y: Json = {**TICKS.get(unit, {}), "rangemode": "tozero"}
    return {
        "xaxis": {"title": {"text": literal(spec.get("x_title") or "")}, **x_axis(spec)},
        "yaxis": y,
        "shapes": [limit_shape(row, unit) for row in limits] + [mark_shape(row) for row in marks],
        "annotations": [limit_note(row, unit) for row in limits if row.get("label")]
        + [mark_note(row, left=right_half(row, spec)) for row in marks if row.get("label")],
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
    return {"xref": "paper", "x": 0, "y": y, "text": literal(row["label"]), "xanchor": "left", "yanchor": "top",
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
            "xanchor": "right" if left else "left", "yanchor": "bottom", "showarrow": False,
            "font": {"color": "--ink"}}  # fmt: skip
