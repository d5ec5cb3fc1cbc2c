"""Offers that somebody watches for."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from django.urls import reverse
from django.utils.translation import gettext as _

from alerts.context.evaluation import EvaluationContext
from alerts.kinds.finding import Finding, RuleParams, Words
from alerts.wording import exact, moment, percent
from providers.leases.queries import MONTH_HOURS
from providers.models import Offer, OfferWatch
from providers.offers import WatchNow, kind_label


def watched(context: EvaluationContext, params: RuleParams, live: frozenset[str]) -> Iterable[Finding]:
    """One subject for each watch with an offer below its line; one that somebody removed is no news."""
    for entry in context.offer_watches:
        subject = f"offer:{entry.watch.pk}"
        if entry.below:
            yield is_below(entry, subject)
        elif subject in live:
            yield is_kept(entry, subject) if entry.unsure else is_over(entry, subject)


def is_below(entry: WatchNow, subject: str) -> Finding:
    offer, watch = entry.lowest, entry.watch
    assert offer is not None, "below() asks for it"
    price: Decimal = offer.whole_per_gpu_hour
    values = {"gpu": str(watch), "price": rate(price), "line": rate(watch.price), "where": offer.provider_name}
    less = (watch.price - price) * MONTH_HOURS
    return Finding(
        subject=subject,
        title=_("Offer: %(gpu)s at %(price)s an hour, below %(line)s") % values,
        crossed=True,
        clear=False,
        value=f"{price:f}",
        threshold=f"{watch.price:f}",
        words=Words(
            todo=_("Check the offer, and rent it at %(where)s if it fits.") % values,
            detail=_("%(where)s offers it for %(price)s per GPU-hour, below your limit of %(line)s.") % values,
            facts=[
                [_("Price"), _("%(price)s per GPU-hour") % values, offer.provider_name],
                [_("A month"), exact(price * MONTH_HOURS), _("730 hours of one GPU")],
                [_("Below the limit by"), exact(less), _("a month of one GPU")],
                *facts(offer),
                [_("Seen"), moment(offer.seen_at), _("the vendor's list")],
            ],
            page=page(watch),
            over=_("Was offered: %(gpu)s at %(price)s an hour") % values,
            providers=[offer.provider],
        ),
    )


def facts(offer: Offer) -> Iterable[list[str]]:
    yield [_("GPU"), f"{offer.gpu_count} × {offer.gpu}", kind_label(offer.kind)]
    if offer.region:
        yield [_("Where"), offer.region, offer.provider_name]
    if offer.reliability is not None:
        yield [_("Reliability"), percent(offer.reliability), _("reported by the vendor")]


def is_kept(entry: WatchNow, subject: str) -> Finding:
    """The vendor cannot be asked: whether the offer is still there is not known, so nothing changes."""
    old = entry.old
    assert old is not None, "unsure() asks for it"
    values = {"gpu": str(entry.watch), "price": rate(old.whole_per_gpu_hour), "where": old.provider_name}
    title = _("Offer not confirmed: %(gpu)s at %(price)s an hour") % values
    todo = _("%(where)s has not reported its offers recently. Check its account.") % values
    value = f"{old.whole_per_gpu_hour:f}"
    words = Words(todo=todo, page=page(entry.watch))
    return Finding(subject, title, crossed=False, clear=False, value=value, words=words)


def is_over(entry: WatchNow, subject: str) -> Finding:
    values = {"gpu": str(entry.watch), "line": rate(entry.watch.price)}
    if entry.lowest is None:
        title, value = _("Offer gone: %(gpu)s, none available") % values, ""
    else:
        value = f"{entry.lowest.whole_per_gpu_hour:f}"
        now = rate(entry.lowest.whole_per_gpu_hour)
        title = _("Offer over: %(gpu)s, now %(now)s, above %(line)s") % (values | {"now": now})
    words = Words(todo=_("No action needed. The watch continues."), page=page(entry.watch))
    return Finding(subject, title, crossed=False, clear=True, value=value, words=words)


def rate(price: Decimal) -> str:
    """`$0.34`, and as many decimals more as it has, up to four."""
    short = exact(price)
    return short if price == round(price, 2) else f"${price.quantize(Decimal('0.0001')).normalize():f}"


def page(watch: OfferWatch) -> str:
    return reverse("providers:offer-watch", args=[watch.pk])
