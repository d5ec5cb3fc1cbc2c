"""How one request's cost came about, written out: five token classes, each with its rate. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext_lazy as _

from providers.models import TokenPrice
from providers.pricing import COST_STEP, MILLION
from traffic.models import Request

CLASSES = (
    ("uncached_input", _("Input, not cached")),
    ("cache_read", _("Input, read from the cache")),
    ("cache_write_5m", _("Input, written to the cache for 5 minutes")),
    ("cache_write_1h", _("Input, written to the cache for 1 hour")),
    ("output", _("Output")),
)


@dataclass(frozen=True, slots=True)
class CostLine:
    """One token class: how many, USD per million of them, and the product; None is unknown."""

    name: str
    label: str
    tokens: int | None
    rate: Decimal | None
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """The lines, what batch does to their sum, and the total; `long` says that the rates are those of long prompts."""

    lines: Sequence[CostLine]
    long: bool
    subtotal: Decimal | None
    batch_factor: Decimal | None
    total: Decimal | None

    @property
    def exact(self) -> str:
        """The total with all its decimals."""
        return "" if self.total is None else plain(self.total)

    @property
    def written(self) -> str:
        """The sum as a person would write it: `(120 × 3 + 210 × 15) ÷ 1,000,000`; empty where a part is unknown."""
        counted = [line for line in self.lines if line.tokens]
        if self.total is None or not counted or any(line.rate is None for line in counted):
            return ""
        parts = " + ".join(f"{line.tokens:,} × {plain(line.rate or Decimal(0))}" for line in counted)
        batch = "" if self.batch_factor is None else f" × {plain(self.batch_factor)}"
        return f"({parts}){batch} ÷ 1,000,000"


def plain(number: Decimal) -> str:
    """A rate without the zeros that its column adds."""
    return f"{number.normalize():f}"


def arithmetic(request: Request, price: TokenPrice | None) -> Arithmetic:
    """The cost of a request at the price version that it was costed with, None where none is known."""
    prompt = sum(getattr(request, name) or 0 for name, _label in CLASSES[:4])
    long = price is not None and price.over_tokens is not None and prompt > price.over_tokens
    prefix = "over_" if long else ""
    lines = [
        cost_line(name, str(label), getattr(request, name), getattr(price, f"{prefix}{name}", None))
        for name, label in CLASSES
    ]
    amounts = [line.amount for line in lines]
    subtotal = None if None in amounts else sum((amount for amount in amounts if amount), Decimal(0))
    factor = price.batch_factor if price is not None and request.batch else None
    total = None if subtotal is None else (subtotal * factor if factor is not None else subtotal).quantize(COST_STEP)
    return Arithmetic(lines, long, subtotal, factor, None if request.batch and factor is None else total)


def cost_line(name: str, label: str, tokens: int | None, rate: Decimal | None) -> CostLine:
    """No tokens cost nothing, also at a rate that is not known."""
    if tokens == 0:
        amount: Decimal | None = Decimal(0)
    else:
        amount = None if tokens is None or rate is None else tokens * rate / MILLION
    return CostLine(name, label, tokens, rate, amount)
