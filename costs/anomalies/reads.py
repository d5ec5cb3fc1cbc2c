"""The windows from the hours of the rollups, in one query; never from requests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Sum
from django.shortcuts import get_object_or_404

from costs.anomalies.drivers import Rates
from costs.anomalies.find import Key, Windows
from costs.anomalies.history import DAYS
from costs.anomalies.sums import COLUMNS, Sums
from costs.list_prices import ListPrices, listed_rates
from costs.models import Anomaly
from traffic.models import UsageDay, UsageHour

SHORT_H = 4
SINCE_DAYS = 15  # looked back through for the begin of a finding; a rise in spend needs the week before as well

WINDOWS = f"""
SELECT application_id, model, back / 24, back %% 24 < {SHORT_H}, {", ".join(f"sum({name})" for name in COLUMNS)}
FROM (
    SELECT *, (extract(epoch FROM %(end)s - hour) / 3600)::int - 1 AS back FROM traffic_usage_hour
    WHERE hour >= %(first)s AND hour < %(end)s
) AS u
WHERE requests > 0 GROUP BY 1, 2, 3, 4
"""


def full_hour(now: datetime) -> datetime:
    """The end of the last full hour: one that has only begun would look quiet."""
    return now.replace(minute=0, second=0, microsecond=0)


def windows(now: datetime) -> Windows:
    """Whole days, and the same last hours of each, backwards from the last full hour."""
    end = full_hour(now)
    days: dict[Key, dict[int, Sums]] = defaultdict(dict)
    hours: dict[Key, dict[int, Sums]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(WINDOWS, {"end": end, "first": end - timedelta(days=DAYS + 1)})
        for application, model, n, short, *values in cursor.fetchall():
            sums = Sums.of_row(values)
            if short:
                hours[application, model][n] = sums
            days[application, model].setdefault(n, Sums()).add(sums)
    return Windows(days, hours)


def anomaly(pk: int) -> Anomaly:
    """Raises Http404."""
    return get_object_or_404(Anomaly, pk=pk)


def rates(now: datetime, models: Iterable[str]) -> dict[str, Rates]:
    """List prices in USD per million tokens, by the name that requests use: those of the provider that served most of a
    model's requests of the last week, as others may sell the same name for another price. Discounts are left out."""
    today = now.date()
    used = UsageDay.objects.filter(day__gt=today - timedelta(days=7), day__lte=today, model__in=set(models))
    counted = used.values_list("model", "provider").annotate(n=Sum("requests")).order_by("n")
    served = {model: provider for model, provider, _n in counted}  # the last one of each is the largest
    prices = ListPrices.of(served, discounts={})
    priced = {model: prices.in_force(provider, model, now) for model, provider in served.items()}
    return {model: listed_rates(price) for model, price in priced.items() if price is not None}


def hourly(now: datetime, applications: Iterable[int], models: Iterable[str]) -> dict[Key, dict[datetime, Sums]]:
    """The hours of the last 15 days of some applications, by model too; and of some models whoever used them."""
    end, wanted, named = full_hour(now), set(applications), set(models)
    rows = UsageHour.objects.filter(hour__gte=end - timedelta(days=SINCE_DAYS), hour__lt=end)
    rows = rows.filter(application__in=wanted) if not named else rows
    sums_by_key: dict[Key, dict[datetime, Sums]] = defaultdict(dict)
    sums = {f"{name}_sum": Sum(name) for name in COLUMNS}
    for application, model, hour, *values in (
        rows.values_list("application_id", "model", "hour").annotate(**sums).order_by()
    ):
        hour_sums = Sums.of_row(values)
        keys = [(application, model), (application, "")] if application in wanted else []
        keys += [(0, model)] if model in named and (0, model) not in keys else []
        for key in keys:
            sums_by_key[key].setdefault(hour, Sums()).add(hour_sums)
    return sums_by_key
