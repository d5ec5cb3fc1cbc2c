"""A heat map over time: the darker a cell, the larger the share of its hour or day that fell into the band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from math import ceil
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.lines import MAX_TABLE_ROWS, x_axis
from dashboard.charts.scales import Scale, number, word, x_word
from dashboard.charts.svg import Drawing, drawing, pct, stretched, tag, text

LEVELS = 5  # shades; the table has the shares


def heatmap(spec: Mapping[str, Any], *, height: int = 280) -> Drawing:
    """`spec` as in `charts.figures.figure`: its one series has moments or days x, names of bands y from below, and z: a
    row of shares (0 to 1) for each band, None where the hour or day had no request."""
    grid, unit = spec["series"][0], str(spec["unit"])
    xs, bands, shares = grid["x"], grid["y"], grid["z"]
    width, rise = 1000 / max(1, len(xs)), 1000 / max(1, len(bands))
    most = max((share for row in shares for share in row if share), default=1.0)
    paths: list[list[str]] = [[] for _level in range(LEVELS + 1)]
    for band, row in enumerate(shares):
        at = 0
        for level, run in groupby(ceil((share or 0) / most * LEVELS) for share in row):
            long = len(list(run))
            top = 1000 - (band + 1) * rise
            paths[level].append(
                f"M{at * width:.4g} {top:.4g}h{long * width:.4g}v{rise * 0.94:.4g}h{-long * width:.4g}z"
            )
            at += long
    cells = [tag("path", cls=f"heat heat-{n}", d="".join(path)) for n, path in enumerate(paths) if n and path]
    labels = [
        text(name, cls="t-axis end", x=0, y=pct(1 - (band + 0.5) / len(bands)), dx=-6, dy=4)
        for band, name in enumerate(bands)
    ]
    filled = [n for n in range(len(xs)) if any(row[n] is not None for row in shares)]
    every = -(-len(filled) // MAX_TABLE_ROWS) or 1
    return drawing(
        [stretched(*cells), *labels, *(x_axis(over(xs), True, 9) if xs else [])],
        label=str(spec["label"]),
        height=height,
        cls="plot plot-bands",
        columns=[_("When"), *map(str, bands)],
        rows=[[x_word(xs[n]), *(word(row[n], unit) for row in shares)] for n in filled[::every]],
        places=[(n + 0.5) / len(xs) for n in filled[::every]],
        spec=spec,
    )


def over(xs: Sequence[Any]) -> Scale:
    """From the begin of the first hour or day to the end of the last one."""
    first, last = number(xs[0]), number(xs[-1])
    return Scale(first, last + ((last - first) / (len(xs) - 1) if len(xs) > 1 else 3600))
