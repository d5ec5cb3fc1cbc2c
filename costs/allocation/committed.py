"""What the month costs whatever the traffic: leases that run, and charges that come again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from costs.allocation.queries import Attribution, Line
from costs.dates import month_of
from costs.models import Category, ExchangeRate, Provenance, Recurrence
from lib import sql
from lib.money import ZERO
from providers.models import Account, Lease, provider_name


@dataclass(frozen=True)
class Committed:
    """The leases that run, and the charges that recur between tomorrow and the end of the month."""

    today: date
    leases: tuple[Lease, ...] = ()
    due: tuple[tuple[Recurrence, date], ...] = ()

    @property
    def hourly(self) -> Decimal:
        """What all leases cost an hour, USD."""
        return sum((lease.price_per_hour for lease in self.leases), ZERO)

    def coming(self) -> Iterator[Line]:
        """Yield a line for each charge on its day; a charge whose currency has no rate is left out."""
        for again, day in self.due:
            amount = in_usd(again, self.today)
            if amount is not None:
                who = Attribution(application_id=again.application_id or 0)
                yield Line(day, again.provider, Provenance.ENTERED, amount, who, committed=True)


NOTHING = Committed(date.min)


LEASE, ACCOUNT, RECURRENCE = sql.Table(Lease, "l"), sql.Table(Account, "a"), sql.Table(Recurrence, "r")
# Those that `LeaseQuerySet.reported` has.
REPORTED = f"""
SELECT {LEASE}, {ACCOUNT} FROM providers_lease AS l JOIN providers_account AS a ON a.id = l.account_id
WHERE l.ended_at IS NULL AND a.enabled AND a.new_identity = '{{}}' ORDER BY l.price_per_hour DESC, l.id
"""
GOING_ON = "WHERE stopped_at IS NULL AND (until IS NULL OR until >= %s)"  # as `RecurrenceQuerySet.going_on`


def read(today: date) -> Committed:
    running = sql.joined(REPORTED, LEASE, account=ACCOUNT)
    return Committed(today, tuple(running), tuple(due(today)))


def due(today: date) -> Iterator[tuple[Recurrence, date]]:
    last = month_of(today)[1]
    for again in RECURRENCE.read(GOING_ON, [today + timedelta(1)]):
        for day in again.days(last):
            # The charge of today is in the ledger already, so it is no cost to come.
            if day > today and day.isoformat() not in again.skipped:
                yield again, day


def in_usd(again: Recurrence, today: date) -> Decimal | None:
    """Convert a recurring charge's amount at today's rate; None where its currency has no rate."""
    if again.currency == "USD":
        return again.original_amount
    rate = ExchangeRate.objects.at(again.currency, today)
    return again.original_amount * rate.usd if rate else None


@dataclass(frozen=True, slots=True)
class Commitment:
    """One cost that does not depend on traffic; `to_come` is what it still costs this month, None without a rate."""

    name: str
    kind: str
    provider: str
    price: str  # in words
    to_come: Decimal | None


def commitments(committed: Committed, hours: Decimal) -> list[Commitment]:
    """List running leases, the most expensive first, then recurring charges; `hours` are left of the month."""
    leases = [
        Commitment(
            name=str(lease),
            kind=str(lease.get_kind_display()),
            provider=provider_name(lease.account.kind),
            price=f"${lease.price_per_hour:,.3f}/h",
            to_come=lease.price_per_hour * hours,
        )
        for lease in committed.leases
    ]
    labels = dict(Category.choices)
    again = [
        Commitment(
            name=recurrence.description or str(labels.get(recurrence.category, recurrence.category)),
            kind=f"{recurrence.get_every_display()}, {day:%Y-%m-%d}",
            provider=provider_name(recurrence.provider),
            price=f"{recurrence.original_amount:,.2f} {recurrence.currency}",
            to_come=in_usd(recurrence, committed.today),
        )
        for recurrence, day in committed.due
    ]
    return leases + again
