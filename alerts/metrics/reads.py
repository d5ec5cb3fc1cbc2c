"""How each named figure is read: at one moment, and for its past."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext as _

from alerts.metrics.current import CurrentMetrics, Sums
from alerts.metrics.history import MetricHistory
from alerts.metrics.metric import Reading, Series, share
from alerts.metrics.scopes import Missing, Names, Place
from alerts.metrics.windows import Window
from costs.models import Budget, BudgetScope
from costs.plan.queries import terms_of
from traffic.quality.queries import ENOUGH
from traffic.usage.reports import ranked

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


def spend(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    return Reading(current.spend(window, place), at_least=current.sums(window, place).unpriced > 0)


def spend_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return list(history.spend(window, place))


def budget_use(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    """Per cent of what the month may cost. Raises Missing where nothing says that."""
    budget = current.context.budget_of(*budgeted(place))
    if budget is None:
        raise no_budget(place, current.names)
    return Reading(share_of(budget.spent, budget.high), budget.at_least)


def budget_use_history(history: MetricHistory, window: Window, place: Place) -> Series:
    """As the plan and the budgets stand now, whatever they said then."""
    scope, subject = budgeted(place)
    terms = [budget.term for budget in Budget.objects.about(scope, subject)]
    if scope == BudgetScope.EVERYTHING:
        terms = terms_of(history.phases) or terms
    series: Series = []
    for at, day, months_days in history.spend_so_far(place):
        allowed = history.allowed(terms, day.replace(day=1))
        series.append((at, share_of(allowed.spent(months_days), allowed.high) if allowed else None))
    return series


def share_of(spent: Decimal, high: Decimal) -> Decimal | None:
    return spent * HUNDRED / high if high else None


def budgeted(place: Place) -> tuple[str, str]:
    """The scope and subject of the budget that is about a place."""
    return place.scope.names[0] if place.scope.names else (BudgetScope.EVERYTHING.value, "")


def no_budget(place: Place, names: Names) -> Missing:
    what = place.scope.words(names) or _("in total")
    return Missing(
        _("There is no budget %(what)s this month, so this rule is inactive. Set one on the Plan page.")
        % {"what": what}
    )


def forecast(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    """The middle of the month's forecast."""
    month = current.month_ahead(place)
    return Reading(month.forecast.median if month.forecast else None, month.unpriced_requests > 0)


def run_rate(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    return Reading(Decimal(current.context.run_rate(current.today)))


def run_rate_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return [(at, Decimal(sums.requests)) for at, sums in history.sums(Window.LAST_MONTH, place)]


# From the latency buckets.


def latency_p95(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    return p95(current, window, place, 1)


def latency_p95_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return p95_history(history, window, place, 1)


def ttft_p95(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    return p95(current, window, place, 2)


def ttft_p95_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return p95_history(history, window, place, 2)


def p95(current: CurrentMetrics, window: Window, place: Place, metric: int) -> Reading:
    counts = current.buckets(window, place, metric)
    return Reading(milliseconds(ranked(counts).p95_ms) if counts else None)


def p95_history(history: MetricHistory, window: Window, place: Place, metric: int) -> Series:
    rows = history.quantiles(window, place, metric)
    return [(at, milliseconds(quantiles.p95_ms) if quantiles else None) for at, quantiles in rows]


def milliseconds(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(str(value))


# From ratings, checks, accounts and leases.


def quality(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    """Acceptable answers per cent; too few ratings say nothing."""
    ratings, accepted = current.ratings(window, place)
    return Reading(share(accepted, ratings) if ratings >= ENOUGH else None)


def quality_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return [(at, share(good, n) if n >= ENOUGH else None) for at, (n, good) in history.ratings(window, place)]


def uptime(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    return Reading(current.uptime(window, place))


def uptime_history(history: MetricHistory, window: Window, place: Place) -> Series:
    return list(history.uptime(window, place))


def balance_days(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    """How long the account that runs out first still lasts."""
    providers = place.filters.provider
    lasts = [
        balance.amount / balance.spend_per_hour / 24
        for balance in current.context.balances
        if balance.spend_per_hour and (not providers or balance.account.kind in providers)
    ]
    return Reading(min(lasts, default=None))


def idle_hours(current: CurrentMetrics, window: Window, place: Place) -> Reading:
    """Of the lease that has been idle longest; 0 while all are in use, unknown where there is none."""
    providers = place.filters.provider
    leases = [lease for lease in current.context.leases if not providers or lease.account.kind in providers]
    since = [current.context.unused_since(lease) for lease in leases]
    hours = [Decimal(int((current.now - at).total_seconds())) / 3600 if at else Decimal(0) for at in since]
    return Reading(max(hours) if hours else None)
