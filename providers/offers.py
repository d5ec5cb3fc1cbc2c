"""What can be rented: filters, order, pages, the market of each GPU, and what is cheaper than what we rent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, F, Min, Q, Value
from django.db.models.functions import Coalesce, NullIf, Round
from django.utils.translation import gettext as _

from providers.leases import MONTH_HOURS, LeaseNow
from providers.models import Offer, OfferDay, OfferKind
from providers.querysets import OfferQuerySet
from providers.rest.errors import ApiError
from providers.rest.paging import decode_cursor, encode_cursor

HISTORY_DAYS = 90
NONE_LAST = Decimal(999_999)  # where a figure is missing in an ascending order; past every real one

PER_GB = Round(F("price_per_gpu_hour") / NullIf("memory_gb", Value(Decimal(0))), precision=9)
KIND_LABELS = dict(OfferKind.choices)
# What a list may be sorted by: the value that rows are compared by, never NULL, and its type.
SORTS: Mapping[str, tuple[Any, type]] = {
    "price": (F("price_per_gpu_hour"), Decimal),
    "memory": (Coalesce("memory_gb", Value(NONE_LAST)), Decimal),
    "per_gb": (Coalesce(PER_GB, Value(NONE_LAST)), Decimal),
    "reliability": (Coalesce("reliability", Value(2.0)), float),
    "seen": (F("seen_at"), datetime),
    "gpu": (F("gpu"), str),
}


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """What somebody looks for; empty is no condition. Prices are USD per GPU hour, memory is GB of one GPU."""

    gpus: Sequence[str] = ()
    kinds: Sequence[str] = ()
    providers: Sequence[str] = ()
    region: str = ""
    min_memory_gb: Decimal | None = None
    max_price: Decimal | None = None
    min_reliability: float | None = None
    available: bool | None = None

    @property
    def of_facets(self) -> bool:
        """Whether facets alone can tell what fits."""
        finer = (self.region, self.min_memory_gb, self.max_price, self.min_reliability)
        return self.available is True and all(one in ("", None) for one in finer)

    def holds(self, facet: Facet) -> bool:
        """Whether what is to be had of a facet fits, where facets can tell."""
        pairs = ((self.gpus, facet.gpu), (self.kinds, facet.kind), (self.providers, facet.provider))
        return facet.available > 0 and all(not wanted or value in wanted for wanted, value in pairs)

    def conditions(self) -> Q:
        found = Q()
        for column, value in (
            ("gpu__in", self.gpus),
            ("kind__in", self.kinds),
            ("provider__in", self.providers),
            ("region__icontains", self.region),
        ):
            if value:
                found &= Q(**{column: value})
        for column, limit in (
            ("memory_gb__gte", self.min_memory_gb),
            ("price_per_gpu_hour__lte", self.max_price),
            ("reliability__gte", self.min_reliability),
            ("available", self.available),
        ):
            if limit is not None:
                found &= Q(**{column: limit})
        return found


def kind_label(kind: str) -> str:
    """For people. `get_kind_display` translates every kind to find one, which a list of fifty feels."""
    return str(KIND_LABELS.get(kind, kind))


# Order and pages.


def sorted_offers(offers: OfferQuerySet, sort: str, cursor: str | None = None) -> OfferQuerySet:
    """Offers in the order of `sort` (`-` before it turns it round), from a cursor on. Raises ApiError (422)."""
    name, falling = sort.removeprefix("-"), sort.startswith("-")
    value, kind = SORTS[name]
    offers = offers.annotate(sort_value=value)
    if after := decode_cursor(cursor, (str, str, int)):
        if after[0] != sort:
            raise ApiError(422, _("This cursor belongs to a list in another order."))
        at = parse_value(kind, after[1])
        side = "lt" if falling else "gt"
        offers = offers.filter(Q(**{f"sort_value__{side}": at}) | Q(sort_value=at, pk__gt=cursor_id(after[2])))
    return offers.order_by(f"{'-' if falling else ''}sort_value", "pk")


def parse_value(kind: type, text: str) -> Any:
    """A sort value as a cursor carries it. Raises ApiError (422) for what no list of ours wrote."""
    value: Any = None
    try:
        value = datetime.fromisoformat(text) if kind is datetime else kind(text)
        good = value.tzinfo is not None if kind is datetime else "\x00" not in text
        good = good and (kind not in (float, Decimal) or abs(value) < NONE_LAST * 10)
    except (ValueError, ArithmeticError):
        good = False
    if not good:
        raise ApiError(422, _("This cursor was not given by this list."))
    return value


def cursor_id(number: int) -> int:
    """A row's id as a cursor carries it. Raises ApiError (422)."""
    if not 0 <= number < 2**63:
        raise ApiError(422, _("This cursor was not given by this list."))
    return number


def page_of(offers: OfferQuerySet, sort: str, cursor: str | None, limit: int) -> tuple[list[Offer], str | None]:
    """One page and the cursor of the next, None at the end. One statement."""
    rows = list(sorted_offers(offers, sort, cursor)[: limit + 1])
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    at = last.sort_value  # type: ignore[attr-defined]  # annotated by `sorted_offers`
    value = at.isoformat() if isinstance(at, datetime) else str(at)
    return rows[:limit], encode_cursor(sort, value, last.pk)


# What there is to choose from.


@dataclass(frozen=True, slots=True)
class Facet:
    """How many offers there are of a provider, GPU and kind, and the lowest price of those to be had."""

    provider: str
    gpu: str
    kind: str
    offers: int
    available: int
    low: Decimal | None


def facets() -> list[Facet]:
    """The whole market in some hundred rows. One statement."""
    had = Q(available=True)
    rows = Offer.objects.values_list("provider", "gpu", "kind").annotate(
        offers=Count("pk"), had=Count("pk", filter=had), low=Min("price_per_gpu_hour", filter=had)
    )
    return [Facet(*row) for row in rows.order_by("gpu", "kind", "provider")]


def gpus_called(text: str, known: Iterable[str]) -> list[str]:
    """Names of the market that somebody means by `text`: itself, or with a size behind it (`a100` is both A100s)."""
    wanted = "".join(text.lower().split())
    return [name for name in known if fits(wanted, name)]


def fits(wanted: str, name: str) -> bool:
    whole, first = "".join(name.lower().split()), name.lower().split(" ")[0]
    return wanted in (whole, first)


@dataclass(frozen=True, slots=True)
class Market:
    """A GPU and kind as it stands among the offers looked at."""

    gpu: str
    kind: str
    offers: int
    low: Decimal

    @property
    def kind_label(self) -> str:
        return kind_label(self.kind)


def market(offers: OfferQuerySet) -> list[Market]:
    """Lowest price and number of offers by GPU and kind, the cheapest first. One statement."""
    rows = offers.order_by().values("gpu", "kind").annotate(n=Count("pk"), low=Min("price_per_gpu_hour"))
    return in_order(Market(row["gpu"], row["kind"], row["n"], row["low"]) for row in rows)


def market_of(found: Iterable[Facet], wanted: OfferFilter) -> list[Market]:
    """The same from facets that were read already, for a filter that they can tell."""
    known: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for facet in found:
        if facet.low is not None and wanted.holds(facet):
            count, low = known.get((facet.gpu, facet.kind), (0, facet.low))
            known[facet.gpu, facet.kind] = count + facet.available, min(low, facet.low)
    return in_order(Market(gpu, kind, count, low) for (gpu, kind), (count, low) in known.items())


def in_order(markets: Iterable[Market]) -> list[Market]:
    return sorted(markets, key=lambda one: (one.low, one.gpu, one.kind))


@dataclass(frozen=True, slots=True)
class History:
    """Lowest price by day, USD per GPU hour; None on days without one. The last entry is today."""

    lows: Sequence[Decimal | None]

    @property
    def known(self) -> list[Decimal]:
        return [low for low in self.lows if low is not None]

    @property
    def days(self) -> int:
        return len(self.known)

    @property
    def change(self) -> Decimal | None:
        """Against the first day that is known, as a share; None with less than two days."""
        known = self.known
        return (known[-1] - known[0]) / known[0] if len(known) > 1 and known[0] else None


def histories(
    pairs: Iterable[tuple[str, str]], today: date, providers: Sequence[str] = ()
) -> dict[tuple[str, str], History]:
    """Price history of GPUs as one kind each over the last days, today included. One statement."""
    wanted = reduce(or_, (Q(gpu=gpu, kind=kind) for gpu, kind in pairs), Q(pk__in=[]))
    first = today - timedelta(days=HISTORY_DAYS - 1)
    rows = OfferDay.objects.filter(wanted, day__gte=first, day__lte=today)
    if providers:
        rows = rows.filter(provider__in=providers)
    lows: dict[tuple[str, str], dict[date, Decimal]] = defaultdict(dict)
    for gpu, kind, day, low in rows.values_list("gpu", "kind", "day").annotate(lowest=Min("low")):
        lows[gpu, kind][day] = low
    days = [first + timedelta(days=n) for n in range(HISTORY_DAYS)]
    return {key: History([found.get(day) for day in days]) for key, found in lows.items()}


# Cheaper than ours.


@dataclass(frozen=True, slots=True)
class Ours:
    """What we pay for a GPU now, USD per GPU hour."""

    entry: LeaseNow
    gpu: str
    kind: str
    gpu_count: int
    price: Decimal

    def beaten_by(self) -> Q:
        """Offers that could take its place for less: the same GPU, no more of them than we need."""
        return Q(gpu=self.gpu, price_per_gpu_hour__lt=self.price, gpu_count__lte=self.gpu_count, available=True) & ~Q(
            kind=OfferKind.SERVERLESS
        )


@dataclass(frozen=True, slots=True)
class Saving:
    """What an offer would save against one of our leases. USD a month of 730 hours."""

    ours: Ours
    monthly: Decimal
    caveat: str = field(default="")


def ours(leases: Iterable[LeaseNow]) -> list[Ours]:
    """Our running machines, the dearest first; what sleeps for nothing or is paid by the second is no measure."""
    found = [
        Ours(entry, lease.gpu, lease.kind, max(lease.gpu_count, 1), entry.price_per_gpu_hour)
        for entry in leases
        if (lease := entry.lease).ended_at is None and lease.kind != OfferKind.SERVERLESS and lease.price_per_hour > 0
    ]
    return sorted(found, key=lambda one: -one.price)


def cheaper_than(rented: Sequence[Ours]) -> Q:
    """Offers that beat any of what we rent."""
    found = Q(pk__in=[])
    for one in rented:
        found |= one.beaten_by()
    return found


def saving(offer: Offer, rented: Sequence[Ours]) -> Saving | None:
    """The most that an offer would save against what we rent; None where it would not."""
    best: Saving | None = None
    for one in rented:
        fits_in = offer.gpu == one.gpu and offer.gpu_count <= one.gpu_count and offer.kind != OfferKind.SERVERLESS
        if not fits_in or not offer.available or offer.price_per_gpu_hour >= one.price:
            continue
        monthly = (one.price - offer.price_per_gpu_hour) * one.gpu_count * MONTH_HOURS
        if best is None or monthly > best.monthly:
            best = Saving(one, monthly, caveat(offer.kind, one.kind))
    return best


def caveat(offered: str, rented: str) -> str:
    """What one gives up for the lower price."""
    if offered == rented:
        return ""
    if offered == OfferKind.SPOT:
        return _("may be taken away at any time")
    if offered == OfferKind.COMMITTED_1Y:
        return _("bound for a year")
    if offered == OfferKind.COMMITTED_3Y:
        return _("bound for three years")
    return ""


@dataclass(frozen=True, slots=True)
class Better:
    """What beats what we rent: how many offers, and the one to take first."""

    offers: int
    offer: Offer
    saving: Saving


def better(rented: Sequence[Ours]) -> Better | None:
    """None where we rent at the best price, or nothing. At most one statement."""
    if not rented:
        return None
    beating = Offer.objects.filter(cheaper_than(rented)).order_by("price_per_gpu_hour", "pk")[:500]
    found = [(one, offer) for offer in beating if (one := saving(offer, rented))]
    if not found:
        return None
    # One that costs nothing but the move comes before one with a catch, whatever that would save.
    best, offer = max(found, key=lambda pair: (not pair[0].caveat, pair[0].monthly))
    return Better(len(found), offer, best)
