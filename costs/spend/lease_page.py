"""One lease with all that is known of it: figures, days, bill, requests, and what it burns while nobody asks it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, Min, Sum
from django.http import Http404
from django.template.defaultfilters import floatformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, dollars, duration, figure, missing, sentences, usd4, when
from providers.leases.queries import (
    HOUR_S,
    WIDE,
    LeaseDay,
    LeaseNow,
    hourly_price,
    hours_between,
    lease_days,
    lease_figures,
    monthly_cost,
)
from providers.leases.services import StopWay
from providers.models import Account, Deployment, Lease, LeaseSpan, LeaseState, VendorCost
from providers.models.leases import Seconds
from traffic.usage.lease_use import last_requests, requests_by_hour

DAYS = 30
HOURS = 48
WHOLE_DAY = Decimal("23.9")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class ServedDeployment:
    """A deployment of the lease and the requests it served; `last` is None without any request for a week."""

    deployment: Deployment
    day: int
    week: int
    last: datetime | None
    hours: Sequence[int]  # requests of each of the last hours, the present one last


@dataclass(frozen=True, slots=True)
class Idle:
    """Since when a running lease has had no request, and what it has cost since then in USD."""

    since: datetime
    span: timedelta
    burnt: Decimal
    longest: bool  # at least so long: it is as far back as we look


@dataclass(frozen=True, slots=True)
class Billed:
    """What the vendor billed of the lease by category, in USD."""

    parts: Sequence[tuple[str, Decimal]]
    total: Decimal
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class StateTotal:
    """Hours of a lease in one state and what they cost in USD."""

    label: str
    hours: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class LeasePage:
    """One lease: its figures, the deployments on it, since when nobody asks it, and how it is stopped."""

    row: LeaseNow
    uses: Sequence[ServedDeployment]
    idle: Idle | None
    way: StopWay | None
    states: Sequence[StateTotal]
    spans: Sequence[LeaseSpan]  # the newest

    def answer(self) -> str:
        row = self.row
        if not row.active:
            text = _("<b>{lease}</b> cost <b>{cost}</b> in {hours} hours and ended on {ended}.")
        elif row.unreported:
            text = _("<b>{lease}</b> has not been reported since {seen}. It cost <b>{cost}</b> until then.")
        elif row.unpriced:
            text = _(
                "<b>{lease}</b> has cost <b>{cost}</b>. This month will be at least <b>{month}</b>. "
                "The next bill adds the disk."
            )
        else:
            text = _("<b>{lease}</b> has cost <b>{cost}</b>. This month will be <b>{month}</b> at the current rate.")
        values = {"lease": row.lease, "cost": dollars(row.cost), "hours": floatformat(row.hours, "1g")}
        values |= {"month": dollars(row.month_end), "ended": when(row.lease.ended_at)}
        values["seen"] = when(row.lease.seen_at)
        return sentences(format_html(text, **values), self._wasted())

    def _wasted(self) -> str:
        if not self.row.active or self.row.unpriced:
            return ""
        if self.idle and self.too_idle:
            if self.idle.longest:
                last = capfirst(no_requests(self.row.lease, timezone.now()))
                return format_html(_("{last}: <b>{cost}</b> spent idle."), last=last, cost=self._burnt(self.idle))
            text = _("No requests since {since}: <b>{cost}</b> spent idle.")
            return format_html(text, since=ago(self.idle.since), cost=self._burnt(self.idle))
        return _("Paid but unused: %(why)s.") % {"why": self.row.wasted} if self.row.wasted else ""

    def _burnt(self, idle: Idle) -> str:
        return figure(dollars(idle.burnt), "idle-cost", idle.burnt, scope=self.row.lease.pk)

    @property
    def too_idle(self) -> bool:
        """Whether it has been idle for as long as its rule allows."""
        limit = self.row.lease.idle_minutes
        return self.idle is not None and limit is not None and self.idle.span >= timedelta(minutes=limit)

    def machine(self) -> str:
        lease = self.row.lease
        what = f"{lease.gpu_count} × {lease.gpu}" if lease.gpu else capfirst(lease.get_kind_display())
        return f"{what}, {lease.account.provider_name}"

    def price(self) -> str:
        if self.row.unpriced:
            return _("disk, billed with the next bill")
        lease, month = self.row.lease, monthly_cost(self.row.lease)
        marked = figure(dollars(month), "lease-month", month, hourly_price(lease.price_per_hour), lease.pk)
        return format_html(_("{price} an hour, {month} a month"), price=f"${usd4(lease.price_per_hour)}", month=marked)

    def disk_price(self) -> str:
        per_hour = self.row.lease.disk_per_hour
        if per_hour is None:
            return _("not reported")
        return _("$%(price)s an hour, stopped or not") % {"price": usd4(per_hour)}

    def last_request(self) -> str:
        """When somebody asked it last, and what it has cost since then."""
        if not self.uses:
            return _("no deployment")
        if self.idle:
            last = no_requests(self.row.lease, timezone.now()) if self.idle.longest else ago(self.idle.since)
            return format_html(_("{last}, {cost} spent idle"), last=last, cost=self._burnt(self.idle))
        return _("just now") if self.row.lease.state == LeaseState.RUNNING and self.row.active else missing("dash")

    def no_requests(self) -> str:
        """What stands for the last request where there was none."""
        return no_requests(self.row.lease, timezone.now())

    def stop_headline(self) -> str:
        if not self.row.active:
            return _("Ended")
        return _("Stop paying") if self.way and self.way.call else _("Stop it at the vendor")

    def uses_headline(self) -> str:
        n = len(self.uses)
        if not n:
            return _("No deployments")
        return ngettext("1 deployment", "%(n)s deployments", n) % {"n": n}

    def days_headline(self) -> str:
        """Hours and cost of each state, for the heading of the chart."""
        return ", ".join(
            _("%(hours)s h %(label)s for %(cost)s")
            % {"hours": floatformat(total.hours, "1g"), "label": total.label, "cost": dollars(total.cost)}
            for total in self.states
        )

    def spans_headline(self) -> str:
        return _("States and prices") if self.spans else _("No states recorded yet")


def no_requests(lease: Lease, now: datetime) -> str:
    """How long there were none, for a lease without a request in the last week; `now` bounds what it can know."""
    age = now - lease.started_at
    if age < timedelta(days=7):
        return _("no requests since it started %(span)s ago") % {"span": duration(age)}
    return _("none for 7 days")


def account_of(pk: int) -> Account:
    """The account of a lease, with its feeds; raises Http404."""
    account = Account.objects.with_feeds().filter(leases=pk).first()
    if account is None:
        raise Http404
    return account


def lease_now(pk: int, now: datetime, old: frozenset[int]) -> LeaseNow:
    """A lease with its figures; `old` are accounts whose last poll is too long ago."""
    (row,) = lease_figures(Lease.objects.filter(pk=pk), now, old)
    return row


def newest_spans(lease: Lease, most: int) -> list[LeaseSpan]:
    return list(lease.spans.order_by("-starts_at")[:most])


def served(row: LeaseNow, now: datetime) -> list[ServedDeployment]:
    """Count the requests of each deployment of a lease, in at most three statements."""
    by_hour = requests_by_hour([deployment.pk for deployment in row.deployments], now)
    last = last_requests({pk: max(hours) for pk, hours in by_hour.items()})
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    wanted = [first + timedelta(hours=n) for n in range(HOURS)]
    return [
        ServedDeployment(
            deployment=deployment,
            day=sum(n for hour, n in by_hour.get(deployment.pk, {}).items() if hour > now - timedelta(hours=24)),
            week=sum(by_hour.get(deployment.pk, {}).values()),
            last=last.get(deployment.pk),
            hours=[by_hour.get(deployment.pk, {}).get(hour, 0) for hour in wanted],
        )
        for deployment in row.deployments
    ]


def idle(lease: Lease, uses: Sequence[ServedDeployment], now: datetime) -> Idle | None:
    """Return None where the lease does not run, has no deployment, or had a request a moment ago."""
    if lease.ended_at is not None or lease.state != LeaseState.RUNNING or not uses:
        return None
    last_uses = [use.last for use in uses if use.last]
    since = max(last_uses) if last_uses else max(lease.started_at, now - timedelta(days=7))
    if since > now - timedelta(minutes=1):
        return None
    return Idle(since, now - since, lease.price_per_hour * hours_between(since, now), longest=not last_uses)


def billed(lease: Lease) -> Billed | None:
    """None until the vendor's bill names the lease."""
    lines = VendorCost.objects.filter(account=lease.account_id, resource=lease.external_id)
    bounds = lines.aggregate(first=Min("starts_at"), last=Max("ends_at"))
    if bounds["first"] is None:
        return None
    rows = lines.order_by().values_list("category").annotate(total=Sum("amount")).order_by("-total", "category")
    parts = [(category, total) for category, total in rows]
    return Billed(parts, sum((total for _category, total in parts), ZERO), bounds["first"], bounds["last"])


def bars(lease: Lease, today: date) -> list[dict[str, Any]]:
    """Return the cost by day for the chart, running hours apart from stopped ones."""
    by_day: dict[date, list[LeaseDay]] = {}
    for entry in lease_days(lease, today, DAYS):
        by_day.setdefault(entry.day, []).append(entry)
    if not by_day:
        return []
    first = min(by_day)
    days = [first + timedelta(days=n) for n in range((max(by_day) - first).days + 1)]
    return [bar(lease, day, by_day.get(day, [])) for day in days]


def bar(lease: Lease, day: date, entries: Sequence[LeaseDay]) -> dict[str, Any]:
    return {"label": f"{day.day} {day:%b}", "parts": parts(lease, entries), "note": hours(entries)}


def parts(lease: Lease, entries: Sequence[LeaseDay]) -> list[dict[str, Any]]:
    words = {True: (lease.account.kind, _("running")), False: ("other", _("stopped, still billed"))}
    amounts = []
    for running, (key, name) in words.items():
        amount = sum((e.cost for e in entries if (e.state != LeaseState.STOPPED) == running), ZERO)
        if amount:
            amounts.append({"key": key, "name": name, "amount": amount, "provenance": "estimated"})
    return amounts


def hours(entries: Sequence[LeaseDay]) -> str:
    """Of a day that it was not rented from end to end; whole days would crowd the chart."""
    total = sum((entry.hours for entry in entries), ZERO)
    return "" if total >= WHOLE_DAY else _("%(hours).1f h") % {"hours": total}


def by_state(lease: Lease) -> list[StateTotal]:
    """Add up hours and USD of the lease's whole life by its state."""
    length = Seconds(F("ends_at") - F("starts_at"))
    rows = (
        lease.spans.order_by()
        .values("state")
        .annotate(seconds=Sum(length), usd=Sum(length * F("price_per_hour"), output_field=WIDE))
    )
    return [
        StateTotal(str(LeaseState(row["state"]).label), row["seconds"] / HOUR_S, row["usd"] / HOUR_S)
        for row in rows.order_by("-seconds")
    ]
