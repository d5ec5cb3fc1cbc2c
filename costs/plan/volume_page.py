"""The volume against the bands that were planned for it, day by day. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from costs.models import Phase
from costs.plan.budget_status import close_open_ends

WINDOW = 30
SHOWN = timedelta(days=180)


def volume(usage: Iterable[Mapping[str, Any]], phases: Iterable[Phase], today: date) -> dict[str, Any] | None:
    """The run rate of each day (requests of the 30 days before, its own included) and the bands of the phases planned
    for those days, for the chart tag; None without two days to join."""
    rates = [(day, rate) for day, rate in run_rates(usage, today) if day >= today - SHOWN]
    if len(rates) < 2:
        return None
    top = max(rate for _day, rate in rates) * Decimal("1.25")
    planned = list(planned_bands(phases, rates[0][0], today, top))
    return {
        "series": [{"name": _("requests a month, last 30 days"), "style": "us", "points": rates}],
        "bands": [{"name": name, "points": points} for name, points in planned],
        "limits": [{"y": n, "label": f"{n:,}"} for n in sorted(edges(phases)) if n <= top],
    }


def run_rates(usage: Iterable[Mapping[str, Any]], today: date) -> list[tuple[date, Decimal]]:
    """By day; where less than 30 days are known, as a month at the pace of those. Today is not over and left out."""
    requests: dict[date, int] = {}
    for row in usage:
        requests[row["day"]] = requests.get(row["day"], 0) + row["requests"]
    first = min(requests, default=today)
    window: deque[int] = deque(maxlen=WINDOW)
    rates = []
    for n in range((today - first).days):
        window.append(requests.get(first + timedelta(n), 0))
        rates.append((first + timedelta(n), Decimal(sum(window)) * WINDOW / len(window)))
    return rates


def edges(phases: Iterable[Phase]) -> set[int]:
    """Volumes at which a band begins, 0 left out."""
    return {phase.volume_from for phase in phases if phase.volume_from}


Points = list[tuple[date, int, Decimal]]


def planned_bands(phases: Iterable[Phase], since: date, today: date, top: Decimal) -> Iterable[tuple[str, Points]]:
    """Each planned phase's band over the days shown."""
    by_start = {phase.starts_on: phase for phase in phases}
    for term in close_open_ends(phase.term for phase in by_start.values() if phase.term):
        phase = by_start[term.starts_on]
        first, last = max(term.starts_on, since), min(term.ends_on or today, today)
        if first < last:
            upper = min(Decimal(phase.volume_to), top) if phase.volume_to is not None else top
            yield phase.name, [(day, phase.volume_from, upper) for day in (first, last)]
