"""Rows of list prices: as our contracts leave them, which is what is really paid, and what tokens cost at one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from copy import copy
from decimal import Decimal

from lib import sql
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES
from providers.models import Account, Discount, TokenPrice
from providers.pricing.book import MILLION
from providers.pricing.rules import cost_of_tokens, factor_left, paid_rates

DISCOUNT, ACCOUNT = sql.Table(Discount, "d"), sql.Table(Account, "a")
STANDING = f"""
SELECT {DISCOUNT}, {ACCOUNT} FROM providers_discount AS d JOIN providers_account AS a ON a.id = d.account_id
WHERE d.withdrawn_at IS NULL ORDER BY d.model DESC, d.starts_on DESC
"""


def standing_discounts() -> dict[str, list[Discount]]:
    """Those that nobody has taken back by provider, as `discount_in_force` looks through them."""
    by_provider: dict[str, list[Discount]] = defaultdict(list)
    for discount in sql.joined(STANDING, DISCOUNT, account=ACCOUNT):
        by_provider[discount.provider].append(discount)
    return dict(by_provider)


def paid(price: TokenPrice, discount: Discount | None) -> TokenPrice:
    """A copy of a price with the rates that are paid; never to be saved. Own rates hold for long prompts too."""
    if discount is None:
        return price
    made, own = copy(price), [getattr(discount, name) for name in TOKEN_CLASSES]
    for prefix in ("",) if price.over_tokens is None else ("", "over_"):
        listed = [getattr(price, f"{prefix}{name}") for name in TOKEN_CLASSES]
        for name, rate in zip(TOKEN_CLASSES, paid_rates(listed, own, factor_left(discount.percent)), strict=True):
            setattr(made, f"{prefix}{name}", rate)
    return made


def cost_at_list(price: TokenPrice, tokens: Mapping[str, int]) -> Decimal | None:
    """USD of tokens by class at the rates of usual prompts; None where a class that is used has no rate."""
    total = cost_of_tokens(tokens.values(), (getattr(price, name) for name in tokens), ZERO)
    return None if total is None else total / MILLION
