"""One bar with our volume and the volume from which our own GPUs pay."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.scales import Scale, number
from dashboard.charts.small import span, upright
from dashboard.charts.svg import Drawing, drawing, pct, tag, text, titled
from lib import formats as money


def volume_bar(volume: int, *, crossing: int | None = None, goal: int | None = None, goal_label: Any = None) -> Drawing:
    """All volumes are requests a month: from `crossing` self-hosting pays, from `goal` it saves `goal_label` USD.

    A crossing beyond ten times our volume is drawn at the bar's end.
    """
    places = [value for value in (volume, crossing, goal) if value is not None and value <= max(volume, 1) * 10]
    scale = Scale(0.0, max(places) * 1.2 or 1.0)
    named = words(volume, crossing, goal, goal_label)
    marks = [titled(tag("rect", cls="well", x=0, y=0, width="100%", height=18), named)]
    if crossing is not None and crossing < scale.high:
        marks.append(span(scale, crossing, scale.high, "pays", 0, 18))
    marks.append(tag("rect", cls="f1 p-billed", x=0, y=5, width=pct(scale.inside(volume)), height=8))
    if goal is not None and goal < scale.high:
        marks.append(upright(scale, goal, "today", 0, 18))
    if crossing is not None:
        marks.append(upright(scale, min(number(crossing), scale.high), "mark", -2, 20))
        marks.append(crossing_words(scale, crossing))
    return drawing(marks, label=named, height=36)


def crossing_words(scale: Scale, crossing: int) -> str:
    at = scale.inside(crossing)
    side = "end" if at > 0.6 else "mid" if at > 0.3 else ""
    label = _("cheaper above %(n)s") % {"n": money.count(crossing)}
    return text(label, cls=side, x=pct(at), y=33)


def words(volume: int, crossing: int | None, goal: int | None, goal_label: Any) -> str:
    parts = [_("%(n)s requests a month") % {"n": money.count(volume)}]
    if crossing is not None:
        parts.append(_("self-hosting is cheaper above %(n)s") % {"n": money.count(crossing)})
    if goal is not None:
        parts.append(_("%(sum)s saved at %(n)s") % {"sum": money.dollars(goal_label, 0), "n": money.count(goal)})
    return ", ".join(parts)
