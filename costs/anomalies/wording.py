"""A finding in words: `Cache hits of code-helper fell from 88 % to 12 % since 23 Nov, 09:00 UTC: +$41.20 a day`."""

from __future__ import annotations

from django.utils.translation import gettext as _

from costs.models import Anomaly, Driver
from lib.formats import local, zone_name


def sentence(row: Anomaly) -> str:
    """One line with the name, the driver's figure before and after, since when, and the money."""
    values = {
        "name": row.subject, "before": figure(row, row.before), "after": figure(row, row.after), "since": since(row),
    }  # fmt: skip
    text = {
        Driver.CACHE: _("Cache hits of %(name)s fell from %(before)s to %(after)s since %(since)s"),
        Driver.SIZE: _("Requests of %(name)s grew from %(before)s to %(after)s since %(since)s"),
        Driver.ERRORS: _("Errors of %(name)s rose from %(before)s to %(after)s since %(since)s"),
        Driver.LATENCY: _("%(name)s slowed down from %(before)s to %(after)s since %(since)s"),
        Driver.VOLUME: _("Requests of %(name)s rose from %(before)s to %(after)s since %(since)s"),
        Driver.MIX: _("%(name)s moved to more expensive models, from %(before)s to %(after)s since %(since)s"),
        Driver.REST: _("Requests of %(name)s became more expensive, from %(before)s to %(after)s since %(since)s"),
    }[Driver(row.driver)] % values
    return text if row.costs is None else _("%(what)s: %(costs)s a day") % {"what": text, "costs": signed(row)}


def signed(row: Anomaly) -> str:
    amount = row.costs or 0
    return f"+${amount:,.2f}" if amount >= 0 else f"−${-amount:,.2f}"


def since(row: Anomaly) -> str:
    at = local(row.since)
    return f"{at:%-d %b, %H:%M} {zone_name(at)}"


def figure(row: Anomaly, value: float) -> str:
    """The driver's figure with its unit."""
    match row.driver:
        case Driver.CACHE | Driver.ERRORS:
            return f"{value * 100:.0f}\N{NO-BREAK SPACE}%"
        case Driver.SIZE:
            return _("%(n)s tokens") % {"n": f"{value:,.0f}"}
        case Driver.LATENCY:
            ms = value / 1000
            return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
        case Driver.VOLUME:
            return _("%(n)s a day") % {"n": f"{value:,.0f}"}
        case _:
            return _("%(usd)s each") % {"usd": f"${value:,.4f}"}
