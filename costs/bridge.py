"""What changed between two periods, as steps that add up to the difference exactly. Pure.

Of what is paid by the token: more or fewer requests at the old mean cost, other models at their old cost, other list
prices for the same tokens, and what is left, which is longer or shorter requests and the cache. Then leases, what
vendors bill besides, and what people entered.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from costs.allocation import in_steps
from costs.list_prices import ListPrices, list_rates
from costs.models import Provenance
from costs.spend import ZERO, Known
from costs.token_costs import api_amounts, tokens_of

Model = tuple[str, str]  # provider, model
STEPS = ("volume", "mix", "price", "length", "leases", "other", "entered")


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the change, USD; `before` and `after` are what moved: requests for volume, USD for leases."""

    slug: str
    amount: Decimal
    before: Decimal | int | None = None
    after: Decimal | int | None = None


@dataclass(frozen=True, slots=True)
class Bridge:
    """`before` + all steps = `after`."""

    before: Decimal
    after: Decimal
    steps: list[Step]

    @property
    def change(self) -> Decimal:
        return self.after - self.before

    @property
    def largest(self) -> Step | None:
        return max(self.steps, key=lambda step: abs(step.amount), default=None)


@dataclass(frozen=True)
class Side:
    """One period, taken apart."""

    amounts: dict[Model, Fraction]
    requests: dict[Model, int]
    leases: Decimal
    other: Decimal
    entered: Decimal

    @property
    def api(self) -> Fraction:
        return sum(self.amounts.values(), Fraction(0))

    @property
    def sent(self) -> int:
        return sum(self.requests.values())

    @property
    def total(self) -> Decimal:
        api = Decimal(self.api.numerator) / Decimal(self.api.denominator)  # a sum of decimals: exact
        return api + self.leases + self.other + self.entered


def side(known: Known) -> Side:
    amounts: dict[Model, Fraction] = defaultdict(Fraction)
    for (_day, provider, model), amount in api_amounts(known).items():
        amounts[provider, model] += Fraction(amount)
    requests: dict[Model, int] = defaultdict(int)
    for row in known.usage:
        if (row["provider"], row["model"]) in amounts:
            requests[row["provider"], row["model"]] += row["requests"]
    sums = dict.fromkeys(("leases", "other", "entered"), ZERO)
    for line in known.lines:
        if line.provenance == Provenance.ENTERED:
            sums["entered"] += line.amount
        elif line.committed or line.provenance == Provenance.ESTIMATED:
            sums["leases"] += line.amount
        elif not line.who.model:
            sums["other"] += line.amount
    return Side(dict(amounts), dict(requests), **sums)


def bridge(before: Known, after: Known, prices: ListPrices) -> Bridge:
    """From one period to the next."""
    old, new = side(before), side(after)
    exact = token_steps(old, new, price_change(after, before.until, prices))
    exact |= {name: Fraction(getattr(new, name) - getattr(old, name)) for name in ("leases", "other", "entered")}
    amounts = in_steps(exact, new.total - old.total)
    moved = {"volume": (old.sent, new.sent), "leases": (old.leases, new.leases), "entered": (old.entered, new.entered)}
    steps = [Step(name, amounts[name], *moved.get(name, ())) for name in STEPS if name in amounts]
    return Bridge(old.total, new.total, steps)


def token_steps(old: Side, new: Side, price: Fraction) -> dict[str, Fraction]:
    """The change of what is paid by the token; a model without requests before has no old cost of a request."""
    costs = {model: amount / old.requests[model] for model, amount in old.amounts.items() if old.requests.get(model)}
    if not costs:
        return {"volume": new.api - old.api}
    as_before = sum((costs[model] * count for model, count in new.requests.items() if model in costs), Fraction(0))
    same = sum((amount for model, amount in new.amounts.items() if model in costs), Fraction(0))
    at_mean = old.api / old.sent * new.sent
    return {
        "volume": at_mean - old.api,
        "mix": as_before + (new.api - same) - at_mean,
        "price": price,
        "length": same - as_before - price,
    }


def price_change(after: Known, since: date, prices: ListPrices) -> Fraction:
    """What the tokens of a period cost more at list price than they would have on its eve; only of models that had a
    price then."""
    found = Fraction(0)
    amounts = api_amounts(after)
    for (day, provider, model), tokens in tokens_of(after, amounts).items():
        before, now = prices.at(provider, model, since), prices.at(provider, model, day)
        if before is None or now is None or before.pk == now.pk:
            continue
        old, new = list_rates(before), list_rates(now)
        found += sum((count * (new[n] - old[n]) for n, count in tokens.items() if n in old and n in new), Fraction(0))
    return found
