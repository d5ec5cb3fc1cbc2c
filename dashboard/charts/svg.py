"""SVG as text: a tag builder, and the frame of every chart. It has to be fast, as a strip has hundreds of marks."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from django.utils.html import strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

# Rough width in px of a character of the smallest font; used to reserve space and never to cut text.
CHARACTER_PX = 6.4


def escape(words: object) -> str:
    """Text as markup. The same as Django's `escape`, which first looks whether its argument is a lazy translation: that
    takes longer than the rest, and a page has thousands of marks."""
    return html.escape(str(words))


def tag(name: str, *children: str, **attributes: object) -> str:
    """`tag("rect", cls="up", x="3%")`; `cls` is class, `_` becomes `-`, None is left out. Children must be markup."""
    written = "".join(
        f' {"class" if key == "cls" else key.replace("_", "-")}="{escape(value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def text(words: object, **attributes: object) -> str:
    return tag("text", escape(str(words)), **attributes)  # words may be a lazy translation


def titled(markup: str, title: str) -> str:
    """A mark with a tooltip. The chart's table has the same text, because not everybody can see a tooltip."""
    return f"<g><title>{escape(title)}</title>{markup}</g>"


def short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".") if number else "0"


def pct(fraction: float) -> str:
    """A place in the plot as a percentage: 0.5 -> 50%."""
    return f"{short(fraction * 100)}%"


def stretched(*marks: str) -> str:
    """Marks in a box of 1000 x 1000 that is stretched to the plot; strokes keep their width."""
    return tag(
        "svg", *marks, cls="in", width="100%", height="100%", viewBox="0 0 1000 1000", preserveAspectRatio="none"
    )


def points(places: Iterable[tuple[float, float]]) -> str:
    """Fractions (x from the left, y from the bottom) as the `points` of a stretched shape."""
    return " ".join(f"{x * 1000:.5g},{1000 - y * 1000:.5g}" for x, y in places)


def tail_class(labels: Iterable[str]) -> str:
    """The CSS class that leaves space at the right for labels at line ends."""
    longest = max((len(label) for label in labels), default=0)
    return f" tail-{max(2, min(9, -int(-(longest * CHARACTER_PX + 8) // 16)))}" if longest else ""


@dataclass(frozen=True)
class Key:
    """One entry of a legend: what is drawn (`line`, `area`, `box`, `ring`, `dot`), with which class, and its name."""

    shape: str
    cls: str
    name: str

    def svg(self) -> SafeString:
        drawn = {
            "line": lambda: tag("line", cls=self.cls, x1=0, y1=6, x2=25, y2=6),
            "area": lambda: tag("rect", cls=self.cls, x=0, y=1, width=25, height=10),
            "box": lambda: tag("rect", cls=self.cls, x=1, y=1, width=10, height=10),
            "ring": lambda: tag("circle", cls=self.cls, cx=6, cy=6, r=5),
            "dot": lambda: tag("circle", cls=self.cls, cx=6, cy=6, r=5),
        }[self.shape]()
        small = "" if self.shape in ("line", "area") else " key"
        return mark_safe(tag("svg", drawn, cls=f"chart{small}", aria_hidden="true"))  # noqa: S308 - tag() escapes


@dataclass(frozen=True)
class Drawing:
    """A chart ready for `charts/figure.html`: markup, legend, and the same data as a table."""

    svg: SafeString
    legend: Sequence[Key] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default=())
    note: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)  # of the same data, for `charts.figures.figure`

    @property
    def data(self) -> str:
        """Columns and rows as JSON for the crosshair, where no table stands under the chart."""
        return json.dumps([[strip_tags(str(cell)) for cell in row] for row in (self.columns, *self.rows)])


def drawing(
    marks: Iterable[str],
    *,
    label: str,
    height: int,
    cls: str = "",
    legend: Sequence[Key] = (),
    columns: Sequence[str] = (),
    rows: Sequence[Sequence[str]] = (),
    note: str = "",
    places: Sequence[float] = (),
    unit: str = "",
    data_rows: str | None = None,
    spec: Mapping[str, Any] | None = None,
) -> Drawing:
    """The outer `<svg>` around `marks`. `label` describes the chart for screen readers.

    `places`: where each row lies across the plot (0 to 1), for the crosshair, which shows the row's cells: in dollars
    where `unit` is `usd`. `data_rows`: the rows as JSON for a chart without table and figure.
    """
    data = {"data_x": " ".join(short(place * 100) for place in places), "data_rows": data_rows if places else None}
    frame = tag(
        "svg", *marks, cls=f"chart {cls}".strip(), role="img", aria_label=label, height=height, **data,
        data_unit="usd" if unit == "usd" and places else None,
    )  # fmt: skip
    return Drawing(mark_safe(frame), legend, columns, rows, note, spec or {})  # noqa: S308 - tag() and text() escape


def leading(chart: Drawing, to: str, times: Sequence[date] = (), cells: int | None = None) -> Drawing:
    """The chart with the address that its points lead to (`static/js/explore.js`): with evenly spaced `times` each to
    its own day there, as `from` and `to`. `cells`: how many a strip has, whose marks may cover several."""
    step = times[1] - times[0] if len(times) > 1 else timedelta(days=1)
    if not to or any(later - before != step for before, later in pairwise(times)):
        return chart
    hint = _("Enter: show this day") if times else _("Enter: show the details")
    data = {"data_to": to, "data_cells": cells, "aria_description": hint}
    if times:
        data |= {"data_first": f"{times[0]:%Y-%m-%dT%H:%M}", "data_hours": step // timedelta(hours=1)}
    return replace(chart, svg=mark_safe(chart.svg.replace("<svg", tag("svg", **data)[:-2], 1)))  # noqa: S308 - tag() escapes
