"""The stored result of comparing a month's bills: the worker keeps it up to date, pages and alerts read it.

The comparison takes a dozen statements over all rows of the month. One statement gives the version of these rows from
counts, sums and last changes: if it differs from that of a stored status, the status is outdated.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from costs.models import BillStatus
from costs.reconciliation.reconcile import Cause, ProviderMonthBill, reconcile
from lib import sql
from lib.dates import DAY, midnight
from lib.periods import next_month

AMOUNTS = ("measured", "estimated", "billed", "invoiced")
# The days before and after the month belong to it, because the comparison also explains amounts on a neighbour day.
DATA_VERSION = """
SELECT md5(concat_ws('|',
  (SELECT concat_ws(' ', count(*), sum(amount), max(updated_at)) FROM costs_charge
    WHERE day >= %(since)s AND day < %(until)s OR invoice_month = %(month)s),
  (SELECT concat_ws(' ', count(*), sum(requests), sum(cost), sum(unpriced), sum(unknown_usage), sum(batched),
      sum(uncached_input + cache_read + cache_write_5m + cache_write_1h + output))
    FROM traffic_usage_day WHERE day >= %(since)s AND day < %(until)s),
  (SELECT concat_ws(' ', count(*), max(updated_at)) FROM providers_vendorusage
    WHERE starts_at >= %(starts_at)s AND starts_at < %(ends_at)s),
  (SELECT concat_ws(' ', count(*), sum(extract(epoch FROM least(ends_at, %(ends_at)s) - starts_at)))
    FROM providers_leasespan WHERE starts_at < %(ends_at)s AND ends_at > %(starts_at)s),
  (SELECT string_agg(concat_ws(' ', f.id, (f.complete_until AT TIME ZONE 'UTC')::date, f.last_success_at IS NULL,
      f.last_error = '', f.disabled_reason = '', a.enabled), ',' ORDER BY f.id)
    FROM providers_feed AS f JOIN providers_account AS a ON a.id = f.account_id WHERE f.kind IN ('costs', 'usage')),
  (SELECT concat_ws(' ', count(*), max(updated_at)) FROM costs_keyowner),
  (SELECT concat_ws(' ', count(*), max(id)) FROM costs_closing WHERE month = %(first)s),
  (SELECT concat_ws(' ', count(*), max(id)) FROM providers_tokenprice),
  (SELECT concat_ws(' ', count(*), max(id), max(withdrawn_at)) FROM providers_discount),
  %(over)s::text
))
"""


@dataclass(frozen=True, slots=True)
class MonthBills:
    """The bills of a month as compared at `computed_at`; `outdated`: the data has changed since."""

    state: str
    rows: list[ProviderMonthBill]
    computed_at: datetime
    outdated: bool = False


def data_version(month: date, today: date) -> str:
    """The version of all rows that the comparison of a month reads."""
    until = next_month(month)
    bounds: dict[str, str | date | bool] = {
        "first": month, "month": f"{month:%Y-%m}", "since": month - DAY, "until": until + DAY, "over": today >= until,
        "starts_at": midnight(month - DAY), "ends_at": midnight(until + DAY),
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(DATA_VERSION, bounds)
        (version,) = cursor.fetchone()
    return str(version)


STATUS = sql.Table(BillStatus, "status")


def _status(month: date) -> BillStatus | None:
    return next(iter(STATUS.read("WHERE month = %s", [month])), None)


def stored(month: date, now: datetime) -> MonthBills:
    """The stored status, perhaps outdated; computed only if none is stored."""
    version, status = data_version(month, now.astimezone(UTC).date()), _status(month)
    return _compute(month, now, version) if status is None else _bills(status, version)


def stored_or_none(month: date, now: datetime) -> MonthBills | None:
    """The stored status, perhaps outdated, for pages that must not wait for a comparison."""
    status = _status(month)
    return None if status is None else _bills(status, data_version(month, now.astimezone(UTC).date()))


def current(month: date, now: datetime) -> MonthBills:
    """The status, computed again if the data has changed."""
    version, status = data_version(month, now.astimezone(UTC).date()), _status(month)
    if status is None or status.data_version != version:
        return _compute(month, now, version)
    return _bills(status, version)


def refresh(now: datetime) -> int:
    """Bring the running month, the last one and every month that has a status up to date; returns how many changed."""
    running = now.astimezone(UTC).date().replace(day=1)
    versions = dict(BillStatus.objects.values_list("month", "data_version"))
    months = {running, (running - DAY).replace(day=1), *versions}
    changed = 0
    for month in sorted(months):
        version = data_version(month, now.astimezone(UTC).date())
        if versions.get(month) != version:
            _compute(month, now, version)
            changed += 1
    return changed


def _compute(month: date, now: datetime, version: str) -> MonthBills:
    """Compare the month and store the result under `version`."""
    # The version was read before the data, so a change in between makes the status outdated and never falsely current.
    outcome = reconcile(month, now)
    status, _made = BillStatus.objects.update_or_create(
        month=month,
        defaults={
            "state": outcome.state,
            "providers": [_as_json(row) for row in outcome.rows],
            "data_version": version,
            "computed_at": timezone.now(),
        },
    )
    return MonthBills(outcome.state, list(outcome.rows), status.computed_at)


def _as_json(row: ProviderMonthBill) -> dict[str, Any]:
    return {
        **{name: getattr(row, name) for name in ("provider", *AMOUNTS, "complete_until", "closed_on")},
        "causes": [
            {"cause": cause.cause, "amount": cause.amount, "requests": cause.requests, "models": list(cause.models)}
            for cause in row.causes
        ],
    }


def _bills(status: BillStatus, version: str) -> MonthBills:
    rows = [_row(values) for values in status.providers]
    return MonthBills(status.state, rows, status.computed_at, status.data_version != version)


def _row(values: dict[str, Any]) -> ProviderMonthBill:
    causes = [
        Cause(cause["cause"], Decimal(cause["amount"]), cause["requests"], tuple(cause["models"]))
        for cause in values["causes"]
    ]
    return ProviderMonthBill(
        **{name: Decimal(values[name]) for name in AMOUNTS},
        causes=causes,
        provider=values["provider"],
        complete_until=_day(values["complete_until"]),
        closed_on=_day(values["closed_on"]),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
