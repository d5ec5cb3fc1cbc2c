"""By what the cost of a machine is shared, from which month on, and what either choice does to a month."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.translation import gettext as _

from costs.allocation.lease_shares import lease_shares, shared_by
from costs.allocation.queries import counted_charges, leased, share_of
from costs.models import Sharing
from lib import formats
from lib.formats import dollars
from lib.money import ZERO
from lib.periods import next_month
from traffic.models import Application


@dataclass
class SharingComparison:
    """One application's part of the machines, or what nobody used, by each choice."""

    name: str
    idle: bool = False
    amounts: dict[str, Decimal] = field(default_factory=lambda: defaultdict(lambda: ZERO))

    @property
    def tokens(self) -> Decimal:
        return self.amounts[Sharing.By.TOKENS]

    @property
    def time(self) -> Decimal:
        return self.amounts[Sharing.By.TIME]

    @property
    def change(self) -> Decimal:
        return self.time - self.tokens


def current(day: date) -> str:
    """The choice that holds on a day."""
    return shared_by(day, Sharing.objects.spans())


def choices() -> QuerySet[Sharing]:
    """All that were made, with who made them."""
    return Sharing.objects.select_related("set_by")


def choose(month: date, by: str, *, user_id: int | None) -> Sharing:
    """Share by tokens or by time from a month on."""
    choice, _made = Sharing.objects.update_or_create(starts_on=month, defaults={"by": by, "set_by_id": user_id})
    return choice


def compared(month: date) -> list[SharingComparison]:
    """The month's machines by tokens and by time; both add up to the same total, what nobody used stands last."""
    machines = leased(counted_charges(month, next_month(month))[0])
    names = dict(Application.objects.values_list("pk", "name"))
    rows: dict[tuple[bool, int], SharingComparison] = {}
    for by in Sharing.By.values:
        for row in lease_shares(machines, by):
            line = share_of(row)
            who = line.attribution.application_id
            name = _("Idle") if line.idle else names.get(who, _("Requests without an application"))
            rows.setdefault((line.idle, who), SharingComparison(name, line.idle)).amounts[by] += line.amount
    return sorted(rows.values(), key=lambda row: (row.idle, -row.tokens, row.name))


def headline(month: date, rows: list[SharingComparison], how: str) -> str:
    """What the month's machines cost, by what they are shared, and what of them is idle either way."""
    total = sum((row.tokens for row in rows), ZERO)
    idle = next((row for row in rows if row.idle), None)
    text = _("No GPU cost in {month}. The method is <b>{how}</b>.")
    if (total and idle) or total:
        text = _("GPU cost of <b>{total}</b> in {month} is split by <b>{how}</b>.")
    return format_html(
        text,
        total=dollars(total),
        month=formats.month(month),
        how=how,
        by_tokens=dollars(idle and idle.tokens),
        by_time=dollars(idle and idle.time),
    )
