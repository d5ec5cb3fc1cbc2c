"""Why an API's bill for one day and model is not what we measured, class of tokens by class of tokens. Pure and exact.

The bill is taken apart at its own rates: what it charges for a class, divided by the tokens that the vendor's usage
report has of it. Each token that differs is then worth what the vendor took for it, and what is left of the difference
is the price of the tokens that both sides know. All in fractions, so that the parts add up whatever the division.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from functools import lru_cache

from lib.dates import DAY
from lib.tokens import PROMPT_CLASSES, TOKEN_CLASSES

STANDARD, BATCH = False, True
HALF_A_STEP = Fraction(5, 10**13)  # USD; the cost of each measured request is rounded to twelve decimals

COUNTS = ("requests", "batched", "unpriced", "unknown_usage")
MORE, LESS = "unseen_requests", "not_billed"

Tier = bool  # whether in a batch
Number = Fraction | int  # whole as long as nothing was divided, which is faster
Tokens = dict[tuple[str, Tier], Number]  # by class and tier
Rates = Mapping[tuple[str, Tier], Fraction]  # USD a token
Causes = dict[str, Fraction]  # USD by cause


@dataclass(frozen=True, slots=True)
class OwnUsage:
    """Requests of our log that are alike: a row of the usage days."""

    requests: int
    batched: int
    unpriced: int
    unknown_usage: int
    tokens: Mapping[str, int]
    cost: Fraction

    def tokens_by_tier(self) -> Tokens:
        """Rows are all batch or none of it as a rule; one that is mixed is split by its requests."""
        counted = [(name, tokens) for name, tokens in self.tokens.items() if tokens]
        if self.batched in (0, self.requests):
            return {(name, self.batched > 0): tokens for name, tokens in counted}
        share = Fraction(self.batched, self.requests)
        parts = ((STANDARD, 1 - share), (BATCH, share))
        return {(name, tier): tokens * part for name, tokens in counted for tier, part in parts}

    def plus(self, other: OwnUsage) -> OwnUsage:
        tokens = {name: tokens + other.tokens[name] for name, tokens in self.tokens.items()}
        counts = {name: getattr(self, name) + getattr(other, name) for name in COUNTS}
        return OwnUsage(**counts, tokens=tokens, cost=self.cost + other.cost)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Rows of one kind may be added up: all batch or none of it, and with or without what has no price."""
        return self.batched > 0, self.unpriced > 0


@dataclass
class VarianceCell:
    """One day of one model: the bill, the vendor's usage report, and our log."""

    billed: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))  # by class; "" is not said
    lines: int = 0
    used: Tokens = field(default_factory=lambda: defaultdict(int))
    used_requests: int = 0
    keyless: Tokens = field(default_factory=lambda: defaultdict(int))  # of it, under no key, or under another tool's
    keyless_requests: int = 0
    ours: list[OwnUsage] = field(default_factory=list)

    def add_ours(self, row: OwnUsage) -> None:
        """Add a row to those of its kind; a mixed one stays alone, since only its own requests can split it."""
        mixed = row.batched not in (0, row.requests)
        same = (
            None
            if mixed
            else next(
                (
                    place
                    for place, other in enumerate(self.ours)
                    if other.kind == row.kind and other.batched in (0, other.requests)
                ),
                None,
            )
        )
        if same is None:
            self.ours.append(row)
        else:
            self.ours[same] = self.ours[same].plus(row)

    @property
    def measured(self) -> Fraction:
        return sum((row.cost for row in self.ours), Fraction(0))

    @property
    def difference(self) -> Fraction:
        return sum(self.billed.values(), Fraction(0)) - self.measured


@dataclass(frozen=True, slots=True)
class Terms:
    """What else the comparison needs to know: list rates in USD a token, the batch factor, the bill's smallest step."""

    rates: Mapping[str, Fraction]
    batch_factor: Fraction
    step: Fraction

    def tolerance(self, lines: int, requests: int) -> Fraction:
        """What rounding alone may come to."""
        return lines * self.step / 2 + requests * HALF_A_STEP


@dataclass(frozen=True, slots=True)
class VarianceKey:
    """A cell and its terms, which are what they hold."""

    holds: tuple[object, ...]
    cell: VarianceCell = field(compare=False)
    terms: Terms = field(compare=False)

    @classmethod
    def of(cls, cell: VarianceCell, terms: Terms) -> VarianceKey:
        ours = tuple((*(getattr(row, name) for name in COUNTS), *row.tokens.items(), row.cost) for row in cell.ours)
        parts = (frozenset(some.items()) for some in (cell.billed, cell.used, cell.keyless, terms.rates))
        counts = cell.lines, cell.used_requests, cell.keyless_requests
        return cls((*parts, ours, counts, terms.batch_factor, terms.step), cell, terms)


def explain(cell: VarianceCell, terms: Terms) -> Causes:
    """Causes of a cell's difference; they add up to it."""
    return dict(_explained(VarianceKey.of(cell, terms)))


@lru_cache(maxsize=4096)
def _explained(key: VarianceKey) -> Causes:
    """Cached, because a page asks for all days of a month and only the last one changes."""
    cell, terms = key.cell, key.terms
    # With only one side there is nothing to compare token by token, so these cases come first.
    if not cell.billed:
        return {"not_billed": -cell.measured} if cell.measured else {}
    if not any(row.requests for row in cell.ours):
        return without_ours(cell, terms)
    rates, unplaced = billed_rates(cell, terms)
    if not any(cell.used.values()) or (unplaced and not rates):
        return without_usage(cell, terms)
    causes = volume_causes(cell, rates)
    add(causes, price_causes(cell, rates, terms))
    causes["unexplained"] += unplaced
    return causes


def without_ours(cell: VarianceCell, terms: Terms) -> Causes:
    """Of a model that we sent nothing to, what came under no key of ours is another tool's."""
    rates, _unplaced = billed_rates(cell, terms)
    others = worth(cell.keyless, rates) if rates else Fraction(0)
    return {"other_keys": others, "unseen_requests": cell.difference - others}


def without_usage(cell: VarianceCell, terms: Terms) -> Causes:
    """The vendor's report has no tokens to compare with: only what needs none can be told."""
    if not cell.measured and any(row.unpriced for row in cell.ours):
        return {"unpriced": cell.difference}
    requests = sum(row.requests for row in cell.ours)
    small = abs(cell.difference) <= terms.tolerance(cell.lines, requests)
    return {"rounding" if small else "unexplained": cell.difference}


def billed_rates(cell: VarianceCell, terms: Terms) -> tuple[dict[tuple[str, Tier], Fraction], Fraction]:
    """USD a token by class and tier as the bill has it, and what of the bill no reported token stands for."""
    # A batch token costs `batch_factor` of a standard one. Counted so, one standard rate fits both tiers of a class.
    weights = {
        name: cell.used.get((name, STANDARD), 0) + cell.used.get((name, BATCH), 0) * terms.batch_factor
        for name in TOKEN_CLASSES
    }
    standard = {name: terms.rates.get(name, Fraction(0)) for name in TOKEN_CLASSES}
    unplaced = Fraction(0)
    # Some bills have one amount for all classes (""). It is divided by list price, which keeps the classes' ratios.
    if lump := cell.billed.get("", Fraction(0)):
        listed = sum(weights[name] * standard[name] for name in TOKEN_CLASSES)
        if not listed:
            return {}, lump
        standard = {name: rate * lump / listed for name, rate in standard.items()}
    for name in TOKEN_CLASSES:
        if "" in cell.billed and name not in cell.billed:
            continue
        if weights[name]:
            unclassed = standard[name] if "" in cell.billed else Fraction(0)
            standard[name] = unclassed + cell.billed.get(name, Fraction(0)) / weights[name]
        else:
            unplaced += cell.billed.get(name, Fraction(0))
    both = ((STANDARD, Fraction(1)), (BATCH, terms.batch_factor))
    return {(name, tier): rate * factor for name, rate in standard.items() for tier, factor in both}, unplaced


def volume_causes(cell: VarianceCell, rates: Rates) -> Causes:
    """What the tokens are worth that one side has and the other has not."""
    causes: Causes = defaultdict(Fraction)
    excess: Tokens = defaultdict(int, cell.used)
    for row in cell.ours:
        for key, tokens in row.tokens_by_tier().items():
            excess[key] -= tokens
    # The order matters: tokens that the sides count differently look like too many in one place and too few elsewhere.
    # So usage of other tools leaves first, then moves between tiers and between classes; only the rest is missing.
    causes["other_keys"] += take_keyless(cell, excess, rates)
    tiers = sorted({tier for _name, tier in excess})
    for name in TOKEN_CLASSES if len(tiers) > 1 else ():
        causes["batch"] += take_moved(excess, [(name, STANDARD), (name, BATCH)], rates)
    for tier in tiers:
        causes["cache_split"] += take_moved(excess, [(name, tier) for name in PROMPT_CLASSES], rates)
    more = worth({key: tokens for key, tokens in excess.items() if tokens > 0}, rates)
    unheard = unheard_share(cell)
    causes["unknown_usage"] += more * unheard
    causes["unseen_requests"] += more * (1 - unheard)
    causes["not_billed"] += worth({key: tokens for key, tokens in excess.items() if tokens < 0}, rates)
    return causes


def worth(tokens: Tokens, rates: Rates) -> Fraction:
    return sum((count * rates[key] for key, count in tokens.items() if count), Fraction(0))


def take_keyless(cell: VarianceCell, excess: Tokens, rates: Rates) -> Fraction:
    """Usage under no key is none of our applications', as far as there is more usage than ours at all."""
    keyless, more = sum(cell.keyless.values()), sum(excess.values())
    if not keyless or more <= 0:
        return Fraction(0)
    share: Number = 1 if more >= keyless else Fraction(more) / keyless
    for key, tokens in cell.keyless.items():
        excess[key] -= tokens * share
    return share * worth(cell.keyless, rates)


def take_moved(excess: Tokens, keys: list[tuple[str, Tier]], rates: Rates) -> Fraction:
    """Tokens that both sides have under different keys: what the move is worth; they leave `excess`."""
    over = {key: excess[key] for key in keys if excess[key] > 0}
    under = {key: excess[key] for key in keys if excess[key] < 0}
    if not over or not under:
        return Fraction(0)
    sizes = [Fraction(sum(over.values())), Fraction(-sum(under.values()))]
    moved = min(sizes)  # the surplus of the larger side was not moved: it stays in `excess`
    amount = Fraction(0)
    for side, size in zip((over, under), sizes, strict=True):
        share = moved / size
        for key, tokens in side.items():
            excess[key] -= tokens * share
            amount += tokens * share * rates[key]
    return amount


def unheard_share(cell: VarianceCell) -> Fraction:
    """How much of what the vendor has more belongs to requests of ours that never said what they used."""
    unknown = sum(row.unknown_usage for row in cell.ours)
    if not unknown:
        return Fraction(0)
    # The report has tokens of a class and no single requests, so the surplus is split by the number of requests.
    heard = sum(row.requests for row in cell.ours) - unknown
    more = cell.used_requests - cell.keyless_requests - heard
    return Fraction(1) if more <= unknown else Fraction(unknown, more)


def price_causes(cell: VarianceCell, rates: Rates, terms: Terms) -> Causes:
    """Our own tokens at the bill's rates, less what we measured for them."""
    causes: Causes = defaultdict(Fraction)
    for row in cell.ours:
        causes["unpriced" if row.unpriced else "price"] += worth(row.tokens_by_tier(), rates) - row.cost
    # Both sides know these tokens, so what differs is the price, unless rounding can explain all of it.
    if abs(causes["price"]) <= terms.tolerance(cell.lines, sum(row.requests for row in cell.ours)):
        causes["rounding"] += causes.pop("price")
    return causes


def add(causes: Causes, more: Mapping[str, Fraction]) -> None:
    for cause, amount in more.items():
        causes[cause] = causes.get(cause, Fraction(0)) + amount


def allocate_cutoff_shift(parts: Mapping[tuple[date, str], Causes]) -> None:
    """Move what two neighbouring days of one model have against each other to the cause `day_edge`.

    A request that starts before midnight is billed when it ends, and a bill by another time zone moves a whole evening:
    one day then has more than ours, and its neighbour as much less. What both sides have is no missing request.
    """
    for day, model in sorted(parts):
        here, there = parts[day, model], parts.get((day + DAY, model))
        if there is None:
            continue
        for more, less in ((here, there), (there, here)):
            # Only what one day has too much and its neighbour too little; the rest is really missing.
            moved = min(more.get(MORE, Fraction(0)), -less.get(LESS, Fraction(0)))
            if moved > 0:
                shift(more, MORE, moved)
                shift(less, LESS, -moved)


def shift(causes: Causes, name: str, amount: Fraction) -> None:
    """Return a move as two parts that cancel out, so that a month only keeps what crosses its ends."""
    causes[name] -= amount
    causes["day_edge"] = causes.get("day_edge", Fraction(0)) + amount
