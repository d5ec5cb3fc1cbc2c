"""The rules of the price book, each written once: which version, discount and tier factor hold at a moment, what a
contract leaves of the list's rates, and what tokens cost at rates.

Pure and without Django: rows of the tables and the book in memory are asked alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Protocol, TypeVar

from lib.model_names import canonical_name


class Version(Protocol):
    """One of several prices of the same thing; it holds until the next one begins."""

    @property
    def starts_at(self) -> datetime: ...


class Contract(Protocol):
    """A discount; `model` empty: of every model without one of its own. `ends_on` is the last day it holds on."""

    @property
    def model(self) -> str: ...
    @property
    def starts_on(self) -> date: ...
    @property
    def ends_on(self) -> date | None: ...


AnyVersion = TypeVar("AnyVersion", bound=Version)
AnyContract = TypeVar("AnyContract", bound=Contract)
Versions = TypeVar("Versions")
Number = TypeVar("Number", Decimal, Fraction)
Rates = tuple[Decimal | None, Decimal | None, Decimal | None, Decimal | None, Decimal | None]  # of the five classes


def names_of(model: str) -> tuple[str, str, str]:
    """What a discount or a factor may be for, to hold for a model: all models, its name, or that without date and
    vendor."""
    return "", model, canonical_name(model)


def versions_of(prices: Mapping[tuple[str, str], Versions], provider: str, model: str) -> Versions | None:
    """All prices of a model: those of its own name, or else of the name without date and vendor, as
    claude-sonnet-5-5-20261007, anthropic/claude-sonnet-5-5 and claude-sonnet-5-5 are one model.

    A name with prices of its own has no other, also where all of them are yet to come.
    """
    return prices.get((provider, model)) or prices.get((provider, canonical_name(model)))


def in_force(versions: Iterable[AnyVersion], when: datetime) -> AnyVersion | None:
    """The version that holds at a moment; `versions` come newest first."""
    for version in versions:
        if version.starts_at <= when:
            return version
    return None


def holds_on(contract: Contract, day: date) -> bool:
    return contract.starts_on <= day and (contract.ends_on is None or day <= contract.ends_on)


def discount_in_force(standing: Iterable[AnyContract], model: str, day: date) -> AnyContract | None:
    """The one that holds for requests to a model, as they name it, on a UTC day.

    `standing` are those of the provider in the order `-model, -starts_on`: a model's own come before those of all.
    """
    names = names_of(model)
    for contract in standing:
        if contract.model in names and holds_on(contract, day):
            return contract
    return None


def factor_left(percent: Any) -> Decimal | None:
    """What a percentage leaves of every list rate; None without one, where a contract has rates of its own."""
    return None if percent is None else 1 - Decimal(str(percent)) / 100


def paid_rates(listed: Iterable[Decimal | None], own: Iterable[Decimal | None], left: Decimal | None) -> Rates:
    """What a contract makes of list rates: a factor `left` of each, or its `own`, and the list's where it has none."""
    if left is None:
        rates = (rate if mine is None else mine for mine, rate in zip(own, listed, strict=True))
    else:
        rates = (None if rate is None else rate * left for rate in listed)
    return tuple(rates)  # type: ignore[return-value]  # five, as there are token classes


def cost_of_tokens(
    tokens: Iterable[Number | int | None], rates: Iterable[Number | None], zero: Number
) -> Number | None:
    """Tokens of the five classes at their rates, in the rates' own unit; `zero` says in which kind of number.

    None where the tokens of a class are unknown, or a class that is used has no rate. An unknown rate of a class that
    is not used does not matter.
    """
    total = zero
    for count, rate in zip(tokens, rates, strict=True):
        if count:
            if rate is None:
                return None
            total += count * rate
        elif count is None:
            return None
    return total
