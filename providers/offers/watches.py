"""Watches on offers: the lowest price of what somebody waits for, against the price of the watch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Value
from django.shortcuts import get_object_or_404
from django.utils.html import format_html
from django.utils.translation import gettext as _

from lib.formats import ago, dollars, percent, state
from providers.models import Offer, OfferWatch
from providers.models.offers import OfferQuerySet
from providers.offers.sources import fresh_of, sources

# A vendor that we cannot read may still have the offer; after a day of silence nobody should count on it.
BELIEVED = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class WatchNow:
    """A watch at one moment. `lowest`: the cheapest offer like it of vendors that are read on time; `old`: a cheaper
    one that a vendor told of within the last day and could not be asked about since."""

    watch: OfferWatch
    lowest: Offer | None
    old: Offer | None

    @property
    def below(self) -> bool:
        return self.lowest is not None and self.lowest.whole_per_gpu_hour < self.watch.price

    @property
    def unsure(self) -> bool:
        """Nothing is below the line that we know to be of now, but something old is."""
        return not self.below and self.old is not None and self.old.whole_per_gpu_hour < self.watch.price

    def state_mark(self) -> str:
        """Whether it is there at its price, and where nobody knows that, what was seen last."""
        if self.below:
            return state("ok", _("below the price"))
        if self.unsure and self.old:
            price, seen = dollars(self.old.whole_per_gpu_hour), ago(self.old.seen_at)
            seen_last = format_html(_("{price}, {ago}"), price=price, ago=seen)
            return format_html('{}<span class="secondary">{}</span>', state("unknown", _("not confirmed")), seen_last)
        return state("info", _("waiting")) if self.lowest else state("unknown", _("not available"))

    def conditions(self) -> str:
        """Where it must be and how reliable; empty where that does not matter."""
        least = self.watch.min_reliability
        reliable = _("reliability from %(share)s") % {"share": percent(least, 1)} if least else ""
        return " · ".join(part for part in (self.watch.region, reliable) if part)

    @property
    def over(self) -> Decimal | None:
        """By how much the lowest price is above the line, as a share of the line; None without an offer."""
        if self.lowest is None or not self.watch.price:
            return None
        more: Decimal = self.lowest.whole_per_gpu_hour - self.watch.price
        return more / Decimal(self.watch.price)


def all_watches_now(now: datetime) -> list[WatchNow]:
    """How every watch stands."""
    return watches_now(list(OfferWatch.objects.not_deleted()), fresh_of(sources(now)), now)


def watch_now(watch: OfferWatch, now: datetime) -> WatchNow:
    (row,) = watches_now([watch], fresh_of(sources(now)), now)
    return row


def watch_or_404(pk: int) -> OfferWatch:
    return get_object_or_404(OfferWatch.objects.not_deleted(), pk=pk)


def deleted_watch_or_404(pk: int) -> OfferWatch:
    """Also one that is not deleted: an undo that is pressed twice changes nothing."""
    return get_object_or_404(OfferWatch, pk=pk)


def stored_watch(watch: OfferWatch) -> OfferWatch:
    """The row as it is stored: a form that was refused has changed the one that it was given."""
    return OfferWatch.objects.get(pk=watch.pk)


def save_watch(*, watch: OfferWatch) -> None:
    watch.save()


def watches_now(watches: Sequence[OfferWatch], fresh: Collection[str], now: datetime) -> list[WatchNow]:
    """How each watch stands; `fresh` are the providers whose offers are read on time. At most two statements."""
    lowest = _lowest(watches, Offer.objects.filter(provider__in=fresh))
    old = _lowest(watches, Offer.objects.exclude(provider__in=fresh).filter(seen_at__gt=now - BELIEVED))
    return [WatchNow(watch, lowest.get(watch.pk), old.get(watch.pk)) for watch in watches]


def _lowest(watches: Sequence[OfferWatch], offers: OfferQuerySet) -> dict[int, Offer]:
    """By watch, the cheapest offer like it. One statement: each watch looks at the prices of its GPU alone."""
    each = [
        offers.like(watch).annotate(watch=Value(watch.pk)).order_by("whole_per_gpu_hour", "pk")[:1] for watch in watches
    ]
    if not each:
        return {}
    rows = each[0].union(*each[1:], all=True) if len(each) > 1 else each[0]
    return {offer.watch: offer for offer in rows}  # type: ignore[attr-defined]  # annotated above
