"""Writes of caps. Gateways follow within a second."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _

from traffic.models import Application, Cap, CapPeriod, CapUse, Installation, Key, QuotaUnit

MOST = {QuotaUnit.REQUESTS: 10**12, QuotaUnit.TOKENS: 10**12, QuotaUnit.USD: 10**6}  # what counters hold easily
LONGEST_DAYS = 40  # a month, and time to spare
MICRO = Decimal("0.000001")


def checked_amount(unit: str, number: Decimal) -> Decimal:
    """The amount of a cap as it is stored. Raises ValueError with a sentence."""
    most = MOST[QuotaUnit(unit)]
    if not 0 < number <= most:
        raise ValueError(_("Enter an amount above 0 and at most %(most)s.") % {"most": f"{most:,}"})
    step = MICRO if unit == QuotaUnit.USD else Decimal(1)
    if number != number.quantize(step):
        decimals = _("Six decimals at most.") if unit == QuotaUnit.USD else _("Enter a whole number.")
        raise ValueError(decimals)
    return number.quantize(step)


def set_cap(
    owner: Key | Application, *, unit: str, period: str, amount: Decimal, each_user: bool = False, task: str = ""
) -> tuple[Cap, bool]:
    """Give a key's line or an application a cap, in place of the one that counts the same; whether it is new.

    What the window has used so far stays counted.
    """
    whose = {"key_id": owner.line} if isinstance(owner, Key) else {"application": owner}
    return Cap.objects.update_or_create(
        **whose, each_user=each_user, task=task, unit=unit, period=period, defaults={"amount": amount}
    )


def delete_cap(cap: Cap) -> None:
    cap.delete()


def change_settings(installation: Installation, *, zone: str, refuse: bool) -> None:
    """What holds for all caps."""
    installation.cap_zone, installation.caps_refuse = zone, refuse
    installation.save(update_fields=["cap_zone", "caps_refuse"])


def purge_use(now: datetime) -> int:
    """Delete what windows used that are over for so long that no page and no counter asks for them; how many rows."""
    minutes = CapUse.objects.filter(cap__period=CapPeriod.MINUTE, starts_at__lt=now - timedelta(days=1))
    return minutes.delete()[0] + CapUse.objects.filter(starts_at__lt=now - timedelta(days=LONGEST_DAYS)).delete()[0]
