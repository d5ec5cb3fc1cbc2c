"""What the pages of offers say: what can be rented, at what price, and what is cheaper than what we rent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import ago, at_least_dollars, count, dollars, sentences
from lib.money import ZERO
from providers.accounts.freshness import ON_TIME, AccountNow
from providers.leases.page import unpriced_note, unreported_note
from providers.leases.queries import LeaseNow, Runway, hourly
from providers.models import Offer, OfferKind, OfferWatch
from providers.offers.market import Market, histories
from providers.offers.savings import BestSaving, RentedGpu
from providers.offers.watches import WatchNow

GPUS_SHOWN = 15
KINDS = (OfferKind.ON_DEMAND, OfferKind.SPOT, OfferKind.SERVERLESS, OfferKind.COMMITTED_1Y)
LATE = ("refused", "failing", "partly", "late")


@dataclass(frozen=True, slots=True)
class Rent:
    """What we rent now, what we rented before, and the prepaid money behind it. Money is USD."""

    active: Sequence[LeaseNow] = ()
    ended: Sequence[LeaseNow] = ()
    runways: Sequence[Runway] = ()

    @property
    def per_hour(self) -> Decimal:
        return hourly(self.active)

    @property
    def month_cost(self) -> Decimal:
        return sum((row.month_cost for row in self.active), ZERO)

    @property
    def month_end(self) -> Decimal:
        return sum((row.month_end or row.month_cost for row in self.active), ZERO)

    def answer(self) -> str:
        """What we rent now, and what the month comes to: the figures of the table's heading and foot."""
        if not self.active:
            return _("We rent no GPU now.")
        if all(row.unreported for row in self.active):
            return unreported_note(self.active)
        unpriced = any(row.unpriced for row in self.active)
        if not self.per_hour and not unpriced:
            return _("Rented GPUs cost nothing at the moment.")
        text = _("<b>{leases}</b>: {month} by the end of the month.")
        if self.per_hour:
            text = _("<b>{leases}</b>: <b>{hour} an hour</b>, {month} by the end of the month.")
        return format_html(
            text,
            leases=self.headline(),
            hour=at_least_dollars(self.per_hour, unpriced),
            month=at_least_dollars(self.month_end, unpriced),
        )

    def wasted_note(self) -> str:
        """What is paid for nothing; empty where nothing is."""
        wasted = [row for row in self.active if row.wasted]
        if not wasted:
            return ""
        text = ngettext(
            "Idle: <b>{name}</b>, {hour} an hour ({why}).",
            "{n} idle, {name} first ({why}).",
            len(wasted),
        )
        first = wasted[0]
        hour = dollars(first.lease.price_per_hour)
        return format_html(text, n=len(wasted), name=first.lease, hour=hour, why=first.wasted)

    def headline(self) -> str:
        """How many leases there are, and on how many a GPU runs."""
        reported = [row for row in self.active if not row.unreported]
        if not reported:
            return _("None known to run") if self.active else _("No rented GPUs")
        running = sum(row.runs_gpu for row in reported)
        text = ngettext("%(n)s lease, %(running)s", "%(n)s leases, %(running)s", len(reported))
        with_gpu = _("%(n)s with a GPU running") % {"n": running} if running else _("none with a GPU running")
        return text % {"n": len(reported), "running": with_gpu}

    def ended_headline(self) -> str:
        n = len(self.ended)
        return ngettext("1 ended lease", "The last %(n)s ended leases", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class ProvidersPage:
    """What can be rented, and what we rent; `rent` is None for whoever may not see leases."""

    accounts: Sequence[AccountNow]
    rent: Rent | None
    offers: Sequence[Offer]  # the cheapest of each GPU and kind
    gpus: Sequence[Mapping[str, Any]]
    better: BestSaving | None

    @property
    def cheapest(self) -> Offer | None:
        return min(self.offers, key=lambda offer: offer.whole_per_gpu_hour, default=None)

    @property
    def kinds(self) -> list[str]:
        """The kinds that something is offered as, as the table's columns are called."""
        return [str(kind.label) for kind in KINDS if any(offer.kind == kind for offer in self.offers)]

    @property
    def late(self) -> list[AccountNow]:
        return [account for account in self.accounts if account.state in LATE]

    def answer(self) -> str:
        if self.rent is None:
            return self._offered()
        runway = format_html("{}.", self.rent.runways[0].finding()) if self.rent.runways else ""
        return sentences(
            self.rent.answer(),
            unpriced_note(self.rent.active),
            self.rent.wasted_note(),
            self._to_be_had(self.rent),
            runway,
        )

    def _offered(self) -> str:
        if self.cheapest is None:
            return _("No offers yet: no account with offers was read.")
        text = ngettext(
            "{n} kind of GPU available: {gpu} at <b>{price} an hour</b> ({provider}).",
            "{n} kinds of GPUs available, the cheapest {gpu} at <b>{price} an hour</b> ({provider}).",
            len(self.gpus),
        )
        return format_html(text, n=len(self.gpus), **words_of(self.cheapest))

    def _to_be_had(self, rent: Rent) -> str:
        """What could be rented instead."""
        if self.better and self.better.saving.caveat:
            text = _("{gpu} is available for <b>{price}</b> at {provider}, but only {kind}.")
            return format_html(text, **words_of(self.better.offer))
        if self.better:
            text = _("The same {gpu} is available for <b>{price}</b> at {provider}.")
            return format_html(text, **words_of(self.better.offer))
        if self.cheapest is None:
            return _("No offers yet.")
        if rent.per_hour:
            return _("No comparable offer is cheaper.")
        text = _("The cheapest is {gpu} for <b>{price} an hour</b> at {provider}.")
        return format_html(text, **words_of(self.cheapest))

    def gpu_headline(self) -> str:
        if self.better:
            saving = dollars(self.better.saving.monthly, 0)
            text = _("{gpu}, {kind}, at {provider} would save {saving} a month")
            finding = format_html(text, saving=saving, **words_of(self.better.offer))
            caveat = self.better.saving.caveat
            return format_html(_("{finding}, but {caveat}"), finding=finding, caveat=caveat) if caveat else finding
        if self.cheapest:
            text = _("The cheapest GPU is {gpu} for {price} an hour at {provider}")
            return format_html(text, **words_of(self.cheapest))
        return _("No offers")

    def freshness_headline(self) -> str:
        values = {"all": len(self.accounts), "late": len(self.late)}
        values["on_time"] = sum(account.state in ON_TIME for account in self.accounts)
        if self.late:
            text = ngettext(
                "One of %(all)s accounts is not read on time",
                "%(late)s of %(all)s accounts are not read on time",
                len(self.late),
            )
        elif values["on_time"] == values["all"]:
            text = ngettext(
                "The one account is read on time", "All %(all)s accounts are read on time", len(self.accounts)
            )
        else:
            text = _("%(on_time)s of %(all)s accounts are read on time")
        return text % values


def words_of(offer: Offer) -> dict[str, str]:
    """An offer's GPU, kind, price a GPU hour with the machine around it, and vendor, for a sentence."""
    return {
        "gpu": offer.gpu,
        "kind": offer.get_kind_display(),
        "price": dollars(offer.whole_per_gpu_hour),
        "provider": offer.provider_name,
    }


def gpu_rows(
    cheapest: Sequence[Offer], ours: Sequence[RentedGpu], fresh: Collection[str], now: datetime
) -> list[dict[str, Any]]:
    """One row a GPU: its cheapest offer of each kind and how the lowest on-demand price went; what we rent first."""
    by_gpu: dict[str, dict[str, Offer]] = defaultdict(dict)
    for offer in cheapest:
        by_gpu[offer.gpu][offer.kind] = offer
    mine = {machine.gpu: machine for machine in ours}
    order = sorted(
        by_gpu, key=lambda gpu: (gpu not in mine, min(o.whole_per_gpu_hour for o in by_gpu[gpu].values()), gpu)
    )
    shown = order[:GPUS_SHOWN]
    pairs = [(gpu, history_kind(by_gpu[gpu])) for gpu in shown]
    by_kind = histories(pairs, now.astimezone(UTC).date())
    return [
        {
            "gpu": gpu,
            "memory_gb": next((offer.memory_gb for offer in by_gpu[gpu].values() if offer.memory_gb), None),
            "offers": [
                gpu_cell(by_gpu[gpu].get(kind), fresh) for kind in KINDS if any(o.kind == kind for o in cheapest)
            ],
            "ours": mine.get(gpu),
            "history": by_kind.get((gpu, kind)),
        }
        for gpu, kind in pairs
    ]


def history_kind(by_kind: Mapping[str, Offer]) -> str:
    """Of which kind the price's history is drawn: the first of ours that the GPU is offered as."""
    return next((kind.value for kind in KINDS if kind in by_kind), OfferKind.ON_DEMAND.value)


def gpu_cell(offer: Offer | None, fresh: Collection[str]) -> dict[str, Any]:
    return {"offer": offer, "old": offer is not None and offer.provider not in fresh}


@dataclass(frozen=True, slots=True)
class OffersPage:
    """The offers that the address asks for. `offered` is how many there are at all, `silent` whose are old."""

    market: Sequence[Market]  # by GPU and kind, the cheapest first
    offered: int
    rented: Sequence[RentedGpu]
    better: BestSaving | None
    silent: Sequence[AccountNow]
    filtered: bool

    @property
    def total(self) -> int:
        return sum(entry.offers for entry in self.market)

    def answer(self) -> str:
        return sentences(self._fitting(), self._against_ours(), *map(self._old_prices, self.silent))

    def _fitting(self) -> str:
        if not self.offered:
            return _("No offers yet: no account with offers was read.")
        if not self.total:
            return _("No offer matches. Remove a filter.")
        text = ngettext(
            "<b>{all} offer</b>: {gpu}, {kind}, at <b>{price} an hour</b>.",
            "<b>{all} offers</b> from <b>{price} an hour</b> ({gpu}, {kind}).",
            self.total,
        )
        lowest = self.market[0]
        price = dollars(lowest.low)
        return format_html(text, all=count(self.total), price=price, gpu=lowest.gpu, kind=lowest.kind_label)

    def _against_ours(self) -> str:
        if self.better:
            text = _("The best saves <b>{saving} a month</b> against a rented GPU, at {provider}.")
            saving, provider = dollars(self.better.saving.monthly, 0), self.better.offer.provider_name
            return format_html(text, saving=saving, provider=provider)
        return _("None is cheaper than the rented GPUs.") if self.rented and self.offered else ""

    def _old_prices(self, source: AccountNow) -> str:
        read_at = source.offers.feed.last_success_at if source.offers else None
        text = _("{name}’s prices are from {ago} and may no longer hold.")
        return format_html(text, name=source.account.provider_name, ago=ago(read_at))

    def market_headline(self) -> str:
        lowest = self.market[0]
        text = _("Cheapest: {gpu} ({kind})")
        return format_html(text, gpu=lowest.gpu, kind=lowest.kind_label)

    def headline(self) -> str:
        if self.better:
            n = self.better.offers
            return ngettext("1 offer is cheaper than ours", "%(n)s offers are cheaper than ours", n) % {"n": n}
        return _("No offer is cheaper than ours") if self.rented else _("Matching offers")


@dataclass(frozen=True, slots=True)
class WatchesPage:
    """Every watch, those whose price is there first."""

    watches: Sequence[WatchNow]

    def answer(self) -> str:
        n, below = len(self.watches), [row for row in self.watches if row.below]
        if not n:
            return _("No price watches yet.")
        if not below:
            text = ngettext(
                "The watched offer is more expensive or not available.",
                "None of the <b>{n}</b> watched offers is below its price.",
                n,
            )
            return format_html(text, n=n)
        text = ngettext(
            "<b>{n}</b> of {total} is below its price: {what} at <b>{price} an hour</b> ({provider}).",
            "<b>{n}</b> of {total} are below their price. Best: {what} at <b>{price} an hour</b> ({provider}).",
            len(below),
        )
        return format_html(text, n=len(below), total=n, what=below[0].watch, **lowest_words(below[0]))

    def headline(self) -> str:
        n = len(self.watches)
        if not n:
            return _("Add your first watch")
        return ngettext("1 watch", "%(n)s watches", n) % {"n": n}


@dataclass(frozen=True, slots=True)
class WatchPage:
    """One watch with how it stands; None of one that is being added."""

    row: WatchNow | None

    @property
    def watch(self) -> OfferWatch | None:
        return self.row.watch if self.row else None

    def title(self) -> str:
        return str(self.watch or _("Add a watch"))

    def answer(self) -> str:
        if self.row is None:
            return _("You are notified when a connected vendor offers it for less.")
        watch = self.row.watch
        if self.row.below:
            text = _("Available: <b>{what}</b> at <b>{price} an hour</b> ({provider}), below {line}.")
        elif self.row.unsure and self.row.old:
            old = self.row.old
            text = _("Not confirmed: <b>{what}</b> cost {price} an hour at {provider} {ago}. No data since.")
            return format_html(text, what=watch, ago=ago(old.seen_at), **words_of(old))
        elif self.row.lowest:
            text = _("Waiting: <b>{what}</b> costs at least <b>{price} an hour</b> ({provider}). The limit is {line}.")
        else:
            return format_html(_("Waiting: no vendor offers <b>{what}</b> now."), what=watch)
        return format_html(text, what=watch, line=dollars(watch.price), **lowest_words(self.row))

    def form_headline(self) -> str:
        return _("Watch") if self.row else _("New watch")


def lowest_words(row: WatchNow) -> dict[str, str]:
    return words_of(row.lowest) if row.lowest else {}
