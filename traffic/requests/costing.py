"""How one request's cost came about, written out: five token classes, each with its rate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from operator import attrgetter

from django.template.defaultfilters import floatformat
from django.utils.html import format_html
from django.utils.translation import gettext as _

from lib import formats
from providers.models import Discount, TokenPrice
from providers.pricing.book import MILLION, ONE, PRICE_COLUMNS, REBATE_COLUMNS, price_of_row, rebate_of_row
from providers.pricing.rules import cost_of_tokens, factor_left
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
        left = factor_left(self.discount.percent) if self.discount is not None else None
        off = "" if left is None else f" × {trimmed(left)}"
        return f"({parts}){batch}{tier}{off} ÷ 1,000,000"


def trimmed(number: Decimal) -> str:
    """A rate without the zeros that its column adds."""
    return f"{number.normalize():f}"


def arithmetic(
    request: Request, row: TokenPrice | None, discount: Discount | None = None, tier: Decimal | None = None
) -> Arithmetic:
    """The cost of a request at the price version and discount that it was costed with, None where none is known."""
    tokens = [getattr(request, name) for name, _label in CLASSES]
    price = None if row is None or None in tokens else price_of_row(attrgetter(*PRICE_COLUMNS)(row))
    long = price is not None and price.is_long(tokens)
    lines = []
    for (name, label), n in zip(CLASSES, tokens, strict=True):
        listed, own = getattr(row, f"over_{name}" if long else name, None), getattr(discount, name, None)
        rate = listed if own is None else own
        shown = None if own is None else listed
        lines.append(CostLine(name, str(label), n, rate, amount_of(n, rate), shown, row is not None))
    total = at_list = None
    if price is not None:
        factor = tier if request.tier else ONE
        at_list = total = price.cost(tokens, request.batch, factor)
        if discount is not None:
            rebate = rebate_of_row(attrgetter(*REBATE_COLUMNS)(discount))
            total = price.paid(rebate).cost(tokens, request.batch, factor)
    return Arithmetic(
        lines, long, row.batch_factor if row is not None and request.batch else None, total, discount,
        None if discount is None else at_list, request.tier or "", tier,
    )  # fmt: skip


def amount_of(tokens: int | None, rate: Decimal | None) -> Decimal | None:
    """USD of some tokens of a class at a rate in USD per million; None where it is unknown."""
    amount = cost_of_tokens([tokens], [rate], Decimal(0))
    return None if amount is None else amount / MILLION
