"""Small charts beside a sentence or in a table cell: sparkline, uptime strip, plan bar, interval, split."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from dashboard.charts.labels import Label, placed
from dashboard.charts.scales import Scale, Value, number, word, x_word
from dashboard.charts.svg import Drawing, drawing, escape, pct, points, stretched, tag, titled
from lib import formats as money

Row = Mapping[str, Any]
METER_PX = 36  # of a plan bar with its labels


def runs(values: Sequence[Value | None]) -> list[list[tuple[int, float]]]:
    """Runs of known values as (index, value), so that a gap in the data becomes a gap in the line."""
    stretches: list[list[tuple[int, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            stretches.append([])
        else:
            stretches[-1].append((index, number(value)))
    return [stretch for stretch in stretches if stretch]


def sparkline(
    values: Sequence[Value | None], *, unit: str = "count", label: str = "", cls: str = "l1",
    times: Sequence[Value] = (),
) -> Drawing:  # fmt: skip
    """One number over time as a line with a dot at the last known value. The axis begins at 0, so that the heights of
    several sparklines can be compared. `times`: of each value, for the crosshair."""
    stretches = runs(values)
    numbers = [value for run in stretches for _i, value in run]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    floor, last = min(0.0, low), max(1, len(values) - 1)
    span = high - floor or 1.0
    lines = [
        tag("polyline", cls=cls, points=points((i / last, (value - floor) / span) for i, value in run))
        for run in stretches
    ]
    marks = [stretched(*lines)] if lines else []
    if stretches:
        index, value = stretches[-1][-1]
        marks.append(tag("circle", cls="dot", cx=pct(index / last), cy=pct(1 - (value - floor) / span), r=3.5))
    words = _("from %(low)s to %(high)s, last %(last)s") % {
        "low": word(low, unit), "high": word(high, unit), "last": word(values[-1] if values else None, unit),
    }  # fmt: skip
    cells = Drawing(
        SafeString(),
        columns=("", label),
        rows=[[x_word(at), word(value, unit)] for at, value in zip(times, values, strict=True)] if times else (),
    )
    return drawing(
        marks, label=f"{label}: {words}" if label else words, height=24, cls="spark", unit=unit, data_rows=cells.data,
        places=[i / last for i in range(len(times))],
    )  # fmt: skip


CELL_STATES = ("up", "slow", "down", "unknown", "maintenance")
STATE_WORDS = {
    "up": gettext_noop("up"),
    "slow": gettext_noop("slow"),
    "down": gettext_noop("down"),
    "maintenance": gettext_noop("maintenance"),
    "unknown": gettext_noop("unknown"),
}


def strip(cells: Sequence[Row], *, label: str = "", height: int = 33) -> Drawing:
    """Uptime, one cell a period: `{"label": "9 Jun", "state": "down", "lost": 0.13, "cause": "190 min: host reboot"}`.

    A cell of full height is up. In an outage it is lower by the share `lost`, with a square above; a triangle above
    means slow, a hatched run unknown. Position and shape show all of it; colours only repeat it.
    """
    width, marks, top = 1 / max(1, len(cells)), [], round(height * 0.25)
    names = {state: state_word(state) for state in CELL_STATES}  # translated once, as a page has thousands of cells
    for state, run in groupby(enumerate(cells), key=lambda item: str(item[1]["state"])):
        stretch = list(run)
        if state == "unknown":
            marks.append(unknown_run([cell for _i, cell in stretch], stretch[0][0] * width, width, top, height))
        elif state == "up":
            marks += up_cells(stretch, names["up"], width, top, height)
        else:
            marks += [one_cell(cell, names, index * width, width * 0.78, top, height) for index, cell in stretch]
    rows = [
        [str(c["label"]), names.get(str(c["state"]), names["unknown"]), str(c.get("cause") or "")]
        for c in cells
        if c["state"] != "up"
    ]
    columns = [_("When"), _("State"), _("Cause")]
    words = f"{label}. {strip_words(cells)}" if label else strip_words(cells)
    return drawing(marks, label=words, height=height, columns=columns, rows=rows)


def strip_words(cells: Sequence[Row]) -> str:
    """How many days were what, for screen readers; a day without checks is unknown, and neither up nor down."""
    days = Counter(str(cell["state"]) for cell in cells)
    parts = [
        ngettext("%(n)s day with an outage", "%(n)s days with an outage", days["down"]),
        ngettext("%(n)s slow day", "%(n)s slow days", days["slow"]),
        ngettext("%(n)s day of maintenance", "%(n)s days of maintenance", days["maintenance"]),
        ngettext("%(n)s day not checked", "%(n)s days not checked", days["unknown"]),
        ngettext("%(n)s day up", "%(n)s days up", days["up"]),
    ]
    states = ("down", "slow", "maintenance", "unknown", "up")
    return ", ".join(part % {"n": days[state]} for part, state in zip(parts, states, strict=True) if days[state])


def state_word(state: str) -> str:
    return _(STATE_WORDS.get(state, "unknown"))


def unknown_run(cells: Sequence[Row], x: float, width: float, top: int, height: int) -> str:
    ends = f"{cells[0]['label']} – {cells[-1]['label']}" if len(cells) > 1 else str(cells[0]["label"])
    title = f"{ends}: {cells[0].get('cause') or _('no data')}"
    rect = tag("rect", cls="unknown", x=pct(x), y=top, width=pct(width * (len(cells) - 0.22)), height=height - top - 1)
    return titled(rect, title)


def up_cells(stretch: Sequence[tuple[int, Row]], word: str, width: float, top: int, height: int) -> list[str]:
    """Cells that are up, made by plain formatting for speed, because most cells are."""
    shape = f'y="{top}" width="{pct(width * 0.78)}" height="{height - top - 1}"/></g>'
    return [
        f"<g><title>{escape(cell['label'])}: {escape(cell.get('cause') or word)}</title>"
        f'<rect class="up" x="{pct(index * width)}" {shape}'
        for index, cell in stretch
    ]


def one_cell(cell: Row, names: Mapping[str, str], x: float, width: float, top: int, height: int) -> str:
    state = str(cell["state"])
    full = height - top - 1
    lost = min(1.0, max(0.0, float(cell.get("lost") or 0)))
    # An outage of a minute must be visible, and a day that is lost completely needs a rest to point at.
    lowered = round(full * min(0.92, max(0.25, lost)), 1) if state == "down" else 0
    body = tag("rect", cls="maintenance" if state == "maintenance" else "up", x=pct(x), y=top + lowered,
               width=pct(width), height=round(full - lowered, 1))  # fmt: skip
    if state == "down":
        body += tag("rect", cls="cut", x=pct(x), y=0, width=pct(width), height=top - 1)
    if state == "slow":
        triangle = tag("path", cls="slow", d=f"M0 -{top - 2} L3.6 0 L-3.6 0Z")
        body += tag("svg", triangle, cls="in", x=pct(x + width / 2), y=top - 1)
    return titled(body, f"{cell['label']}: {cell.get('cause') or names.get(state, names['unknown'])}")


def meter(
    spent: Decimal | None,
    *,
    limit: Decimal | None = None,
    low: Decimal | None = None,
    high: Decimal | None = None,
    plan: Decimal | None = None,
    forecast: Row | Decimal | None = None,
    scale_to: Decimal | None = None,
    at_least: bool = False,
    labels: bool = True,
    name: str = "",
) -> Drawing:
    """The plan bar, USD: what is spent, the forecast (a dot with its range), the budget's band, the limit.

    `name`: whose money it is, for screen readers; `forecast` is a number or `{"low", "median", "high"}`; `scale_to` is
    the end of a scale for several bars.
    """
    ahead: Row = forecast if isinstance(forecast, Mapping) else {"median": forecast}
    amounts = [v for v in (spent, limit, high, plan, ahead.get("high"), ahead.get("median")) if v is not None]
    end = number(scale_to) if scale_to is not None else max([number(v) for v in amounts], default=1.0) * 1.12
    scale = Scale(0.0, end or 1.0)
    words = meter_words(spent, limit, plan, ahead, at_least)
    named = f"{name}: {words}" if name else words[:1].upper() + words[1:]
    marks = [titled(tag("rect", cls="well", x=0, y=0, width="100%", height=18), named)]
    if low is not None and high is not None:
        marks.append(span(scale, low, high, "band", 0, 18))
    marks += spent_marks(scale, spent, ahead)
    if plan is not None:
        marks.append(upright(scale, plan, "hair", 0, 18))
    if limit is not None:
        marks.append(upright(scale, limit, "limit", -2, 20))
    if labels:
        marks += meter_labels(scale, spent, plan, limit, at_least)
    return drawing(marks, label=named, height=METER_PX if labels else 20)


def spent_marks(scale: Scale, spent: Decimal | None, ahead: Row) -> list[str]:
    if spent is None:
        return [tag("rect", cls="unknown", x=0, y=5, width="100%", height=8)]
    marks = [tag("rect", cls="f1 p-billed", x=0, y=5, width=pct(scale.inside(spent)), height=8)]
    median = ahead.get("median")
    if median is None:
        return marks
    if number(median) > number(spent):
        marks.append(span(scale, spent, median, "fan", 7, 4))
    if ahead.get("low") is not None and ahead.get("high") is not None:
        low, high = pct(scale.inside(ahead["low"])), pct(scale.inside(ahead["high"]))
        marks.append(tag("line", cls="fan-edge", x1=low, y1=9, x2=high, y2=9))
    return [*marks, tag("circle", cls="dot", cx=pct(scale.inside(median)), cy=9, r=4.5)]


def span(scale: Scale, low: Value, high: Value, cls: str, y: int, height: int) -> str:
    left, right = scale.inside(low), scale.inside(high)
    return tag("rect", cls=cls, x=pct(left), y=y, width=pct(max(0.0, right - left)), height=height)


def upright(scale: Scale, value: Value, cls: str, y1: int, y2: int) -> str:
    x = pct(scale.inside(value))
    return tag("line", cls=cls, x1=x, y1=y1, x2=x, y2=y2)


def meter_labels(
    scale: Scale, spent: Decimal | None, plan: Decimal | None, limit: Decimal | None, least: bool
) -> list[str]:
    """Labels under the bar: spent at the left, the limit and the plan under their marks where there is room."""
    below = 1 - 33 / METER_PX
    labels = [Label([_("spent %(sum)s") % {"sum": spent_sum(spent, least)}], 0.0, below, dx=0, rank=0)]
    for rank, amount, words in ((1, limit, _("limit %(sum)s")), (2, plan, _("plan %(sum)s"))):
        if amount is not None:
            at = scale.inside(amount)
            label = Label([words % {"sum": money.dollars(amount, 0)}], at, below, dx=0, rank=rank)
            labels.append(replace(label, anchor="end" if at > 0.6 else "mid"))
    return placed(labels, METER_PX)


def spent_sum(spent: Decimal | None, least: bool) -> str:
    if spent is None:
        return _("unknown")
    return money.known_part(money.dollars(spent), least)


def meter_words(spent: Decimal | None, limit: Decimal | None, plan: Decimal | None, ahead: Row, at_least: bool) -> str:
    words = [_("spent %(sum)s") % {"sum": spent_sum(spent, at_least)}]
    if ahead.get("median") is not None:
        words.append(_("forecast %(sum)s") % {"sum": money.dollars(ahead["median"])})
    if plan is not None:
        words.append(_("plan %(sum)s") % {"sum": money.dollars(plan)})
    if limit is not None:
        words.append(_("limit %(sum)s") % {"sum": money.dollars(limit)})
    return ", ".join(words)


def interval(row: Row, scale: Scale, mark: Value | None) -> str:
    """One dot with its interval; a ring instead of the dot if `passes` is False, only a hatch if unknown."""
    marks = []
    if mark is not None:
        at = pct(scale.inside(mark))
        marks.append(tag("line", cls="plan", x1=at, y1=0, x2=at, y2=18))
    if row.get("value") is None:
        return "".join([tag("rect", cls="unknown", x=0, y=4, width="100%", height=10), *marks])
    if row.get("low") is not None and row.get("high") is not None:
        low, high = pct(scale.inside(row["low"])), pct(scale.inside(row["high"]))
        marks.append(tag("line", cls="fan-edge", x1=low, y1=9, x2=high, y2=9))
    shape = "ring" if row.get("passes") is False else "dot"
    return "".join([*marks, tag("circle", cls=shape, cx=pct(scale.inside(row["value"])), cy=9, r=4.5)])


def interval_chart(row: Row, scale: Scale, mark: Value | None, words: str) -> Drawing:
    """An interval as a chart of its own; `words` are its name and its readout."""
    return drawing([titled(interval(row, scale, mark), words)], label=words, height=18)


def split(amounts: Mapping[str, Any], *, label: str = "") -> Drawing:
    """One bar divided by provenance: billed, measured, estimated, entered; the fills match the edges of the badges."""
    by_provenance = {k: money.to_decimal(amounts.get(k)) or Decimal(0) for k in money.PROVENANCES}
    total = sum(by_provenance.values(), Decimal(0))
    marks, x = [], 0.0
    for kind, amount in by_provenance.items():
        if amount > 0 and total > 0:
            width = float(amount / total)
            cls = f"f1 p-{kind}"
            part = tag("rect", cls=cls, x=pct(x), y=1, width=pct(max(0.004, width - 0.002)), height=14)
            marks.append(
                titled(part, f"{money.provenance_word(kind)}: {money.dollars(amount)}, {money.percent(width)}")
            )
            x += width
    shares = [
        f"{money.provenance_word(k)} {money.percent(v / total)}"
        for k, v in by_provenance.items()
        if v > 0 and total > 0
    ]
    return drawing(marks, label=f"{label}: {', '.join(shares)}".lstrip(": "), height=16)
