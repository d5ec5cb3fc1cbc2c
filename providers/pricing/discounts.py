"""List prices as our contracts leave them: what is really paid."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from lib.model_names import canonical_name
from lib.tokens import TOKEN_CLASSES
from providers.models import Discount, TokenPrice

HUNDRED = Decimal(100)


def factor(discount: Discount) -> Decimal | None:
    """What is left of every list rate; None where the contract has rates of its own."""
    return None if discount.percent is None else 1 - discount.percent / HUNDRED


def paid(price: TokenPrice, discount: Discount | None) -> TokenPrice:
    """A copy of a price with the rates that are paid; never to be saved. Own rates hold for long prompts too."""
    if discount is None:
        return price
    made, left = copy(price), factor(discount)
    for name in TOKEN_CLASSES:
        own = getattr(discount, name)
        for column in (name, f"over_{name}"):
            listed = getattr(price, column)
            if left is not None:
                setattr(made, column, None if listed is None else listed * left)
            elif own is not None and (column == name or price.over_tokens is not None):
                setattr(made, column, own)
    return made


@dataclass(frozen=True, slots=True)
class Discounts:
    """Those that stand, the ones of one model before those of all."""

    standing: Sequence[Discount]

    @classmethod
    def load(cls) -> Discounts:
        standing = Discount.objects.standing().select_related("account")
        return cls(list(standing.order_by("-model", "-starts_on")))

    def at(self, provider: str, model: str, day: date) -> Discount | None:
        """The one that holds for requests to a model on a UTC day, as costing finds it."""
        names = ("", model, canonical_name(model))
        return next(
            (
                discount
                for discount in self.standing
                if discount.provider == provider and discount.model in names and discount.holds_on(day)
            ),
            None,
        )

    def paid(self, price: TokenPrice, day: date) -> TokenPrice:
        return paid(price, self.at(price.provider, price.model, day))
