"""What can be rented: which offers, the market of each GPU, what is cheaper than ours, and what is waited for."""

from __future__ import annotations

from providers.offers.listing import (
    SORTS,
    OfferFilter,
    Sort,
    cursor_id,
    kind_label,
    page_of,
    parse_value,
    sorted_offers,
)
from providers.offers.market import (
    HISTORY_DAYS,
    REMEMBERED_S,
    Facet,
    History,
    Market,
    facets,
    facets_since,
    fits,
    gpus_called,
    histories,
    market,
    market_of,
    polls,
)
from providers.offers.savings import Better, Ours, Saving, better, cheaper_than, ours, saving, saving_value
from providers.offers.sources import fresh_of, newest_of, sources
from providers.offers.speeds import Fast, Speed, catalogue, per_million_value
from providers.offers.watches import WatchNow, watches_now

__all__ = [
    "HISTORY_DAYS",
    "REMEMBERED_S",
    "SORTS",
    "Better",
    "Facet",
    "Fast",
    "History",
    "Market",
    "OfferFilter",
    "Ours",
    "Saving",
    "Sort",
    "Speed",
    "WatchNow",
    "better",
    "catalogue",
    "cheaper_than",
    "cursor_id",
    "facets",
    "facets_since",
    "fits",
    "fresh_of",
    "gpus_called",
    "histories",
    "kind_label",
    "market",
    "market_of",
    "newest_of",
    "ours",
    "page_of",
    "parse_value",
    "per_million_value",
    "polls",
    "saving",
    "saving_value",
    "sorted_offers",
    "sources",
    "watches_now",
]
