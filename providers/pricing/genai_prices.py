"""Fills the price book from `genai-prices`, the one place that imports it (it costs 28 MB a process)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lib.dates import BEGINNING, midnight
from lib.money import COST_STEP
from lib.tokens import TOKEN_CLASSES

UNIT_PRICES = Path(__file__).parents[1] / "data" / "unit-prices.json"
CORRECTIONS = Path(__file__).parents[1] / "data" / "price-corrections.json"
# Our slugs where they differ from the library's.
SLUGS = {"aws": "bedrock", "x-ai": "xai", "azure": "azure"}
LIBRARY_FIELDS = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_mtok")
# Anthropic's batches have cost half since 2024; the library dates its variant from the day it learned of it.
BATCH_FACTOR = {"anthropic": Decimal("0.5"), "openai": Decimal("0.5")}


@dataclass(frozen=True)
class ListPrice:
    """One version of a model's list price in USD per million tokens, as `TokenPrice` stores it."""

    provider: str
    model: str
    starts_at: datetime
    rates: dict[str, Decimal | None]
    over_tokens: int | None
    over_rates: dict[str, Decimal | None]
    batch_factor: Decimal | None
    source: str

    def columns(self) -> dict[str, Any]:
        over = {f"over_{name}": rate for name, rate in self.over_rates.items()}
        return {**self.rates, "over_tokens": self.over_tokens, **over, "batch_factor": self.batch_factor}


def list_prices() -> list[ListPrice]:
    """Every dated price that the library carries, with our corrections; models without token prices are left out."""
    from genai_prices import data_snapshot

    source = f"genai-prices {version('genai-prices')}"
    prices = [
        price
        for provider in data_snapshot.get_snapshot().providers
        for model in provider.models
        for price in versions(SLUGS.get(provider.id, provider.id), model, source)
    ]
    return correct(prices)


def versions(provider: str, model: Any, source: str) -> list[ListPrice]:
    """A model's prices by start date; one that depends on the time of day or has two tiers we leave unknown."""
    entries = model.prices if isinstance(model.prices, list) else [model.prices]
    by_start: dict[datetime, ListPrice] = {}
    for entry in entries:
        starts_at = start_of(getattr(entry, "constraint", None))
        price = price_of(provider, model.id, getattr(entry, "prices", entry), source)
        if starts_at is None or price is None:
            return []
        by_start[starts_at] = replace(price, starts_at=starts_at)
    return list(by_start.values())


def start_of(constraint: Any) -> datetime | None:
    """When a price begins to hold; None for constraints that are not dates."""
    if constraint is None:
        return BEGINNING
    day = getattr(constraint, "start_date", None)
    return None if day is None else midnight(day)


def price_of(provider: str, model: str, price: Any, source: str) -> ListPrice | None:
    rates: dict[str, Decimal | None] = {}
    over: dict[str, Decimal | None] = {}
    starts: set[int] = set()
    for name, library_name in zip(TOKEN_CLASSES, LIBRARY_FIELDS, strict=True):
        value: Any = getattr(price, library_name, None)
        tiers = getattr(value, "tiers", None)
        rates[name] = stored(value.base if tiers else value)
        over[name] = stored(tiers[0].price if tiers else value)
        starts.update(tier.start for tier in tiers or ())
    if rates["uncached_input"] is None or rates["output"] is None or len(starts) > 1:
        return None
    return ListPrice(
        provider=provider,
        model=model,
        starts_at=BEGINNING,
        rates=rates,
        over_tokens=starts.pop() if starts else None,
        over_rates=over
        if len(over) and any(over[name] != rates[name] for name in TOKEN_CLASSES)
        else dict.fromkeys(TOKEN_CLASSES),
        batch_factor=BATCH_FACTOR.get(provider),
        source=source,
    )


def stored(rate: Decimal | None) -> Decimal | None:
    """At the precision of the table, or the same price would look changed at every start."""
    return None if rate is None else rate.quantize(COST_STEP)


def correct(prices: list[ListPrice]) -> list[ListPrice]:
    """Put in what the library lacks: rates that held until a date, each with where that is written."""
    corrections = {
        (correction["provider"], correction["model"]): correction for correction in json.loads(CORRECTIONS.read_text())
    }
    result: list[ListPrice] = []
    for price in prices:
        correction = corrections.get((price.provider, price.model))
        if correction and price.starts_at == BEGINNING:
            before = {name: Decimal(rate) for name, rate in correction["before"].items()}
            result.append(replace(price, rates={**price.rates, **before}, source=correction["source"]))
            price = replace(price, starts_at=datetime.fromisoformat(correction["until"]))
        result.append(price)
    return result


@dataclass(frozen=True)
class ListUnit:
    """One version of a unit's price, as `UnitPrice` stores it."""

    provider: str
    kind: str
    name: str
    variant: str
    starts_at: datetime
    amount: Decimal
    source: str


# How the library says in which tier a request is served, as `traffic.ingest.tiers` names it.
TIERS = {"service_tier": "", "speed": "speed:"}


def unit_prices() -> list[ListUnit]:
    """Prices of tools from vendors' pages, and the factor of each tier that the library knows of a model."""
    written = [
        ListUnit(
            entry["provider"], entry["kind"], entry.get("name", ""), entry.get("variant", ""),
            datetime.fromisoformat(f"{entry['starts_on']}T00:00:00+00:00"), Decimal(entry["amount"]), entry["source"],
        )
        for entry in json.loads(UNIT_PRICES.read_text())
    ]  # fmt: skip
    return [*written, *tier_factors()]


def tier_factors() -> list[ListUnit]:
    """A tier whose rates are not one multiple of the standard ones is left out: its requests stay unpriced."""
    from genai_prices import data_snapshot

    source = f"genai-prices {version('genai-prices')}"
    factors: dict[tuple[str, str, str], ListUnit] = {}
    for provider in data_snapshot.get_snapshot().providers:
        slug = SLUGS.get(provider.id, provider.id)
        for model in provider.models:
            for variant in getattr(model, "price_variants", None) or ():
                tier = tier_name(variant.when)
                factor = factor_of(model, variant.prices) if tier else None
                # The tier was there before the library learned of it; what it cost then is taken to be the same.
                if tier and factor is not None:
                    factors[slug, tier, model.id] = ListUnit(slug, "tier", tier, model.id, BEGINNING, factor, source)
    return list(factors.values())


def tier_name(when: dict[str, str]) -> str:
    """Empty for the standard tier, and for what is no tier or more than one thing at once."""
    (name, value), *more = when.items()
    return "" if more or name not in TIERS or value in ("default", "standard") else f"{TIERS[name]}{value}"


def factor_of(model: Any, prices: Any) -> Decimal | None:
    """By what all the rates that a tier states are multiplied; None where they differ or cannot be compared."""
    standard = model.prices[-1].prices if isinstance(model.prices, list) else model.prices
    ratios = set()
    for name in LIBRARY_FIELDS:
        rate, listed = (getattr(of, name, None) for of in (prices, standard))
        rate, listed = (getattr(version, "base", version) for version in (rate, listed))
        if rate is not None and listed:
            ratios.add((rate / listed).quantize(Decimal("0.0001")))
    return ratios.pop() if len(ratios) == 1 else None
