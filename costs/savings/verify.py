"""Verifies an accepted saving: compares what a unit of work cost in whole days before the decision and after it.

The unit of a finding about calls is a request of the application's task, by any model; of idle hours a day of the
machine; of a rent a GPU hour of all machines with that GPU. So a change of the traffic does not change the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import sqrt
from typing import Any

from django.db.models import F, Sum

from costs.models import Finding, FindingKind
from lib.money import COST_STEP, ZERO
from providers.leases.queries import MONTH_HOURS, lease_days
from providers.models import Lease, LeaseState
from traffic.models import UsageDay

NEEDED_DAYS = 7  # whole days with work that are needed before and after the decision
MOST_DAYS = 14
T = 2.2  # Student's t, two-sided 95 %, with about 12 degrees of freedom (two weeks compared with two)
ARRIVED, PARTLY = 0.8, 0.2  # least shares of the promised saving for these results
MOVED = 0.1  # if more of the work moved to or from our own machines, the requests no longer show its cost

PER_REQUEST, PER_DAY, PER_GPU_HOUR = "request", "day", "gpu_hour"
UNITS = {FindingKind.IDLE: PER_DAY, FindingKind.RENT: PER_GPU_HOUR, FindingKind.OFFER: PER_GPU_HOUR}


@dataclass(frozen=True, slots=True)
class Day:
    """The cost of a day's work in USD; `leased` requests ran on our own machines and are not in `units` or the cost."""

    day: date
    units: Decimal
    cost: Decimal
    leased: int = 0


def unit_of(row: Finding) -> str:
    return UNITS.get(FindingKind(row.kind), PER_REQUEST)


def days_of(row: Finding, since: date, until: date) -> list[Day]:
    """Days with work from `since` until the day before `until`, ascending."""
    if unit_of(row) == PER_REQUEST:
        return request_days(row, since, until)
    count = (until - since).days
    leases = [row.lease] if row.kind == FindingKind.IDLE else Lease.objects.filter(gpu=row.evidence.get("gpu", ""))
    sums: dict[date, tuple[Decimal, Decimal]] = {}
    for lease in leases:
        for lease_day in lease_days(lease, until - timedelta(days=1), count) if lease else ():
            units, cost = sums.get(lease_day.day, (ZERO, ZERO))
            hours = (
                lease_day.hours * max(lease.gpu_count, 1) if lease and lease_day.state == LeaseState.RUNNING else ZERO
            )
            sums[lease_day.day] = (units + hours, cost + lease_day.cost)
    by_day = unit_of(row) == PER_DAY
    if by_day and row.lease and row.lease.ended_at:  # a machine that has ended costs nothing
        ended = max(row.lease.ended_at.astimezone(UTC).date() + timedelta(days=1), since)
        for n in range((until - ended).days):
            sums.setdefault(ended + timedelta(days=n), (ZERO, ZERO))
    return [
        Day(day, Decimal(1) if by_day else units, cost)
        for day, (units, cost) in sorted(sums.items())
        if by_day or units
    ]


def request_days(row: Finding, since: date, until: date) -> list[Day]:
    whose = UsageDay.objects.filter(day__gte=since, day__lt=until, application_id=row.application_id or 0)
    rows = (
        whose.filter(task=row.task)
        .values("day")
        .annotate(
            n=Sum(F("requests") - F("unpriced") - F("unknown_usage") - F("leased")),
            usd=Sum("cost"),
            own=Sum("leased"),
        )
        .order_by("day")
    )
    return [Day(usage["day"], Decimal(usage["n"]), usage["usd"], int(usage["own"])) for usage in rows if usage["n"] > 0]


def measured(days: Sequence[Day], unit: str) -> dict[str, Any]:
    """The JSON that a finding stores: sums, the cost of a unit in USD, and its standard error over the days."""
    units = sum((day.units for day in days), ZERO)
    cost = sum((day.cost for day in days), ZERO)
    each = cost / units if units else None
    spread = 0.0
    if each is not None and len(days) > 1:
        off = [float((day.cost - each * day.units) / (units / len(days))) for day in days]
        spread = sqrt(sum(day * day for day in off) / (len(days) - 1) / len(days))
    own = sum(day.leased for day in days)
    return {
        "unit": unit,
        "since": days[0].day.isoformat() if days else None,
        "until": (days[-1].day + timedelta(days=1)).isoformat() if days else None,
        "days": len(days),
        "units": str(units),
        "cost": str(cost),
        "each": None if each is None else str(each.quantize(COST_STEP)),
        "error": spread,  # standard error of `each`
        "leased": round(own / float(own + units), 4) if own + units else 0,
    }


def measure_before(row: Finding, today: date) -> dict[str, Any]:
    return measured(days_of(row, today - timedelta(days=MOST_DAYS), today), unit_of(row))


def measure_after(row: Finding, today: date) -> dict[str, Any]:
    """Measure the whole days after the decision; the day of the decision itself belongs to neither side."""
    assert row.decided_at is not None, "only what was accepted is verified"
    since = row.decided_at.astimezone(UTC).date() + timedelta(days=1)
    until = min(today, since + timedelta(days=MOST_DAYS))
    return measured(days_of(row, since, until) if until > since else [], unit_of(row))


def keep_verified(now: datetime) -> None:
    """Measure accepted findings again until two weeks after the decision are complete; then the result is final."""
    today = now.astimezone(UTC).date()
    for row in Finding.objects.filter(state=Finding.State.ACCEPTED).select_related("lease"):
        if row.after is None or row.after["days"] < MOST_DAYS:
            row.after = measure_after(row, today)
            row.save(update_fields=["after"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an accepted saving. `before` and `after` are USD a unit; `monthly`, with its 95 % interval from
    `low` to `high`, is USD a month at the present amount of work.

    `state`: `waiting` for more days, `moved` (work moved to or from our own machines, so it is unknown), `noise` (the
    difference may be chance), `arrived`, `partly`, `failed`.
    """

    state: str
    unit: str
    before: Decimal | None = None
    after: Decimal | None = None
    monthly: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    share: float | None = None  # of the promised saving
    days: int = 0


def outcome(row: Finding) -> Outcome | None:
    """The result of a finding from its stored measurements; None if it was not accepted."""
    before, after = row.before, row.after
    if row.state != Finding.State.ACCEPTED or before is None:
        return None
    seen = after["days"] if after else 0
    if before["days"] < NEEDED_DAYS or after is None or seen < NEEDED_DAYS:
        return Outcome("waiting", before["unit"], each_of(before), each_of(after), days=seen)
    old, new = Decimal(before["each"]), Decimal(after["each"])
    if abs(after["leased"] - before["leased"]) > MOVED:
        return Outcome("moved", before["unit"], old, new, days=seen)
    per_month = Decimal(after["units"]) / seen * MONTH_HOURS / 24
    monthly = (old - new) * per_month
    off = Decimal(T * sqrt(before["error"] ** 2 + after["error"] ** 2)) * per_month
    # The promise was for the amount of work at that time, so it is scaled to the present one.
    promised = row.decided_monthly or row.monthly
    then = Decimal(before["units"]) / before["days"] * MONTH_HOURS / 24
    share = float(monthly / (promised * per_month / then)) if promised and then else None
    return Outcome(
        state=judged(monthly, off, share),
        unit=before["unit"],
        before=old,
        after=new,
        monthly=monthly.quantize(COST_STEP),
        low=(monthly - off).quantize(COST_STEP),
        high=(monthly + off).quantize(COST_STEP),
        share=share,
        days=seen,
    )


def each_of(measure: dict[str, Any] | None) -> Decimal | None:
    return Decimal(measure["each"]) if measure and measure["each"] is not None else None


def judged(monthly: Decimal, off: Decimal, share: float | None) -> str:
    if monthly - off <= 0 <= monthly + off and off > 0:
        return "noise"
    if share is not None and share >= ARRIVED:
        return "arrived"
    return "partly" if share is not None and share >= PARTLY else "failed"
