"""How one request's cost came about, written out: five token classes, each with its rate. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from django.template.defaultfilters import floatformat
from django.utils.html import format_html
from django.utils.translation import gettext as _

from lib import formats
from lib.money import COST_STEP
from providers.models import Discount, TokenPrice
from providers.pricing.book import MILLION
from providers.pricing.discounts import factor
from traffic.models import Request
from traffic.usage.token_classes import CLASSES


@dataclass(frozen=True, slots=True)
class CostLine:
    """One token class: how many, USD per million of them, and the product; None is unknown.

    `listed` is the list's rate where a contract has one of its own, which is then `rate`. `priced`: a price is known.
    """

    name: str
    label: str
    tokens: int | None
    rate: Decimal | None
    amount: Decimal | None
    listed: Decimal | None = None
    priced: bool = True

    def rate_cell(self) -> str:
        """The rate, with the list's below it; a dash where none is asked for."""
        if not self.priced or (self.rate is None and self.tokens == 0):
            return formats.missing("dash")
        if self.listed is None:
            return formats.rate(self.rate)
        listed = _("list %(rate)s") % {"rate": formats.rate(self.listed)}
        return format_html('{}<span class="secondary">{}</span>', formats.rate(self.rate), listed)

    def amount_cell(self) -> str:
        if not self.priced or self.amount is None:
            return formats.missing("" if self.priced else "dash")
        return str(floatformat(self.amount, 8))


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The lines, what batch and a contract's percentage do to their sum, and the total that is paid.

    `long` says that the rates are those of long prompts; `listed` is the total at list price, None without a discount.
    """

    lines: Sequence[CostLine]
    long: bool
    subtotal: Decimal | None
    batch_factor: Decimal | None
    total: Decimal | None
    discount: Discount | None = None
    listed: Decimal | None = None
    tier: str = ""  # of service or region, where it is not the standard
    tier_factor: Decimal | None = None  # None where the book does not know it

    @property
    def exact(self) -> str:
        """The total with all its decimals."""
        return "" if self.total is None else trimmed(self.total)

    @property
    def written(self) -> str:
        """The sum as a person would write it: `(120 × 3 + 210 × 15) ÷ 1,000,000`; empty where a part is unknown."""
        counted = [line for line in self.lines if line.tokens]
        if self.total is None or not counted or any(line.rate is None for line in counted):
            return ""
        parts = " + ".join(f"{line.tokens:,} × {trimmed(line.rate or Decimal(0))}" for line in counted)
        tier = "" if self.tier_factor is None else f" × {trimmed(self.tier_factor)}"
        batch = "" if self.batch_factor is None else f" × {trimmed(self.batch_factor)}"
        left = factor(self.discount) if self.discount is not None else None
        off = "" if left is None else f" × {trimmed(left)}"
        return f"({parts}){batch}{tier}{off} ÷ 1,000,000"


def trimmed(number: Decimal) -> str:
    """A rate without the zeros that its column adds."""
    return f"{number.normalize():f}"


def arithmetic(
    request: Request, price: TokenPrice | None, discount: Discount | None = None, tier: Decimal | None = None
) -> Arithmetic:
    """The cost of a request at the price version and discount that it was costed with, None where none is known."""
    prompt = sum(getattr(request, name) or 0 for name, _label in CLASSES[:4])
    long = price is not None and price.over_tokens is not None and prompt > price.over_tokens
    prefix = "over_" if long else ""
    lines = []
    for name, label in CLASSES:
        listed = getattr(price, f"{prefix}{name}", None)
        own = getattr(discount, name, None)
        line = cost_line(name, str(label), getattr(request, name), listed, own)
        lines.append(replace(line, priced=price is not None))
    batch = price.batch_factor if price is not None and request.batch else None
    factors_known = (not request.batch or batch is not None) and (not request.tier or tier is not None)
    left = factor(discount) if discount is not None else None
    subtotal = added(line.amount for line in lines)
    at_list = added(amount_of(line.tokens, line.rate if line.listed is None else line.listed) for line in lines)
    return Arithmetic(
        lines, long, subtotal, batch, product(subtotal, batch, tier, left) if factors_known else None, discount,
        product(at_list, batch, tier) if factors_known and discount is not None else None,
        request.tier or "", tier,
    )  # fmt: skip


def added(amounts: Iterable[Decimal | None]) -> Decimal | None:
    """The sum of amounts; None where one of them is unknown."""
    total = Decimal(0)
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total


def product(amount: Decimal | None, *factors: Decimal | None) -> Decimal | None:
    """The amount times the factors, at the stored precision; a factor of None counts as 1."""
    if amount is None:
        return None
    for multiplier in factors:
        amount = amount if multiplier is None else amount * multiplier
    return amount.quantize(COST_STEP)


def amount_of(tokens: int | None, rate: Decimal | None) -> Decimal | None:
    """USD of some tokens at a rate. No tokens cost nothing, also at an unknown rate."""
    if tokens == 0:
        return Decimal(0)
    return None if tokens is None or rate is None else tokens * rate / MILLION


def cost_line(
    name: str, label: str, tokens: int | None, listed: Decimal | None, own: Decimal | None = None
) -> CostLine:
    """One token class at the contract's own rate, else at the list's."""
    rate = listed if own is None else own
    return CostLine(name, label, tokens, rate, amount_of(tokens, rate), None if own is None else listed)
