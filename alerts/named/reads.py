"""How each named figure is read: at one moment, and for its past."""

from __future__ import annotations

from decimal import Decimal

from alerts.named.figure import Reading, Series, share
from alerts.named.past import Past
from alerts.named.present import Present, Sums
from alerts.named.scopes import Place
from alerts.named.windows import Window
from traffic.quality import ENOUGH
from traffic.reports import ranked

HUNDRED = Decimal(100)


# From the requests added up.


def requests(sums: Sums) -> Reading:
    return Reading(Decimal(sums.requests))


def tokens(sums: Sums) -> Reading:
    return Reading(Decimal(sums.tokens), at_least=sums.unknown_usage > 0)


def unpriced(sums: Sums) -> Reading:
    return Reading(Decimal(sums.unpriced))


def error_rate(sums: Sums) -> Reading:
    return Reading(share(sums.errors, sums.requests))


def cost_per_request(sums: Sums) -> Reading:
    """Measured, of requests whose cost is known: those of an own lease are paid by the hour."""
    priced = sums.requests - sums.unpriced - sums.unknown_usage - sums.leased
    return Reading(sums.cost / priced if priced > 0 else None)


# From the ledger and the plan.


def spend(present: Present, window: Window, place: Place) -> Reading:
    return Reading(present.spend(window, place), at_least=present.sums(window, place).unpriced > 0)


def spend_past(past: Past, window: Window, place: Place) -> Series:
    return list(past.spend(window, place))


def budget_share(present: Present, window: Window, place: Place) -> Reading:
    """Of the budget of the phase planned for today."""
    phase = place.phase or present.figures.current_phase
    if phase is None or not phase.budget_high:
        return Reading(None)
    spent = spend(present, window, place)
    return Reading((spent.value or Decimal(0)) * HUNDRED / phase.budget_high, spent.at_least)


def budget_share_past(past: Past, window: Window, place: Place) -> Series:
    found: Series = []
    for at, spent in past.spend(window, place):
        budget = place.phase.budget_high if place.phase else past.budget_on(at.date())
        found.append((at, spent * HUNDRED / budget if budget else None))
    return found


def forecast(present: Present, window: Window, place: Place) -> Reading:
    """The middle of the month's forecast."""
    month = present.month_ahead(place)
    return Reading(month.forecast.median if month.forecast else None, month.unpriced_requests > 0)


def run_rate(present: Present, window: Window, place: Place) -> Reading:
    return Reading(Decimal(present.figures.run_rate(present.today)))


def run_rate_past(past: Past, window: Window, place: Place) -> Series:
    return [(at, Decimal(sums.requests)) for at, sums in past.sums(Window.LAST_MONTH, place)]


# From the latency buckets.


def latency_p95(present: Present, window: Window, place: Place) -> Reading:
    return p95(present, window, place, 1)


def latency_p95_past(past: Past, window: Window, place: Place) -> Series:
    return p95_past(past, window, place, 1)


def ttft_p95(present: Present, window: Window, place: Place) -> Reading:
    return p95(present, window, place, 2)


def ttft_p95_past(past: Past, window: Window, place: Place) -> Series:
    return p95_past(past, window, place, 2)


def p95(present: Present, window: Window, place: Place, metric: int) -> Reading:
    counts = present.buckets(window, place, metric)
    return Reading(milliseconds(ranked(counts).p95_ms) if counts else None)


def p95_past(past: Past, window: Window, place: Place, metric: int) -> Series:
    rows = past.quantiles(window, place, metric)
    return [(at, milliseconds(found.p95_ms) if found else None) for at, found in rows]


def milliseconds(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


# From ratings, checks, accounts and leases.


def quality(present: Present, window: Window, place: Place) -> Reading:
    """Acceptable answers per cent; too few ratings say nothing."""
    ratings, accepted = present.ratings(window, place)
    return Reading(share(accepted, ratings) if ratings >= ENOUGH else None)


def quality_past(past: Past, window: Window, place: Place) -> Series:
    return [(at, share(good, n) if n >= ENOUGH else None) for at, (n, good) in past.ratings(window, place)]


def uptime(present: Present, window: Window, place: Place) -> Reading:
    return Reading(present.uptime(window, place))


def uptime_past(past: Past, window: Window, place: Place) -> Series:
    return list(past.uptime(window, place))


def balance_days(present: Present, window: Window, place: Place) -> Reading:
    """How long the account that runs out first still lasts."""
    wanted = place.filters.provider
    lasts = [
        balance.amount / balance.spend_per_hour / 24
        for balance in present.figures.balances
        if balance.spend_per_hour and (not wanted or balance.account.kind in wanted)
    ]
    return Reading(min(lasts, default=None))


def idle_hours(present: Present, window: Window, place: Place) -> Reading:
    """Of the lease that has been idle longest; 0 while all are in use, unknown where there is none."""
    from alerts.kinds.vendors import unused_since  # the kinds import the named figures

    wanted = place.filters.provider
    leases = [lease for lease in present.figures.leases if not wanted or lease.account.kind in wanted]
    since = [unused_since(present.figures, lease) for lease in leases]
    hours = [Decimal(int((present.now - at).total_seconds())) / 3600 if at else Decimal(0) for at in since]
    return Reading(max(hours) if hours else None)
