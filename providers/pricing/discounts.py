"""List prices as our contracts leave them: what is really paid."""

from __future__ import annotations

from collections import defaultdict
from copy import copy

from lib.tokens import TOKEN_CLASSES
from providers.models import Discount, TokenPrice
from providers.pricing.rules import factor_left, paid_rates


def standing_discounts() -> dict[str, list[Discount]]:
    """Those that nobody has taken back by provider, as `discount_in_force` looks through them."""
    by_provider: dict[str, list[Discount]] = defaultdict(list)
    for discount in Discount.objects.standing().select_related("account").order_by("-model", "-starts_on"):
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
