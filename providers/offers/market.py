"""Offers added up by GPU and kind, and the history of their lowest price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.models import Count, Min, Q

from lib.paging import cursor_id, cursor_value, decode_cursor
from providers.accounts.freshness import AccountNow
from providers.models import Offer, OfferDay
from providers.models.offers import OfferQuerySet
from providers.offers.listing import Facet, OfferFilter, kind_label

HISTORY_DAYS = 90
REMEMBERED_S = 30  # no longer: another account of the same vendor may have been read meanwhile


def facets() -> list[Facet]:
    """The whole market in some hundred rows. One statement."""
    had = Q(available=True)
    rows = Offer.objects.values_list("provider", "gpu", "kind").annotate(
        offers=Count("pk"), had=Count("pk", filter=had), low=Min("whole_per_gpu_hour", filter=had)
    )
    return [Facet(*row) for row in rows.order_by("gpu", "kind", "provider")]


def polls(read: Mapping[str, AccountNow]) -> str:
    """Names the newest poll of every vendor, of what `sources` tells: between two of them no offer changes. Empty where
    nothing was ever read."""
    times = ((account.account.pk, account.offers.feed.last_success_at) for account in read.values() if account.offers)
    return ",".join(sorted(f"{pk}@{at.timestamp()}" for pk, at in times if at))


def facets_since(polled: str) -> list[Facet]:
    """The same, added up once after each poll."""
    if not polled:
        return facets()
    key = f"offer-facets:{polled}"
    rows = cache.get(key)
    if rows is None:
        rows = [astuple(facet) for facet in facets()]  # which are unpickled several times as fast
        cache.set(key, rows, REMEMBERED_S)
    return [Facet(*values) for values in rows]


def gpus_called(text: str, names: Iterable[str]) -> list[str]:
    """Names of the market that somebody means by `text`: itself, or with a size behind it (`a100` is both A100s)."""
    wanted = "".join(text.lower().split())
    return [name for name in names if fits(wanted, name)]


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


def cheapest_by_gpu() -> list[Offer]:
    """Of each GPU and kind the available offer with the lowest price. One statement."""
    return list(Offer.objects.cheapest())


def market(offers: OfferQuerySet) -> list[Market]:
    """Lowest price and number of offers by GPU and kind, the cheapest first. One statement."""
    rows = offers.order_by().values("gpu", "kind").annotate(n=Count("pk"), low=Min("whole_per_gpu_hour"))
    return in_order(Market(row["gpu"], row["kind"], row["n"], row["low"]) for row in rows)


def market_of(facets_read: Iterable[Facet], wanted: OfferFilter) -> list[Market]:
    """The same from facets that were read already, for a filter that they can tell."""
    by_gpu: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for facet in facets_read:
        if facet.low is not None and wanted.holds(facet):
            count, low = by_gpu.get((facet.gpu, facet.kind), (0, facet.low))
            by_gpu[facet.gpu, facet.kind] = count + facet.available, min(low, facet.low)
    return in_order(Market(gpu, kind, count, low) for (gpu, kind), (count, low) in by_gpu.items())


def in_order(markets: Iterable[Market]) -> list[Market]:
    return sorted(markets, key=lambda entry: (entry.low, entry.gpu, entry.kind))


@dataclass(frozen=True, slots=True)
class History:
    """Lowest price by day, USD per GPU hour with its machine; None on days without one. The last entry is today."""

    lows: Sequence[Decimal | None]
    estimated_until: date | None = None  # the last day whose machine's price is today's and not that day's

    @property
    def known(self) -> list[Decimal]:
        return [low for low in self.lows if low is not None]

    @property
    def days(self) -> int:
        return len(self.known)

    @property
    def whole(self) -> bool:
        return self.days == HISTORY_DAYS

    @property
    def lowest(self) -> Decimal | None:
        return min(self.known, default=None)

    @property
    def highest(self) -> Decimal | None:
        """Of the days' lowest prices."""
        return max(self.known, default=None)

    @property
    def change(self) -> Decimal | None:
        """Against the first day that is known, as a share; None with less than two days."""
        prices = self.known
        return (prices[-1] - prices[0]) / prices[0] if len(prices) > 1 and prices[0] else None


def histories(
    pairs: Iterable[tuple[str, str]], today: date, providers: Sequence[str] = ()
) -> dict[tuple[str, str], History]:
    """Price history of GPUs as one kind each over the last days, today included. One statement, one row each."""
    gpus, kinds = zip(*pairs, strict=True) if (pairs := list(pairs)) else ((), ())
    first = today - timedelta(days=HISTORY_DAYS - 1)
    params: list[Any] = [list(gpus), list(kinds), first, first, today, list(providers), list(providers)]
    with connection.cursor() as cursor:
        cursor.execute(HISTORIES, params)
        return {(gpu, kind): History(lows_of(lows), until) for gpu, kind, lows, until in cursor.fetchall()}


def history_lines(shown: Iterable[tuple[str, Mapping[str, str], History | None]], today: date) -> list[dict[str, Any]]:
    """Lowest prices by day as lines for the chart tag, of the first six with more than one day; `shown` has name,
    filters of the list of offers, and history."""
    drawn = [(name, filters, history) for name, filters, history in shown if history and history.days > 1]
    return [
        {"name": name, "style": style, "meta": filters, "points": [
            (today - timedelta(days=len(history.lows) - 1 - n), low) for n, low in enumerate(history.lows)]}
        for style, (name, filters, history) in enumerate(drawn[:6], 1)
    ]  # fmt: skip


def offer_days(
    *,
    gpus: Sequence[str],
    kinds: Sequence[str],
    providers: Sequence[str],
    last: date,
    days: int,
    cursor: str | None,
    limit: int,
) -> list[OfferDay]:
    """Stored days of prices, newest first, from a cursor on; an empty list is no condition. Raises ApiError (422) for a
    cursor that is not ours."""
    rows = OfferDay.objects.filter(day__gt=last - timedelta(days=days), day__lte=last)
    for column, values in (("gpu", gpus), ("kind", kinds), ("provider", providers)):
        if values:
            rows = rows.filter(**{f"{column}__in": values})
    if after := decode_cursor(cursor, (str, int)):
        at_day, at_row = cursor_value(date, after[0]), cursor_id(after[1])
        rows = rows.filter(Q(day__lt=at_day) | Q(day=at_day, pk__gt=at_row))
    return list(rows.order_by("-day", "pk")[:limit])


# A row for each of a thousand days would take longer to read than to find: the days of a GPU come as one text. Each GPU
# looks at its own part of the index; joined at once, the whole table is read.
HISTORIES = """
SELECT wanted.gpu, wanted.kind, history.lows, history.estimated_until
FROM unnest(%s::text[], %s::text[]) AS wanted (gpu, kind)
CROSS JOIN LATERAL (
    SELECT string_agg((day - %s) || ' ' || low, ' ') AS lows,
        max(day) FILTER (WHERE estimated) AS estimated_until
    FROM (
        SELECT day, min(low) AS low, bool_or(estimated) AS estimated FROM providers_offerday AS o
        WHERE o.gpu = wanted.gpu AND o.kind = wanted.kind AND day BETWEEN %s AND %s
            AND (provider = ANY(%s) OR %s::text[] = '{}')
        GROUP BY day
    ) AS days
) AS history
WHERE history.lows IS NOT NULL
"""


def lows_of(text: str) -> list[Decimal | None]:
    """`0 0.34 2 0.36`: the days' numbers and prices, in any order."""
    words = text.split(" ")
    by_day = {int(day): Decimal(low) for day, low in zip(words[::2], words[1::2], strict=True)}
    return [by_day.get(n) for n in range(HISTORY_DAYS)]
