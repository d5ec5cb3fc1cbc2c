"""The cumulative spend of a month: spent so far, an even use of the budget, the limit, and the forecast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from dashboard.charts.lines import line_chart
from dashboard.charts.svg import Drawing
from lib import formats as money
from lib.dates import midnight

Row = Mapping[str, Any]


def cumulative(days: Sequence[Row], now: datetime) -> list[tuple[datetime, Decimal]]:
    """(time, USD) sums at the end of each day, for the current day at `now`; starts with 0 at the first midnight."""
    if not days:
        return []
    total, places = Decimal(0), [(midnight(days[0]["day"]), Decimal(0))]
    for row in days:
        total += money.to_decimal(row["amount"]) or Decimal(0)
        places.append((min(now, midnight(row["day"] + timedelta(days=1))), total))
    return places


def pace(
    days: Sequence[Row],
    *,
    starts: date,
    ends: date,
    now: datetime,
    low: Decimal | None = None,
    high: Decimal | None = None,
    plan: Decimal | None = None,
    limit: Decimal | None = None,
    forecast: Row | None = None,
    at_least: bool = False,
    height: int = 230,
) -> Drawing:
    """`days`: `{"day": date, "amount": D}`, one a day; `ends` is exclusive; `forecast`: `{"low", "median", "high"}`.
    Amounts are USD."""
    first, last = midnight(starts), midnight(ends)
    spent = cumulative([row for row in days if first <= midnight(row["day"]) <= now], now)
    here = spent[-1] if spent else (first, Decimal(0))
    series: list[Row] = [{"name": _("spent"), "style": "us", "points": spent}]
    bands: list[Row] = []
    if low is not None and high is not None:
        bands.append({"name": _("budget’s pace, %(low)s–%(high)s") % span(low, high), "points": [
            (first, Decimal(0), Decimal(0)), (last, low, high)]})  # fmt: skip
    if forecast and forecast.get("median") is not None:
        series.append(
            {"name": _("forecast, median"), "style": "forecast", "points": [here, (last, forecast["median"])]}
        )
        if forecast.get("low") is not None and forecast.get("high") is not None:
            bands.append({"name": _("low to high"), "style": "fan", "points": [
                (here[0], here[1], here[1]), (last, forecast["low"], forecast["high"])]})  # fmt: skip
    if plan is not None:
        named = _("plan, %(sum)s") % {"sum": money.dollars(plan, 0)}
        series.append({"name": named, "style": "plan", "points": [(first, Decimal(0)), (last, plan)]})
    spent_text = money.at_least(here[1], at_least) if at_least else money.dollars(here[1])
    marks: list[Row] = []
    if first <= now < last:
        marks.append({"kind": "today", "x": now, "label": _("today, %(time)s") % {"time": f"{money.aware(now):%H:%M}"},
                      "side": "left" if now - first > (last - first) * 0.4 else "right"})  # fmt: skip
    if spent:
        so_far = _("%(sum)s so far") % {"sum": spent_text}
        marks.append({"kind": "dot", "x": here[0], "y": here[1], "label": so_far, "side": "left"})
    if forecast and forecast.get("median") is not None:
        marks.append(
            {"kind": "end", "x": last, "y": forecast["median"], "label": end_words(starts, forecast), "side": "left"}
        )
    words = _("limit %(sum)s") % {"sum": money.dollars(limit, 0)} if limit is not None else ""
    return line_chart(
        series,
        bands=bands,
        limits=[{"y": limit, "label": words}] if limit is not None else (),
        marks=marks,
        x_from=first,
        x_to=last,
        height=height,
        tails=False,
        label=_("Cumulative spend: %(sum)s so far, %(limit)s") % {"sum": spent_text, "limit": words or _("no limit")},
    )


def span(low: Decimal, high: Decimal) -> dict[str, str]:
    return {"low": money.dollars(low, 0), "high": money.dollars(high, 0).lstrip("$")}


def end_words(starts: date, forecast: Row) -> str:
    first = f"{money.month(starts)}: {money.dollars(forecast['median'], 0)}"
    if forecast.get("low") is None or forecast.get("high") is None:
        return first
    ends = {
        "low": money.dollars(forecast["low"], 0).lstrip("$"),
        "high": money.dollars(forecast["high"], 0).lstrip("$"),
    }
    return f"{first}\n{_('%(low)s low, %(high)s high') % ends}"
