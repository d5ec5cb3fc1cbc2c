"""What the page of anomalies shows: those that are open, those of late, and each one's figure by day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.db.models import Sum
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from costs.anomalies.sums import COLUMNS, METRICS, Sums
from costs.anomalies.wording import sentence, signed
from costs.models import Anomaly, AnomalyLook, Driver
from lib.dates import midnight
from lib.formats import dollars, sentences, state, when
from traffic.models import Application, UsageDay
from traffic.requests.facets import MOST_SHOWN

LATELY, CHART_DAYS, CHARTS = timedelta(days=60), 45, 12
DRAWN_DAYS = 7  # with a figure; fewer make no line
UNITS = {"cache": "percent", "errors": "percent", "size": "count", "latency": "ms", "volume": "count"}


@dataclass(frozen=True, slots=True)
class AnomalyRow:
    """One finding with its words, its chart where there is one, and the page of its requests."""

    it: Anomaly
    chart: dict[str, Any] | None
    looked_up: bool = False  # whether its days were read for a chart
    applications: Sequence[str] = ()  # names of those that feel what a model does

    @property
    def sentence(self) -> str:
        return sentence(self.it)

    @property
    def costs(self) -> str:
        """`+$41.20`; empty where money is no part of it."""
        return "" if self.it.costs is None else signed(self.it)

    def state_mark(self) -> SafeString:
        """Whether it still differs, and against what."""
        if self.it.ended_at:
            since = format_html(_("as usual since {moment}"), moment=when(self.it.ended_at))
            return sentences(state("info", _("ended")), since)
        return sentences(state("warn", _("differs")), _("against the same weekdays of eight weeks"))

    @property
    def requests_url(self) -> str:
        """The requests since it began, until it ended."""
        it = self.it
        query = [("application", it.application)] if it.application else []
        query += [("model", model) for model in ([it.model] if it.model else it.models_shown)]
        query += [("outcome", "error")] if it.driver == Driver.ERRORS else []
        first = it.since.astimezone(UTC).date()
        until = (it.ended_at or it.seen_at).astimezone(UTC).date() + timedelta(days=1)
        query += [("from", first.isoformat()), ("to", max(until, first + timedelta(days=1)).isoformat())]
        return f"{reverse('traffic:requests')}?{urlencode(query)}"


class AnomaliesPage:
    """Four queries: the rows, when it was looked, the days behind the charts, and names where there are any to show."""

    def __init__(self, now: datetime) -> None:
        self.now, self.today = now, now.astimezone(UTC).date()

    @cached_property
    def look(self) -> AnomalyLook | None:
        return AnomalyLook.objects.first()

    def headline(self) -> str:
        """How many things differ and what that costs a day; without any, what is as usual."""
        number = len(self.open)
        if number:
            text = ngettext(
                "<b>One thing</b> differs from its own history.",
                "<b>{n} things</b> differ from their own history.",
                number,
            )
            more = _("Total: <b>{costs} a day</b> more than usual.") if self.costs > 0 else ""
            return sentences(format_html(text, n=number), format_html(more, costs=dollars(self.costs)))
        if self.look is None:
            return _("Not checked yet. The first check runs within ten minutes of the start.")
        text = ngettext(
            "No anomaly: spend, tokens, cache hits, errors and latency of <b>one application</b> are as usual,"
            " {moment}.",
            "No anomaly: spend, tokens, cache hits, errors and latency of <b>{n} applications</b> are as usual,"
            " {moment}.",
            self.look.applications,
        )
        return format_html(text, n=self.look.applications, moment=when(self.look.at))

    @property
    def too_little(self) -> str:
        """The applications with too short a history to say anything of, with its days."""
        rows = self.look.too_little if self.look else []
        return ", ".join(
            ngettext("%(name)s (%(n)s day)", "%(name)s (%(n)s days)", days) % {"name": self.named(slug), "n": days}
            for slug, days in rows
        )

    @cached_property
    def findings(self) -> list[Anomaly]:
        """Open ones that nobody dismissed first, the dearest first; then the others, the latest first."""
        anomalies = list(Anomaly.objects.lately(self.today - LATELY).select_related("dismissed_by"))
        calm = {anomaly.pk: anomaly.ended_at is not None or anomaly.dismissed_at is not None for anomaly in anomalies}
        anomalies.sort(
            key=lambda anomaly: (calm[anomaly.pk], 0 if calm[anomaly.pk] else -(anomaly.costs or 0))
        )  # stable: else the latest
        return anomalies

    @cached_property
    def rows(self) -> list[AnomalyRow]:
        anomalies = self.findings
        shown = anomalies[:CHARTS]
        days = self._days(shown)
        return [
            AnomalyRow(
                anomaly,
                self._chart(anomaly, days) if anomaly in shown else None,
                anomaly in shown,
                [self.named(slug) for slug in anomaly.applications_shown],
            )
            for anomaly in anomalies
        ]

    @property
    def open(self) -> list[AnomalyRow]:
        return [row for row in self.rows if row.it.ended_at is None and row.it.dismissed_at is None]

    @property
    def expected(self) -> list[AnomalyRow]:
        return [row for row in self.rows if row.it.ended_at is None and row.it.dismissed_at is not None]

    @property
    def over(self) -> list[AnomalyRow]:
        return [row for row in self.rows if row.it.ended_at is not None]

    @property
    def new(self) -> list[tuple[str, str, date, Decimal]]:
        """Applications and models that came lately: slug, model or "", first day, USD of the last day."""
        rows = self.look.new[:MOST_SHOWN] if self.look else []
        return [(slug, model, date.fromisoformat(day), Decimal(costs)) for slug, model, day, costs in rows]

    @cached_property
    def names(self) -> dict[str, str]:
        """Applications as people named them, by slug."""
        return dict(Application.objects.exclude(name="").values_list("slug", "name"))

    def named(self, slug: str) -> str:
        """An application that is gone goes by its slug."""
        return self.names.get(slug, slug)

    def new_rows(self) -> list[tuple[str, str, date, Decimal, str]]:
        """The same with names for slugs, and the address of its requests since then."""
        base = reverse("traffic:requests")
        queries = [urlencode({"application": row[0], "model": row[1], "from": row[2].isoformat()}) for row in self.new]
        return [(self.named(row[0]), *row[1:], f"{base}?{query}") for row, query in zip(self.new, queries, strict=True)]

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
        first, wanted = min(self._first(anomaly) for anomaly in rows), {subject(anomaly) for anomaly in rows}
        sums_by_subject: dict[tuple[int, str], dict[date, Sums]] = defaultdict(dict)
        usage = UsageDay.objects.filter(day__gte=first, day__lte=self.today)
        if not any(anomaly.model for anomaly in rows):
            usage = usage.filter(application__in={anomaly.application_id for anomaly in rows})
        sums = {f"{name}_sum": Sum(name) for name in COLUMNS}
        for application, model, day, *values in (
            usage.values_list("application_id", "model", "day").annotate(**sums).order_by()
        ):
            keys = wanted.intersection(((application, ""), (application, model), (0, model)))
            day_sums = Sums.of_row(values) if keys else Sums()
            for key in keys:
                sums_by_subject[key].setdefault(day, Sums()).add(day_sums)
        return sums_by_subject

    def _first(self, anomaly: Anomaly) -> date:
        return min((anomaly.ended_at or self.now).astimezone(UTC).date(), self.today) - timedelta(days=CHART_DAYS)

    def _chart(self, anomaly: Anomaly, days: dict[tuple[int, str], dict[date, Sums]]) -> dict[str, Any] | None:
        """The figure of its driver by day, its usual value, and the time in which it differed.

        None where too few days have the figure.
        """
        sums_by_day = days.get(subject(anomaly), {})
        first = self._first(anomaly)
        last = min(first + timedelta(days=CHART_DAYS + 7), self.today)
        moments = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        points = [
            (midnight(day), value_of(anomaly.driver, sums_by_day[day]) if day in sums_by_day else None)
            for day in moments
        ]
        if sum(value is not None for _day, value in points) < DRAWN_DAYS:
            return None
        ended = (anomaly.ended_at or self.now).astimezone(UTC)
        return {
            "series": [{"name": str(Driver(anomaly.driver).label), "points": points, "style": 1}],
            "limits": [
                {"y": scaled(anomaly.driver, anomaly.before), "label": _("usual"), "name": _("its usual value")}
            ],
            "shades": [{"from": anomaly.since, "to": ended, "name": _("while it differed"), "label": ""}],
            "unit": UNITS.get(anomaly.driver, "usd"),
            "label": sentence(anomaly),
        }


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


def subject(anomaly: Anomaly) -> tuple[int, str]:
    """The application and model whose days its chart shows; the one model behind it where that is a single one."""
    only = anomaly.models_shown[0] if not anomaly.model and len(anomaly.models_shown) == 1 else anomaly.model
    return anomaly.application_id, only
