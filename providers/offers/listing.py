"""The list of offers: its filter, its orders and its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Concat, NullIf, Round
from django.utils.translation import gettext as _

from lib.errors import ApiError
from lib.paging import cursor_id, cursor_value, decode_cursor, encode_cursor
from providers.models import Offer, OfferKind
from providers.models.offers import OfferQuerySet

# Where a figure is missing: past every real one, whichever way a list is turned.
MISSING_LAST, MISSING_FIRST = Decimal(999_999), Decimal(-1)

PER_GB = Round(F("whole_per_gpu_hour") / NullIf("memory_gb", Value(Decimal(0))), precision=9)
KIND_LABELS = dict(OfferKind.choices)


@dataclass(frozen=True, slots=True)
class Sort:
    """The value that rows are compared by and its type; `missing`: it may be NULL."""

    value: Any
    kind: type
    missing: bool = False


# What any list may be sorted by; a view adds what hangs on its reader (`per_million`, `saving`).
SORTS: Mapping[str, Sort] = {
    "price": Sort(F("whole_per_gpu_hour"), Decimal),
    "month": Sort(F("whole_per_gpu_hour"), Decimal),
    "memory": Sort(F("memory_gb"), Decimal, missing=True),
    "per_gb": Sort(PER_GB, Decimal, missing=True),
    "reliability": Sort(F("reliability"), float, missing=True),
    "seen": Sort(F("seen_at"), datetime),
    "gpu": Sort(F("gpu"), str),
    "kind": Sort(F("kind"), str),
    "where": Sort(Concat("provider", Value("/"), "region"), str),
}


@dataclass(frozen=True, slots=True)
class Facet:
    """How many offers there are of a provider, GPU and kind, and the lowest price of those to be had."""

    provider: str
    gpu: str
    kind: str
    offers: int
    available: int
    low: Decimal | None


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """What somebody looks for; empty is no condition. Prices are USD per GPU hour, its machine included;
    memory is GB of one GPU."""

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
        return self.available is True and all(value in ("", None) for value in finer)

    def holds(self, facet: Facet) -> bool:
        """Whether what is to be had of a facet fits, where facets can tell."""
        pairs = ((self.gpus, facet.gpu), (self.kinds, facet.kind), (self.providers, facet.provider))
        return facet.available > 0 and all(not wanted or value in wanted for wanted, value in pairs)

    def conditions(self) -> Q:
        condition = Q()
        for column, value in (
            ("gpu__in", self.gpus),
            ("kind__in", self.kinds),
            ("provider__in", self.providers),
            ("region__icontains", self.region),
        ):
            if value:
                condition &= Q(**{column: value})
        for column, limit in (
            ("memory_gb__gte", self.min_memory_gb),
            ("whole_per_gpu_hour__lte", self.max_price),
            ("reliability__gte", self.min_reliability),
            ("available", self.available),
        ):
            if limit is not None:
                condition &= Q(**{column: limit})
        return condition


def kind_label(kind: str) -> str:
    """For people. `get_kind_display` translates every kind to find one, which a list of fifty feels."""
    return str(KIND_LABELS.get(kind, kind))


def offers_matching(offer_filter: OfferFilter) -> OfferQuerySet:
    return Offer.objects.filter(offer_filter.conditions())


# Order and pages.


def sorted_offers(
    offers: OfferQuerySet, sort: str, cursor: str | None = None, sorts: Mapping[str, Sort] = SORTS
) -> OfferQuerySet:
    """Offers in the order of `sort` (`-` before it turns it round), from a cursor on; what has no figure stands last.
    Raises ApiError (422)."""
    falling, by = sort.startswith("-"), sorts[sort.removeprefix("-")]
    missing = by.kind(MISSING_FIRST if falling else MISSING_LAST) if by.missing else None
    offers = offers.annotate(sort_value=Coalesce(by.value, Value(missing)) if by.missing else by.value)
    if after := decode_cursor(cursor, (str, str, int)):
        if after[0] != sort:
            raise ApiError(422, _("This cursor belongs to a list in a different order."))
        at = cursor_value(by.kind, after[1])
        side = "lt" if falling else "gt"
        offers = offers.filter(Q(**{f"sort_value__{side}": at}) | Q(sort_value=at, pk__gt=cursor_id(after[2])))
    return offers.order_by(f"{'-' if falling else ''}sort_value", "pk")


def page_of(
    offers: OfferQuerySet, sort: str, cursor: str | None, limit: int, sorts: Mapping[str, Sort] = SORTS
) -> tuple[list[Offer], str | None]:
    """One page and the cursor of the next, None at the end. One statement."""
    rows = list(sorted_offers(offers, sort, cursor, sorts)[: limit + 1])
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1]
    at = last.sort_value  # type: ignore[attr-defined]  # annotated by `sorted_offers`
    value = at.isoformat() if isinstance(at, datetime) else str(at)
    return rows[:limit], encode_cursor(sort, value, last.pk)
