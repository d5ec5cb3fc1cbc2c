"""What the pages of leases say: what we rent and rented, and what stopping one does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, dollars, sentences, usd4, when
from lib.paging import Sorts
from providers.leases.queries import LeaseNow, hourly
from providers.leases.services import StopWay
from providers.models import Lease


def unpriced_note(leases: Sequence[LeaseNow]) -> str:
    """What the price of everything rented lacks: the disks of stopped machines that no bill has told yet."""
    unpriced = [row for row in leases if row.unpriced]
    if not unpriced:
        return ""
    text = ngettext(
        "<b>{name}</b> is stopped, but its disk is billed. The cost is on the next bill.",
        "{n} are stopped ({name} first), but their disks are billed. The cost is on the next bill.",
        len(unpriced),
    )
    return format_html(text, n=len(unpriced), name=unpriced[0].lease)


def unreported_note(leases: Sequence[LeaseNow]) -> str:
    """Leases of switched-off accounts, whose state nobody knows."""
    unknown = [row for row in leases if row.unreported]
    if not unknown:
        return ""
    text = ngettext(
        "The state of <b>{name}</b> is unknown since {since}: its account is not read.",
        "The state of {n} leases is unknown, {name} since {since}.",
        len(unknown),
    )
    return format_html(text, n=len(unknown), name=unknown[0].lease, since=when(unknown[0].lease.seen_at))


# What the list of leases can be sorted by; money is USD.
SORTS: Sorts = {
    "name": lambda row: str(row.lease),
    "state": lambda row: row.word,
    "gpu": lambda row: row.lease.gpu,
    "price": lambda row: None if row.unpriced else row.lease.price_per_hour,
    "hours": lambda row: row.hours if row.busy_hours is None else row.busy_hours,
    "cost": lambda row: row.cost,
    "month": lambda row: row.month_cost,
    "month_end": lambda row: row.month_end,
    "busy": lambda row: row.utilisation,
    "serves": lambda row: ", ".join(deployment.name for deployment in row.deployments),
}


@dataclass(frozen=True, slots=True)
class LeasesPage:
    """The leases that the address asks for: which are rented now, how many there are, and what they cost in USD."""

    active: Sequence[LeaseNow]
    total: int
    spent: Decimal
    filtered: bool
    sorted_among: int = 0  # how many of them the order is made of; 0 in the order of time

    def answer(self) -> str:
        if not self.total and self.filtered:
            return _("No lease matches. Remove a filter.")
        if not self.total:
            return _("No leases: nothing is rented, or no account with leases was read.")
        return sentences(self._spent(), unpriced_note(self.active), self._wasted(), unreported_note(self.active))

    def sorted_note(self) -> str:
        """Among which leases the order holds; empty where it holds among all."""
        if not 0 < self.sorted_among < self.total:
            return ""
        text = _("Sorted among the newest %(n)s leases. Choose an account, a GPU or a state to sort the others.")
        return text % {"n": count(self.sorted_among)}

    @property
    def running(self) -> Sequence[LeaseNow]:
        """What is rented now as far as anybody knows."""
        return [row for row in self.active if not row.unreported]

    def _spent(self) -> str:
        """What they cost so far and an hour; how many are rented stands in the heading above."""
        per_hour = hourly(self.running)
        if per_hour:
            text = _("Cost so far: <b>{spent}</b>. Rent now: <b>{hour} an hour</b>.")
        else:
            text = _("Cost so far: <b>{spent}</b>.") if self.active else _("Cost: <b>{spent}</b>. None is rented now.")
        return format_html(text, hour=dollars(per_hour), spent=dollars(self.spent))

    def _wasted(self) -> str:
        wasted = [row for row in self.active if row.wasted]
        if not wasted:
            return ""
        text = ngettext(
            "<b>{name}</b> is idle: {why}.",
            "Several are idle, <b>{name}</b> first: {why}.",
            len(wasted),
        )
        return format_html(text, name=wasted[0].lease, why=wasted[0].wasted)

    def headline(self) -> str:
        n = len(self.running)
        if n:
            return ngettext("1 rented now", "%(n)s rented now", n) % {"n": n}
        if self.active:
            return _("None known to run")
        return _("All ended") if self.total else _("No leases")


@dataclass(frozen=True, slots=True)
class StopPage:
    """What stopping a lease would do. `failed` is the vendor's refusal of a call that was made."""

    lease: Lease
    way: StopWay | None
    dry: bool = False
    failed: str = ""

    @property
    def possible(self) -> bool:
        """Whether the call may be made from here."""
        return self.way is not None and self.way.call is not None and not self.way.barred

    @property
    def destroys(self) -> bool:
        return self.way is not None and self.way.stop.destroys

    def answer(self) -> str:
        if self.way is None:
            text = _("<b>{lease}</b> cannot be stopped here: it has ended, or its vendor has no API for it.")
            return format_html(text, lease=self.lease)
        if self.way.barred:
            return format_html(_("<b>{lease}</b> cannot be stopped here. {why}"), lease=self.lease, why=self.way.barred)
        return sentences(self._saved(), self._goes_on())

    def _saved(self) -> str:
        per_hour, disk = self.lease.price_per_hour, self.lease.disk_per_hour or Decimal(0)
        if self.destroys:
            text = _("Ending <b>{lease}</b> saves <b>${saved} an hour</b> and deletes the instance.")
            return format_html(text, lease=self.lease, saved=usd4(per_hour))
        text = _("Stopping <b>{lease}</b> saves <b>${saved} an hour</b>.")
        return format_html(text, lease=self.lease, saved=usd4(per_hour - disk))

    def _goes_on(self) -> str:
        disk = self.lease.disk_per_hour
        if self.destroys or not self.possible or not disk:
            return ""
        return format_html(_("Its disk still costs ${disk} an hour."), disk=usd4(disk))

    def consequence(self) -> str:
        return _("This cannot be undone") if self.destroys else _("It can be started again at the vendor")

    def button(self) -> str:
        return _("Delete instance") if self.destroys else _("Stop GPU")
