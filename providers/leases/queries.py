"""Reads of leases: hours and cost so far and to the end of the month, idle machines, and how long prepaid money lasts.

Cost here is observed time times the price of that time; the ledger says what counts as spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, models
from django.db.models import F, Prefetch, Sum
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from lib.dates import midnight
from lib.formats import ago, dollars, until, when
from lib.money import COST_STEP, ZERO
from lib.paging import cursor_id, cursor_value, decode_cursor
from providers.accounts.freshness import AccountNow
from providers.engine_metrics.series import busy_shares
from providers.models import Balance, Deployment, Lease, LeaseSpan, LeaseState, OfferKind
from providers.models.leases import IDLE_BELOW, LeaseQuerySet, Seconds

HOUR_S = Decimal(3600)
WIDE: models.DecimalField[Any, Any] = models.DecimalField(max_digits=40, decimal_places=20)
MONTH_HOURS = Decimal(730)
LOW_RUNWAY = timedelta(days=3)
LONGEST_RUNWAY = timedelta(days=3650)  # beyond it a date says nothing


@dataclass(frozen=True, slots=True)
class LeaseNow:
    """A lease with its figures. Money is USD, `hours` are those that we observed, stopped ones included."""

    lease: Lease
    hours: Decimal
    cost: Decimal
    month_cost: Decimal
    month_end: Decimal | None  # what this month will have cost if nobody stops it; None: it has ended, or not known
    stopped_since: datetime | None  # stopped and billed all the same
    old: bool = False  # its account has not told of it for a while
    engine_busy: float | None = None  # share of the last hour in which an engine on it had a request

    @property
    def active(self) -> bool:
        return self.lease.ended_at is None

    @property
    def unreported(self) -> bool:
        """Whether its account is switched off, so that nobody knows whether it still runs."""
        return self.active and not self.lease.reported

    @property
    def runs_gpu(self) -> bool:
        """Whether a GPU runs; a serverless endpoint whose workers all sleep runs none and costs nothing an hour."""
        asleep = self.lease.kind == OfferKind.SERVERLESS and not self.lease.price_per_hour
        return self.lease.state == LeaseState.RUNNING and self.lease.gpu_count > 0 and not asleep

    @property
    def unpriced(self) -> bool:
        """Stopped, and what its disk costs is not told before the next bill: unknown, not nothing."""
        priced = self.lease.price_per_hour or self.lease.disk_per_hour is not None
        return self.active and self.lease.state == LeaseState.STOPPED and not priced

    @property
    def price_per_gpu_hour(self) -> Decimal:
        price: Decimal = self.lease.price_per_hour
        return price / max(self.lease.gpu_count, 1)

    @property
    def deployments(self) -> Sequence[Deployment]:
        return list(self.lease.deployments.all())

    @property
    def utilisation(self) -> float | None:
        """0 to 1; see `busy_of`."""
        return busy_of(self.lease, self.engine_busy)[0]

    @property
    def busy_name(self) -> str:
        """What `utilisation` is a share of."""
        return busy_of(self.lease, self.engine_busy)[1]

    @property
    def busy_hours(self) -> Decimal | None:
        """Hours for which workers of a serverless endpoint were busy, all added; None of anything else."""
        return self.cost / self.lease.worker_per_hour if self.lease.worker_per_hour else None

    @property
    def mark(self) -> str:
        if self.old and self.active:
            return "unknown"
        if self.lease.stopping:
            return "info"
        marks = {LeaseState.RUNNING: "ok", LeaseState.STOPPED: "warn", LeaseState.PENDING: "info"}
        return marks.get(LeaseState(self.lease.state), "unknown")

    @property
    def word(self) -> str:
        if self.lease.stopping:
            return _("stopping")
        return _("unknown") if self.old and self.active else str(LeaseState(self.lease.state).label)

    def since(self) -> str:
        """From when to when, or what it was when it was seen last."""
        if self.unreported:
            return format_html(_("not reported since {since}"), since=when(self.lease.seen_at))
        if self.old:
            text = _("{word} when last read, {ago}")
            return format_html(text, word=self.lease.get_state_display(), ago=ago(self.lease.seen_at))
        if self.active:
            return format_html(_("since {since}"), since=when(self.lease.started_at))
        text = _("{since} to {until}")
        return format_html(text, since=when(self.lease.started_at), until=when(self.lease.ended_at))

    @property
    def wasted(self) -> str:
        """Why it is paid for nothing, in a few words; empty where it is not, or where that cannot be told here.

        The present alone: after how long a lease counts as idle, the alert decides (`alerts/kinds/vendors.py`)."""
        if not self.active or self.unreported or not self.lease.price_per_hour:
            return ""
        if self.lease.state == LeaseState.STOPPED:
            return _("stopped, still billed")
        at_work = self.utilisation is not None and self.utilisation >= IDLE_BELOW  # perhaps it trains a model
        paid_idle = self.lease.state == LeaseState.RUNNING and self.lease.worker_per_hour is None
        if paid_idle and not at_work and not self.deployments:
            return _("no deployment uses it")
        if self.utilisation is not None and self.utilisation < IDLE_BELOW:
            return _("GPU almost idle")
        return ""


def monthly_cost(lease: Lease) -> Decimal:
    """What a lease costs in a month of 730 hours at its present price, USD, however long it has been rented."""
    price: Decimal = lease.price_per_hour
    return price * MONTH_HOURS


def hourly_price(price: Decimal) -> str:
    """The period of the mark `lease-month`: figures of another price an hour are no contradiction."""
    return f"at {price.normalize():f} USD an hour"


def busy_of(lease: Lease, engine_busy: float | None) -> tuple[float | None, str]:
    """How busy a lease is, 0 to 1, and the name of this figure: the GPU's by its vendor, else the engine's time in use.

    Neither is the share of the capacity that is used, which the break-even has from tokens."""
    if lease.utilisation is not None:
        return lease.utilisation, _("GPU busy, as %(vendor)s reports it") % {"vendor": lease.account.provider_name}
    return engine_busy, _("Last hour with a request, as the engine reports it") if engine_busy is not None else _(
        "Busy"
    )


def month_bounds(now: datetime) -> tuple[datetime, datetime]:
    """First moment of this month and of the next, in UTC as money is counted."""
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


def hours_between(start: datetime, end: datetime) -> Decimal:
    """Never below zero."""
    micro = (end - start) // timedelta(microseconds=1)
    return Decimal(max(micro, 0)) / 1_000_000 / HOUR_S


def lease_figures(leases: LeaseQuerySet, now: datetime, old_accounts: frozenset[int] = frozenset()) -> list[LeaseNow]:
    """Leases with hours, cost and deployments: four statements however many they are."""
    start, end = month_bounds(now)
    deployments = Prefetch("deployments", Deployment.objects.enabled().order_by("slug"))
    rows: list[Any] = list(leases.with_spans(start).select_related("account").prefetch_related(deployments))
    stopped = stopped_since(row for row in rows if row.state == LeaseState.STOPPED and row.ended_at is None)
    busy = busy_by_lease(rows, now)
    return [
        lease_now(row, now, end, stopped.get(row.pk), row.account_id in old_accounts, busy.get(row.pk)) for row in rows
    ]


def busy_by_lease(leases: Iterable[Lease], now: datetime) -> dict[int, float]:
    """By lease, the share of the last hour in which the busiest engine on it had a request; those alone that tell."""
    return busiest(
        {
            deployment.pk: lease.pk
            for lease in leases
            if lease.ended_at is None
            for deployment in lease.deployments.all()
        },
        now,
    )


def busiest(on: Mapping[int, int], now: datetime) -> dict[int, float]:
    """The same of deployments and the leases that they are on."""
    shares: dict[int, float] = {}
    for pk, share in (busy_shares(on, now) if on else {}).items():
        shares[on[pk]] = max(share, shares.get(on[pk], 0.0))
    return shares


def lease_now(
    row: Any, now: datetime, month_end: datetime, stopped: datetime | None, old: bool, busy: float | None
) -> LeaseNow:
    month_cost = (row.spent_this_month / HOUR_S).quantize(COST_STEP)
    ahead = row.price_per_hour * hours_between(now, month_end)
    return LeaseNow(
        lease=row,
        hours=(row.observed_s / HOUR_S).quantize(Decimal("0.0001")),
        cost=(row.spent / HOUR_S).quantize(COST_STEP),
        month_cost=month_cost,
        month_end=(month_cost + ahead).quantize(COST_STEP) if row.ended_at is None and row.reported else None,
        stopped_since=stopped,
        old=old or (row.ended_at is None and not row.reported),
        engine_busy=busy,
    )


def stopped_since(leases: Iterable[Lease]) -> dict[int, datetime]:
    """Since when each has stood still: the start of its newest span."""
    ids = [lease.pk for lease in leases]
    if not ids:
        return {}
    newest = LeaseSpan.objects.filter(lease__in=ids).order_by("lease_id", "-starts_at").distinct("lease_id")
    return dict(newest.values_list("lease_id", "starts_at"))


def spent_on(leases: LeaseQuerySet) -> Decimal:
    """What leases have come to in USD, all added, in one statement."""
    length = Seconds(F("ends_at") - F("starts_at"))
    spans = LeaseSpan.objects.filter(lease__in=leases.order_by())
    total: Decimal | None = spans.aggregate(total=Sum(length * F("price_per_hour"), output_field=WIDE))["total"]
    return ((total or ZERO) / HOUR_S).quantize(COST_STEP)


@dataclass(frozen=True, slots=True)
class LeaseDay:
    """One UTC day of a lease in one state: USD and hours observed."""

    day: date
    state: str
    hours: Decimal
    cost: Decimal


DAYS = """
SELECT d::date AS day, s.state,
       sum(extract(epoch FROM least(s.ends_at, d + interval '1 day') - greatest(s.starts_at, d))) / 3600 AS hours,
       sum(extract(epoch FROM least(s.ends_at, d + interval '1 day') - greatest(s.starts_at, d))
           * s.price_per_hour) / 3600 AS cost
FROM generate_series(%(first)s::timestamptz, %(last)s::timestamptz, '1 day') AS d
JOIN providers_leasespan AS s ON s.lease_id = %(lease)s AND s.starts_at < d + interval '1 day' AND s.ends_at > d
GROUP BY 1, 2 ORDER BY 1, 2
"""


def lease_days(lease: Lease, last: date, days: int) -> list[LeaseDay]:
    """What a lease was on each of the last days by its spans; days without any are missing."""
    end = midnight(last)
    bounds: dict[str, int | datetime] = {"lease": lease.pk, "first": end - timedelta(days=days - 1), "last": end}
    with connection.cursor() as cursor:
        cursor.execute(DAYS, bounds)
        return [LeaseDay(day, state, hours, cost) for day, state, hours, cost in cursor.fetchall()]


def hourly(leases: Iterable[LeaseNow]) -> Decimal:
    """What all that we rent now costs an hour; of what nobody reports it is not known."""
    return sum((entry.lease.price_per_hour for entry in leases if entry.active and not entry.unreported), ZERO)


# Which leases.


def all_leases() -> LeaseQuerySet:
    """What we rent and rented, newest first."""
    return Lease.objects.newest_first()


def active_leases() -> LeaseQuerySet:
    return Lease.objects.active().newest_first()


def ended_leases(limit: int) -> LeaseQuerySet:
    """The latest that ended."""
    return Lease.objects.exclude(ended_at=None).order_by("-ended_at", "-pk")[:limit]


def leases_after(leases: LeaseQuerySet, cursor: str | None) -> LeaseQuerySet:
    """What stands behind a cursor in the order of `all_leases`. Raises ApiError (422) for a cursor that is not ours."""
    values = decode_cursor(cursor, (str, int))
    return leases.before(cursor_value(datetime, values[0]), cursor_id(values[1])) if values else leases


def leases_of(deployments: Sequence[str]) -> LeaseQuerySet:
    """Of deployments by their slugs."""
    return all_leases().filter(pk__in=Deployment.objects.filter(slug__in=deployments).values("lease"))


def lease_or_404(pk: int) -> Lease:
    """With its account."""
    return get_object_or_404(Lease.objects.select_related("account"), pk=pk)


def figures_of(lease: Lease, now: datetime) -> LeaseNow:
    """Hours, cost and deployments of one lease."""
    (row,) = lease_figures(Lease.objects.filter(pk=lease.pk), now)
    return row


def gpus_ever_rented() -> list[str]:
    gpus = Lease.objects.exclude(gpu="").order_by("gpu").values_list("gpu", flat=True)
    return list(gpus.distinct())


def accounts_with_old_leases(accounts: Iterable[AccountNow]) -> frozenset[int]:
    """Ids of accounts whose leases were not read on time. Pure."""
    return frozenset(account.account.pk for account in accounts if (feed := account.feed("leases")) is None or feed.old)


# How long prepaid money lasts.


@dataclass(frozen=True, slots=True)
class Runway:
    """Prepaid money at a vendor. `lasts_until` is None where so little is spent that no date can be said."""

    balance: Balance
    per_hour: Decimal
    said_by_vendor: bool
    lasts_until: datetime | None
    old: bool
    left: timedelta | None = None  # from now on

    @property
    def soon(self) -> bool:
        """Within a week, so that a weekday says which day."""
        return self.left is not None and self.left < timedelta(days=6)

    @property
    def low(self) -> bool:
        return self.left is not None and self.left < LOW_RUNWAY

    @property
    def empty(self) -> bool:
        return bool(self.balance.amount <= 0)

    def finding(self) -> str:
        """How long it lasts, as a sentence without its full stop."""
        if self.empty:
            text, day = _("The prepaid balance at {name} is used up"), ""
        elif self.lasts_until:
            text, day = (
                _("{name} balance ({amount}) lasts until <b>{day}</b> at this rate"),
                self._day(self.lasts_until),
            )
        elif self.per_hour:
            text, day = _("{name} balance ({amount}) lasts for years at this rate"), ""
        else:
            text, day = _("{name} balance ({amount}) is not being used"), ""
        return format_html(text, name=self.balance.account.name, amount=dollars(self.balance.amount), day=day)

    def _day(self, moment: datetime) -> str:
        return until(moment) if self.soon else date_format(timezone.localtime(moment), "l, j F")

    def ends(self) -> str:
        """When it is used up, or why no moment can be said."""
        if self.lasts_until is None:
            return _("years") if self.per_hour else _("not used")
        return until(self.lasts_until) if self.soon else when(self.lasts_until)


def runway(balance: Balance, rented_per_hour: Decimal, now: datetime, old: bool = False) -> Runway:
    """When a balance reaches zero at the vendor's own rate, or at what our leases there cost where it says none."""
    reported = balance.spend_per_hour is not None
    per_hour = balance.spend_per_hour if balance.spend_per_hour is not None else rented_per_hour
    end = None
    if per_hour > 0:
        seconds = min(max(balance.amount, ZERO) / per_hour * HOUR_S, Decimal(10) ** 12)
        lasts = timedelta(seconds=int(seconds))
        end = balance.at + lasts if lasts < LONGEST_RUNWAY else None
    return Runway(balance, per_hour, reported, end, old, end - now if end else None)


def runways(accounts: Iterable[AccountNow], leases: Iterable[LeaseNow], now: datetime) -> list[Runway]:
    """Every prepaid balance, the soonest to end first."""
    per_hour: dict[int, Decimal] = {}
    for entry in leases:
        if entry.active and not entry.unreported:
            pk = entry.lease.account_id
            per_hour[pk] = per_hour.get(pk, ZERO) + entry.lease.price_per_hour
    by_account = {account.account.pk: account for account in accounts}
    rows = []
    for balance in Balance.objects.filter(account__in=list(by_account)).select_related("account"):
        feed = by_account[balance.account_id].feed("balance")
        rows.append(runway(balance, per_hour.get(balance.account_id, ZERO), now, old=feed is None or feed.old))
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(rows, key=lambda account: (account.lasts_until or never, account.balance.account.slug))
