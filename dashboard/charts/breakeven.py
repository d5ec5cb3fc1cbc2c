"""The break-even curve: the API's line, the staircase of our own GPUs, every crossing, and our volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard.charts.lines import line_chart
from dashboard.charts.scales import number, short_count
from dashboard.charts.svg import Drawing, Key
from lib import formats as money

Row = Mapping[str, Any]


def staircase(curve: Sequence[Row]) -> list[tuple[Any, Any]]:
    """Points of our own cost with vertical steps: the line goes on to the volume where a GPU is added, then rises."""
    steps: list[tuple[Any, Any]] = []
    for index, row in enumerate(curve):
        x, y = row["requests_per_month"], row["selfhost"]
        if index and y is not None and row.get("gpus") != curve[index - 1].get("gpus"):
            steps.append((x, carried_on(curve, index)))
        steps.append((x, y))
    return steps


def carried_on(curve: Sequence[Row], index: int) -> Any:
    """The cost at `index` if no GPU had been added: continues the slope before the step, or flat without one."""
    before, x = curve[index - 1], curve[index]["requests_per_month"]
    if index < 2 or curve[index - 2].get("gpus") != before.get("gpus"):
        return before["selfhost"]
    older = curve[index - 2]
    run = before["requests_per_month"] - older["requests_per_month"]
    slope = (before["selfhost"] - older["selfhost"]) / run if run else 0
    return before["selfhost"] + slope * (x - before["requests_per_month"])


def cost_at(curve: Sequence[Row], x: float, key: str) -> float | None:
    """The curve's value at a volume by linear interpolation; None outside the curve."""
    for left, right in pairwise(curve):
        a, b = number(left["requests_per_month"]), number(right["requests_per_month"])
        if a <= x <= b and left[key] is not None and right[key] is not None:
            share = (x - a) / (b - a) if b > a else 0.0
            return number(left[key]) + share * (number(right[key]) - number(left[key]))
    return None


def cheaper_spans(crossings: Sequence[Row], starts_cheaper: bool) -> list[Row]:
    """Spans of volume where self-hosting is cheaper, `{"from", "to"}`; `to` is None if the last one has no end."""
    spans: list[dict[str, Any]] = [{"from": 0, "to": None}] if starts_cheaper else []
    for crossing in sorted(crossings, key=lambda c: number(c["requests_per_month"])):
        at = crossing["requests_per_month"]
        if crossing["to"] == "selfhost":
            spans.append({"from": at, "to": None})
        elif spans and spans[-1]["to"] is None:
            spans[-1]["to"] = at
    return list(spans)


def breakeven_curve(
    curve: Sequence[Row],
    crossings: Sequence[Row] = (),
    *,
    here: Any = None,
    on: str = "",
    api_name: str = "",
    self_name: str = "",
    height: int = 320,
    small: bool = False,
) -> Drawing:
    """`curve` and `crossings` as `/api/v1/break-even` gives them; `here`: our requests a month; `small`: no labels.

    `on`: the line that we are on, `api` or `selfhost`; without it `here` lies on the higher one.
    """
    rows = [row for row in curve if row.get("api") is not None]
    to = number(rows[-1]["requests_per_month"]) if rows else 1.0
    seen = [c for c in crossings if number(c["requests_per_month"]) <= to]
    api_name, self_name = api_name or _("API"), self_name or _("self-hosting")
    starts = bool(rows) and rows[0]["selfhost"] is not None and rows[0]["selfhost"] < rows[0]["api"]
    spans = cheaper_spans(seen, starts)
    if spans and not small:
        spans[0] = {**spans[0], "label": _("self-hosting is cheaper from here"), "name": _("self-hosting is cheaper")}
    series: list[Row] = [
        {"name": api_name, "style": "api", "points": [(r["requests_per_month"], r["api"]) for r in rows],
         "label": ""},
        {"name": self_name, "style": "us", "points": staircase(rows)},
    ]  # fmt: skip
    marks = [*marks_of(rows, seen, here, to, small, on), *([] if small else names(rows, series))]
    chart = line_chart(
        series, shades=spans, marks=marks, x_from=0, x_to=to, height=height,
        label=words_of(seen, here), x_name=_("requests a month"), tails=False, x_ticks=5 if small else 9,
    )  # fmt: skip
    if small:
        return replace(chart, legend=())
    extra = [Key("ring", "ring", _("crossing"))] if seen else []
    extra += [Key("dot", "dot", _("where we are"))] if here is not None else []
    return replace(chart, legend=[*chart.legend, *extra])


def names(rows: Sequence[Row], series: Sequence[Row]) -> list[Row]:
    """Names below the lines, inside the plot: the API's near its end, ours at its end."""
    if len(rows) < 2:
        return []
    last = rows[-1]  # the API's name begins at seven tenths, where it has room at the right of its line
    middle = next(row for row in rows if row["requests_per_month"] >= last["requests_per_month"] * 7 / 10)
    at_api = {"kind": "name", "x": middle["requests_per_month"], "y": middle["api"], "label": series[0]["name"]}
    gpus = last.get("gpus")
    size = ngettext("%(n)s GPU", "%(n)s GPUs", gpus) % {"n": gpus} if gpus else ""
    label = f"{series[1]['name']}: {size}, {money.dollars(last['selfhost'], 0)}" if size else series[1]["name"]
    at_self = {"kind": "name", "x": last["requests_per_month"], "y": last["selfhost"], "label": label, "cls": "t-1"}
    return [{**at_api, "side": "right"}, {**at_self, "side": "left"}] if last["selfhost"] is not None else [at_api]


def marks_of(rows: Sequence[Row], crossings: Sequence[Row], here: Any, to: float, small: bool, on: str) -> list[Row]:
    marks: list[Row] = []
    for crossing in crossings:
        at, label = number(crossing["requests_per_month"]), money.count(crossing["requests_per_month"])
        side = "left" if at / to > 0.12 else "right"
        y = cost_at(rows, at, "api")
        marks.append({"kind": "crossing", "x": at, "y": y, "label": "" if small else label, "side": side})
    if here is None:
        return marks
    at = min(number(here), to)
    if small:
        return [*marks, {"kind": "today", "x": at}]
    beyond = " →" if number(here) > to else ""
    words = f"{_('you are here:')}\n{money.count(here)}{beyond}"
    height = max(cost_at(rows, at, line) or 0.0 for line in ([on] if on else ["api", "selfhost"]))
    return [*marks, {"kind": "here", "x": at, "y": height, "label": words}]


def words_of(crossings: Sequence[Row], here: Any) -> str:
    """What the chart shows, as text for screen readers."""
    places = ", ".join(short_count(number(c["requests_per_month"])) for c in crossings)
    sentence = _("The lines do not cross")
    if crossings:
        sentence = ngettext("The lines cross once, at %(at)s", "The lines cross at %(at)s", len(crossings)) % {
            "at": places
        }
    return f"{sentence}. {_('We are at %(n)s.') % {'n': money.count(here)}}" if here is not None else f"{sentence}."
