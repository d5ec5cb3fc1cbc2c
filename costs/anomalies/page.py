"""What the page of anomalies shows: those that are open, those of late, and each one's figure by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Sum
from django.urls import reverse
from django.utils.translation import gettext as _

from costs.anomalies.sums import COLUMNS, METRICS, Sums
from costs.anomalies.wording import sentence, signed
from costs.models import Anomaly, AnomalyLook, Driver
from traffic.models import UsageDay
from traffic.requests.facets import MOST_SHOWN

LATELY, CHART_DAYS, CHARTS = timedelta(days=60), 45, 12
DRAWN_DAYS = 7  # with a figure; fewer make no line
UNITS = {"cache": "percent", "errors": "percent", "size": "count", "latency": "ms", "volume": "count"}


@dataclass(frozen=True, slots=True)
class Row:
    """One finding with its words, its chart where there is one, and the page of its requests."""

    it: Anomaly
    chart: dict[str, Any] | None
    looked_up: bool = False  # whether its days were read for a chart

    @property
    def sentence(self) -> str:
        return sentence(self.it)

    @property
    def costs(self) -> str:
        """`+$41.20`; empty where money is no part of it."""
        return "" if self.it.costs is None else signed(self.it)

    @property
    def requests_url(self) -> str:
        """The requests since it began, until it ended."""
        it = self.it
        asked = [("application", it.application)] if it.application else []
        asked += [("model", model) for model in ([it.model] if it.model else it.models_shown)]
        asked += [("outcome", "error")] if it.driver == Driver.ERRORS else []
        first = it.since.astimezone(UTC).date()
        until = (it.ended_at or it.seen_at).astimezone(UTC).date() + timedelta(days=1)
        asked += [("from", first.isoformat()), ("to", max(until, first + timedelta(days=1)).isoformat())]
        return f"{reverse('traffic:requests')}?{urlencode(asked)}"


class AnomaliesPage:
    """Three queries: the rows, when it was looked, and the days behind the charts."""

    def __init__(self, now: datetime) -> None:
        self.now, self.today = now, now.astimezone(UTC).date()

    @cached_property
    def look(self) -> AnomalyLook | None:
        return AnomalyLook.objects.first()

    @cached_property
    def findings(self) -> list[Anomaly]:
        """Open ones that nobody dismissed first, the dearest first; then the others, the latest first."""
        found = list(Anomaly.objects.lately(self.today - LATELY).select_related("dismissed_by"))
        calm = {one.pk: one.ended_at is not None or one.dismissed_at is not None for one in found}
        found.sort(key=lambda one: (calm[one.pk], 0 if calm[one.pk] else -(one.costs or 0)))  # stable: else the latest
        return found

    @cached_property
    def rows(self) -> list[Row]:
        found = self.findings
        shown = found[:CHARTS]
        days = self._days(shown)
        return [Row(one, self._chart(one, days) if one in shown else None, one in shown) for one in found]

    @property
    def open(self) -> list[Row]:
        return [row for row in self.rows if row.it.ended_at is None and row.it.dismissed_at is None]

    @property
    def expected(self) -> list[Row]:
        return [row for row in self.rows if row.it.ended_at is None and row.it.dismissed_at is not None]

    @property
    def over(self) -> list[Row]:
        return [row for row in self.rows if row.it.ended_at is not None]

    @property
    def new(self) -> list[tuple[str, str, date, Decimal]]:
        """Applications and models that came lately: slug, model or "", first day, USD of the last day."""
        rows = self.look.new[:MOST_SHOWN] if self.look else []
        return [(slug, model, date.fromisoformat(day), Decimal(costs)) for slug, model, day, costs in rows]

    @property
    def new_left(self) -> int:
        """How many more came lately than are listed."""
        return len(self.look.new) - len(self.new) if self.look else 0

    @property
    def costs(self) -> Decimal:
        """USD a day of the open ones."""
        return sum((row.it.costs or Decimal(0) for row in self.open), Decimal(0))

    def _days(self, rows: Iterable[Anomaly]) -> dict[tuple[int, str], dict[date, Sums]]:
        """Days of the applications and models of the findings, from 45 days before now or before they ended."""
        rows = list(rows)
        if not rows:
            return {}
        first, wanted = min(self._first(one) for one in rows), {subject(one) for one in rows}
        found: dict[tuple[int, str], dict[date, Sums]] = defaultdict(dict)
        usage = UsageDay.objects.filter(day__gte=first, day__lte=self.today)
        if not any(one.model for one in rows):
            usage = usage.filter(application__in={one.application_id for one in rows})
        sums = {f"{name}_sum": Sum(name) for name in COLUMNS}
        for application, model, day, *values in (
            usage.values_list("application_id", "model", "day").annotate(**sums).order_by()
        ):
            keys = wanted.intersection(((application, ""), (application, model), (0, model)))
            one = Sums.of_row(values) if keys else Sums()
            for key in keys:
                found[key].setdefault(day, Sums()).add(one)
        return found

    def _first(self, one: Anomaly) -> date:
        return min((one.ended_at or self.now).astimezone(UTC).date(), self.today) - timedelta(days=CHART_DAYS)

    def _chart(self, one: Anomaly, days: dict[tuple[int, str], dict[date, Sums]]) -> dict[str, Any] | None:
        """The figure of its driver by day, its usual value, and the time in which it differed.

        None where too few days have the figure.
        """
        known = days.get(subject(one), {})
        first = self._first(one)
        last = min(first + timedelta(days=CHART_DAYS + 7), self.today)
        moments = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        points = [(midnight(day), value_of(one.driver, known[day]) if day in known else None) for day in moments]
        if sum(value is not None for _day, value in points) < DRAWN_DAYS:
            return None
        ended = (one.ended_at or self.now).astimezone(UTC)
        return {
            "series": [{"name": str(Driver(one.driver).label), "points": points, "style": 1}],
            "limits": [{"y": scaled(one.driver, one.before), "label": _("usual"), "name": _("its usual value")}],
            "shades": [{"from": one.since, "to": ended, "name": _("while it differed"), "label": ""}],
            "unit": UNITS.get(one.driver, "usd"),
            "label": sentence(one),
        }


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def value_of(driver: str, sums: Sums) -> float | None:
    """A day's figure of a driver, on the chart's scale."""
    if driver in METRICS:
        value = METRICS[driver].value(sums)
        return None if value is None else scaled(driver, value)
    if driver == Driver.VOLUME:
        return float(sums.requests)
    return float(sums.cost) / sums.requests if sums.requests else None


def scaled(driver: str, value: float) -> float:
    return value / 1000 if driver == Driver.LATENCY else value


def subject(one: Anomaly) -> tuple[int, str]:
    """The application and model whose days its chart shows; the one model behind it where that is a single one."""
    only = one.models_shown[0] if not one.model and len(one.models_shown) == 1 else one.model
    return one.application_id, only
