"""Chart tags for templates. They take plain rows, so that views of every app can pass them to `dashboard.charts`.

Every chart but the smallest has its data as a table in a `<details>`; `table=False` leaves it out if the page shows the
same figures next to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from dashboard.charts import bars, breakeven, figures, small, spend
from dashboard.charts import lines as line_charts
from dashboard.charts.heatmap import heatmap as draw_heatmap
from dashboard.charts.scales import Scale, extent, word
from dashboard.charts.svg import Drawing, Key, drawing, leading, pct, text
from dashboard.charts.volume import volume_bar as draw_volume
from dashboard.charts.waterfall import waterfall as draw_waterfall
from lib.dates import DAY

register = template.Library()
HOUR = timedelta(hours=1)

Row = Mapping[str, Any]


def framed(
    chart: Drawing,
    *,
    table: bool = True,
    legend: bool = True,
    caption: str = "",
    context: Any = None,
    explore: str = "",
    requests: str = "",
    at: str = "",
    period: bool = False,
    to: str = "",
) -> SafeString:
    """The drawing with its legend above and its table below.

    With `explore`, the chart's id, a button opens the same data in Plotly: it asks for the page's own address with
    `?explore=ID`, which `ExploreMiddleware` answers with what is made here. `requests`: the address that a point leads
    to, with its day as `from` and `to`, or as the parameter `at`. `period`: a brush sets `from` and `to` of the page;
    without it, where a page shows whole months, those of the address that a point leads to. `to`: the address that a
    point of a chart without `explore` leads to, with its day.
    """
    times = sorted({at for row in chart.spec.get("series", ()) for at in times_of(row)}) if to else []
    chart = leading(chart, to, times) if len(times) == len(chart.rows) else chart
    request = context.get("request") if context else None
    days = bool(requests) and not at and not period
    brush = _("Enter: set this period") if period else _("Enter: show these requests") if days else ""
    if request is not None and explore and request.GET.get("explore") == explore:
        hidden = [pair for pair in request.GET.items() if pair[0] not in ("explore", "from", "to", "days")]
        panel = {
            "figure": figures.figure(chart.spec), "id": explore, "requests": requests, "at": at, "period": period,
            "log": chart.spec.get("log"), "heat": chart.spec["kind"] == "heatmap", "hidden": hidden,
            "path": request.path, "days": days,
        }  # fmt: skip
        request.explored = render_to_string("charts/explorer.html", panel)
    return render_to_string("charts/figure.html", {
        "chart": chart, "table": table and chart.rows, "legend": legend and chart.legend, "caption": caption,
        "data": "" if table or not chart.rows else chart.data, "explore": explore if chart.rows else "", "brush": brush,
        "leads": requests,
    })  # fmt: skip


def times_of(series: Row) -> list[date]:
    """Of a line, or of a series of bars, whose rows may have no days."""
    places = series["x"] if "x" in series else [point[0] for point in series["points"]]
    return [at for at in places if isinstance(at, date)]


@register.filter
def table_rows(rows: Sequence[Sequence[Any]]) -> SafeString:
    """The rows of a chart's table, made by plain formatting for speed: a page of charts has a thousand cells."""
    return SafeString(
        "".join(
            f'<tr><th scope="row">{conditional_escape(row[0])}</th>'
            + "".join(f'<td class="num">{conditional_escape(cell)}</td>' for cell in row[1:])
            + "</tr>"
            for row in rows
        )
    )


@register.simple_tag
def sparkline(
    values: Sequence[Any] | None,
    unit: str = "count",
    label: str = "",
    series: int = 1,
    step: str = "day",
    until: date | None = None,
    to: str = "",
) -> SafeString:
    """`{% sparkline day_costs unit="usd" label="Cost by day" %}`; None in the list is a gap.

    The last value is of the day before `until`, without it of today; with `step="hour"` of the present hour. `to`: the
    address that a point leads to, with its day.
    """
    listed = list(values or ())
    back = HOUR if step == "hour" else DAY
    today = timezone.now().astimezone(UTC)
    last = today.replace(minute=0) if step == "hour" else until - DAY if until else today.date()
    times = [last - back * (len(listed) - 1 - n) for n in range(len(listed))]
    return leading(small.sparkline(listed, unit=unit, label=label, cls=f"l{series}", times=times), to, times).svg


@register.simple_tag
def strip(cells: Sequence[Row], label: str = "", height: int = 33, table: bool = False, to: str = "") -> SafeString:
    """`{% strip deployment.cells label=deployment.slug %}`; cells as in `charts.small.strip`.

    `to`: the address that a cell leads to, with its `day`, a date.
    """
    chart = small.strip(cells, label=label, height=height)
    chart = leading(chart, to, [cell["day"] for cell in cells], len(cells)) if to else chart
    return framed(chart, legend=False) if table else chart.svg


@register.simple_tag
def meter(
    spent: Any,
    limit: Any = None,
    low: Any = None,
    high: Any = None,
    plan: Any = None,
    forecast: Any = None,
    scale_to: Any = None,
    at_least: bool = False,
    labels: bool = True,
    name: Any = "",
) -> SafeString:
    """`{% meter spent=a.spent name=a.name limit=a.budget forecast=a.forecast scale_to=largest labels=False %}`."""
    return small.meter(
        spent, limit=limit, low=low, high=high, plan=plan, forecast=forecast, scale_to=scale_to,
        at_least=bool(at_least), labels=bool(labels), name=str(name),
    ).svg  # fmt: skip


@register.simple_tag
def volume_bar(volume: int, crossing: int | None = None, goal: int | None = None, goal_label: Any = None) -> SafeString:
    """`{% volume_bar 147065 crossing=108894 goal=152000 goal_label=100 %}`: requests a month, and where they pay."""
    return draw_volume(volume, crossing=crossing, goal=goal, goal_label=goal_label).svg


@register.simple_tag
def intervals(
    rows: Sequence[Row],
    mark: Any = None,
    low: Any = None,
    high: Any = None,
    unit: str = "percent",
    mark_label: str = "",
) -> SafeString:
    """Rows of a dot with its interval on one scale: `{"label", "value", "low", "high", "text", "passes"}`."""
    scale = interval_scale(rows, mark, low, high)
    drawn = [
        {
            "label": row["label"],
            "svg": small.interval_chart(row, scale, mark, interval_words(row, unit)).svg,
            "text": row.get("text") if row.get("text") is not None else word(row.get("value"), unit),
        }
        for row in rows
    ]
    at = pct(scale.inside(mark)) if mark is not None else "50%"
    axis = drawing([text(mark_label, cls="mid", x=at, y=11)], label=mark_label, height=14).svg
    context = {"rows": drawn, "axis": axis if mark_label else ""}
    return render_to_string("charts/intervals.html", context)


@register.simple_tag
def interval(
    value: Any, low: Any, high: Any, mark: Any = None, scale_low: Any = 0, scale_high: Any = 1, passes: bool = True,
    unit: str = "percent",
) -> SafeString:  # fmt: skip
    """One dot with its interval, for a table cell (`<td class="bar-cell">`); other cells give the figures."""
    row = {"value": value, "low": low, "high": high, "passes": passes}
    scale = Scale(float(scale_low), float(scale_high))
    return small.interval_chart(row, scale, mark, interval_words(row, unit)).svg


def interval_scale(rows: Sequence[Row], mark: Any, low: Any, high: Any) -> Scale:
    """The given scale, else the smallest one that contains every interval and the mark."""
    least, most = extent([row.get(k) for row in rows for k in ("low", "value", "high")] + [mark])
    margin = (most - least) * 0.08 or 0.05
    return Scale(float(low) if low is not None else least - margin, float(high) if high is not None else most + margin)


def interval_words(row: Row, unit: str) -> str:
    if row.get("value") is None:
        return _("unknown")
    value_text = word(row["value"], unit)
    if row.get("low") is None or row.get("high") is None:
        return value_text
    return _("%(value)s, between %(low)s and %(high)s") % {
        "value": value_text, "low": word(row["low"], unit), "high": word(row["high"], unit),
    }  # fmt: skip


@register.simple_tag
def split_bar(amounts: Mapping[str, Any], label: str = "") -> SafeString:
    """One bar divided by provenance: `{% split_bar spend.provenance label=_("June") %}`."""
    return small.split(amounts, label=label).svg


# `explore`, `requests`, `at`, `period` and `to` of the tags below are those of `framed`.
EXPLORE = ("explore", "requests", "at", "period", "to")


def explored(context: Any, options: dict[str, Any]) -> dict[str, Any]:
    """The options of `framed` among those of a tag, taken out of them."""
    return {"context": context, **{name: options.pop(name) for name in EXPLORE if name in options}}


@register.simple_tag(takes_context=True)
def stacked_bars(
    context: Any, rows: Sequence[Row], table: bool = True, caption: str = "", **options: Any
) -> SafeString:
    """Money by period and provider; rows and options as in `charts.bars.stacked_bars`."""
    frame = explored(context, options)
    return framed(bars.stacked_bars(rows, **options), table=table, caption=caption, **frame)


@register.simple_tag(takes_context=True)
def heatmap(context: Any, spec: Row, height: int = 280, **options: Any) -> SafeString:
    """Shares over time: `{% heatmap page.heat explore="heat" %}`; `spec` as in `charts.heatmap.heatmap`."""
    return framed(draw_heatmap(spec, height=height), **explored(context, options))


@register.simple_tag(takes_context=True)
def lines(
    context: Any, chart: Sequence[Row] | Row, table: bool = True, legend: bool = True, caption: str = "", **options: Any
) -> SafeString:
    """Any line chart: `{% lines series limits=limits unit="ms" log=True y_from=200 label="Latency" %}`.

    Options are those of `charts.lines.line_chart`: bands, limits, shades, marks, unit, x_from, x_to, y_from, y_to, log,
    height, label, x_name, tails. `chart` is the series, or a mapping of `series` and options: `{% lines pace %}`.
    """
    frame = explored(context, options)
    options = {**chart, **options} if isinstance(chart, Mapping) else {"series": chart, **options}
    drawn = line_charts.line_chart(options.pop("series"), **options)
    return framed(drawn, table=table, legend=legend, caption=caption, **frame)


@register.simple_tag
def pace(days: Sequence[Row], table: bool = True, legend: bool = True, **options: Any) -> SafeString:
    """The month's cumulative spend: `{% pace days starts=s ends=e now=now low=300 high=400 limit=400 forecast=f %}`."""
    return framed(spend.pace(days, **options), table=table, legend=legend)


@register.simple_tag(takes_context=True)
def breakeven_curve(
    context: Any, curve: Sequence[Row], crossings: Sequence[Row] = (), table: bool = True, caption: str = "",
    **options: Any,
) -> SafeString:  # fmt: skip
    """The curve as the API gives it: `{% breakeven_curve b.curve b.crossings here=run_rate api_name="Claude" %}`."""
    frame = explored(context, options)
    chart = breakeven.breakeven_curve(curve, crossings, **options)
    return framed(chart, table=table, caption=caption, **frame)


@register.simple_tag
def waterfall(
    start: Row, steps: Sequence[Row], end: Row, label: str = "", table: bool = True, to: str = ""
) -> SafeString:
    """From one sum to another by steps: `{% waterfall start steps end %}`, each `{"label", "amount"}`, which lead `to`
    one address."""
    chart = leading(draw_waterfall(start, steps, end, label=label), to)
    return framed(replace(chart, note=""), table=table, caption=chart.note)


@register.simple_tag
def chart_key(shape: str, cls: str, name: str) -> SafeString:
    """The drawing of a single legend entry, for the legend page: `{% chart_key "line" "l2" "" %}`."""
    return Key(shape, cls, name).svg()
