"""A waterfall chart: from one sum to another by steps, each drawn from where the step before ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.scales import Scale
from dashboard.charts.svg import Drawing, Key, drawing, pct, tag, text, titled
from lib import formats as money

Row = Mapping[str, Any]
ROW_PX = 30
CUT = 0.35  # if all steps stay within this share of the highest sum, the scale does not begin at 0


def waterfall(start: Row, steps: Sequence[Row], end: Row, *, label: str = "") -> Drawing:
    """`start` and `end`: `{"label", "amount"}` in USD; `steps`: the same with signed amounts. Bars stand in rows, which
    leaves room for names on a phone. Direction, sign and hatching show up and down; colour repeats it."""
    bars = placed(start, steps, end)
    scale = scale_of(bars)  # without space for names and sums, which the class `plot-names` gives
    cut = scale.low > 0
    marks: list[str] = []
    for index, (row, since, until, kind) in enumerate(bars):
        y = index * ROW_PX
        marks += one_bar(row, since, until, kind, scale, y)
        if index:
            edge = pct(scale.at(since if kind != "sum" else until))
            marks.append(tag("line", cls="hair", x1=edge, y1=y - ROW_PX + 24, x2=edge, y2=y + 6))
    zero = pct(scale.inside(0.0))
    marks.append(tag("line", cls="zero", x1=zero, y1=0, x2=zero, y2=len(bars) * ROW_PX))
    return drawing(
        marks,
        label=label or words(start, steps, end),
        note=_("The scale begins at %(low)s, so that small steps can be seen.") % {"low": money.dollars(scale.low, 0)}
        if cut
        else "",
        height=len(bars) * ROW_PX + 8,
        cls="plot plot-names",
        legend=[Key("box", "fall-up", _("up")), Key("box", "fall-down", _("down"))],
        columns=[_("Step"), _("USD")],
        rows=[
            [str(start["label"]), money.dollars(start["amount"])],
            *([str(step["label"]), money.signed_usd(step["amount"])] for step in steps),
            [str(end["label"]), money.dollars(end["amount"])],
        ],
    )


def scale_of(bars: Sequence[tuple[Row, float, float, str]]) -> Scale:
    """A scale from 0, or from just below the lowest step if the steps would be too small next to the sums."""
    ends = [(until,) if kind == "sum" else (since, until) for _row, since, until, kind in bars]
    low, high = min(0.0, *(min(end) for end in ends)), max(0.0, *(max(end) for end in ends))
    least = min(min(end) for end in ends)
    if least > 0 and high - least < CUT * high:
        low = least - (high - least or high) / 4
    return Scale(low, high or 1.0)


def placed(start: Row, steps: Sequence[Row], end: Row) -> list[tuple[Row, float, float, str]]:
    """(row, begin, end, kind) of each bar in USD; the kind is `sum`, `up` or `down`."""
    at = Decimal(start["amount"])
    bars: list[tuple[Row, float, float, str]] = [(start, 0.0, float(at), "sum")]
    for step in steps:
        amount = Decimal(step["amount"])
        bars.append((step, float(at), float(at + amount), "up" if amount >= 0 else "down"))
        at += amount
    return [*bars, (end, 0.0, float(end["amount"]), "sum")]


def one_bar(row: Row, since: float, until: float, kind: str, scale: Scale, y: int) -> list[str]:
    left, right = sorted((scale.inside(since), scale.inside(until)))
    cls = "fall-sum" if kind == "sum" else f"fall-{kind}"
    amount_text = money.dollars(row["amount"]) if kind == "sum" else money.signed_usd(row["amount"])
    # A least width keeps a step of a cent visible among hundreds of dollars.
    rect = tag("rect", cls=cls, x=pct(left), y=y + 6, width=pct(max(right - left, 0.004)), height=18)
    name = text(row["label"], cls="t-axis end", x=0, y=y + 19, dx=-8)
    return [
        titled(rect, f"{row['label']}: {amount_text}"),
        name,
        text(amount_text, cls="t-b halo", x=pct(right), y=y + 19, dx=6),
    ]


def words(start: Row, steps: Sequence[Row], end: Row) -> str:
    """The chart as text for screen readers."""
    steps_text = "; ".join(f"{step['label']} {money.signed_usd(step['amount'])}" for step in steps)
    values = {
        "from": f"{start['label']} {money.dollars(start['amount'])}",
        "to": f"{end['label']} {money.dollars(end['amount'])}",
        "steps": steps_text or _("no change"),
    }
    return _("From %(from)s to %(to)s: %(steps)s") % values
