"""The history of an alert's value for the chart of its mail, from before the alert opened as well."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import accumulate

from alerts.charts.timeline import FEWEST, Point, Timeline, decimal_of, drawn, stored_points
from alerts.context.evaluation import EvaluationContext
from alerts.metrics.history import MetricHistory
from alerts.metrics.scopes import Names
from alerts.metrics.thresholds import BadThreshold
from alerts.metrics.watch import Watch
from alerts.metrics.windows import Window
from alerts.models import Alert
from costs.allocation.queries import daily, read
from costs.dates import month_of
from costs.models import Budget
from costs.plan.budgets import applications_of_owners, filters_of
from lib.dates import midnight
from lib.money import ZERO
from traffic.usage.filters import Filters

SHOWN = timedelta(days=14)  # of a figure's past
RATED = 30  # days of a run rate
INSTANT = timedelta(microseconds=1)  # before midnight a day is still its own


def value_history(alert: Alert, at: datetime, value: str = "") -> Timeline | None:
    """Up to a moment, at which it ends in the value that was told then, whatever vendors have revised since.

    None where too little is known for a line, or the line is nought and says nothing.
    """
    if decimal_of(alert.threshold) == 0:
        return None
    before = past(alert, at)
    reported = decimal_of(value)
    if before and reported is not None:
        before[-1] = Point(at, reported, before[-1].line)
    if len(before) >= FEWEST:
        return drawn(alert, before, days=by_the_day(alert))
    return drawn(alert, stored_points(alert, at))


def by_the_day(alert: Alert) -> bool:
    """Whether the points of `past` stand for whole days."""
    if alert.rule.kind != "figure":
        return True
    window = Watch.of(alert.rule.thresholds).window
    return not window.hourly and window not in (Window.TODAY, Window.NOW)


def past(alert: Alert, at: datetime) -> list[Point]:
    """The alert's value before it opened, from rollups and ledger; empty for other kinds."""
    line = decimal_of(alert.threshold)
    kind = alert.rule.kind
    if kind == "figure":
        return watched(alert, at, line)
    if kind == "budget":
        return spent(alert, at, line)
    if kind in ("break-even", "phase"):
        context = EvaluationContext(at)
        days = [context.today - timedelta(days=n) for n in range(RATED, -1, -1)]
        first = min(context.requests_by_day, default=context.today)
        return [Point(midnight(day), Decimal(context.run_rate(day)), line) for day in days if day > first]
    return []


def watched(alert: Alert, at: datetime, line: Decimal | None) -> list[Point]:
    """The figure that a rule by sentence watches."""
    try:
        watch = Watch.of(alert.rule.thresholds)
        place = Names().place(watch.scope)
    except BadThreshold:  # what it was about is gone: its own points are left
        return []
    if watch.metric.history is None:
        return []
    series = watch.metric.history(MetricHistory(at), watch.window, place)
    return [Point(on, value, line) for on, value in series if value is not None and at - SHOWN <= on <= at]


def spent(alert: Alert, at: datetime, line: Decimal | None) -> list[Point]:
    """A budget's month from its first day, added up, against the level that it reached."""
    kind, _colon, rest = alert.subject.partition(":")
    slug, _colon, month = rest.rpartition(":")
    try:
        first = date.fromisoformat(f"{month}-01")
    except ValueError:
        return []
    today = min(at.astimezone(UTC).date(), month_of(first)[1])
    if kind == "phase":
        amounts = daily(first, today + timedelta(days=1))
    else:
        budget = Budget.objects.filter(slug=slug).first()
        if budget is None:
            return []
        amounts = by_day(first, today, filters_of(budget, applications_of_owners([budget])))
    days = [first + timedelta(days=n) for n in range((today - first).days + 1)]
    sums = accumulate(amounts.get(day, ZERO) for day in days)
    ends = (min(midnight(day + timedelta(days=1)) - INSTANT, at) for day in days)
    start = [Point(midnight(first), ZERO, line)]
    return [*start, *(Point(end, amount, line) for end, amount in zip(ends, sums, strict=True))]


def by_day(first: date, last: date, filters: Filters) -> dict[date, Decimal]:
    amounts: dict[date, Decimal] = {}
    for line in read(first, last + timedelta(days=1), filters.divides()).only(filters).lines:
        amounts[line.day] = amounts.get(line.day, ZERO) + line.amount
    return amounts
