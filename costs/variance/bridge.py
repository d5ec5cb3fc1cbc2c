"""What changed between two periods, as steps that add up to the difference exactly, each with the rows it comes from.
Pure.

First what new applications brought and ended ones took away. Of what the others pay by the token: more or fewer
requests with the models as they were, other shares of the models, longer or shorter requests, another share of the
cache, other list prices, and the rest, which is batches, discounts and what bills differ. Then hours of GPUs and their
price, what else machines cost, what vendors bill besides, and what people entered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from costs.allocation.queries import Line, SpendData
from costs.list_prices import ListPrices, cost_at
from costs.models import Category, Provenance
from costs.models.ledger import IDLE
from lib.allocation import in_steps
from lib.money import ZERO
from lib.tokens import TOKEN_CLASSES

Model = tuple[str, str]  # provider, model
Subject = tuple[str, ...]  # what a row is about: its kind, then its key
Exact = dict[tuple[str, Subject], Fraction]  # by step and subject, USD
Pair = tuple[Decimal | int, Decimal | int]
Moved = dict[tuple[str, Subject], Pair]  # by step and subject, what moved: from, to
STEPS = (
    "new", "ended", "volume", "mix", "tokens", "cache", "price", "rest", "gpu_hours", "gpu_price", "leases", "other",
    "entered", "request_cost",
)  # fmt: skip
NONE = Fraction(0)


@dataclass(frozen=True, slots=True)
class BridgePart:
    """One row behind a step, USD; `before` and `after` are what moved: requests, tokens, hours or USD."""

    kind: str  # model, application, gpu, provider, category, plan
    key: Subject
    amount: Decimal
    before: Decimal | int | None = None
    after: Decimal | int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """A part of the change, USD; `before` and `after` are what moved: requests for volume, USD for machines."""

    slug: str
    amount: Decimal
    before: Decimal | int | None = None
    after: Decimal | int | None = None
    parts: tuple[BridgePart, ...] = ()


@dataclass(frozen=True, slots=True)
class Bridge:
    """`before` + all steps = `after`, and the parts of a step add up to it."""

    before: Decimal
    after: Decimal
    steps: list[Step]

    @property
    def change(self) -> Decimal:
        return self.after - self.before

    @property
    def largest(self) -> Step | None:
        return max(self.steps, key=lambda step: abs(step.amount), default=None)


@dataclass(frozen=True, slots=True)
class Hours:
    """Of one lease: what it is, and its GPU hours in both periods."""

    provider: str
    gpu: str
    before: Fraction
    after: Fraction


@dataclass
class SentTokens:
    """What one model got and cost in a period."""

    amount: Fraction = NONE
    requests: int = 0
    tokens: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TOKEN_CLASSES, 0))
    dearer: Fraction = NONE  # at list price, over what the same tokens cost on the eve


@dataclass
class BridgeSide:
    """One period, taken apart: by (application, provider, model) what is paid by the token, the rest by subject."""

    sent: dict[tuple[int, str, str], SentTokens]
    requests: dict[int, int]  # by application, whoever served them
    gpus: dict[int, Fraction]  # USD by lease
    sums: dict[str, dict[Subject, Fraction]]  # `leases`, `other`, `entered` by subject

    @property
    def total(self) -> Decimal:
        total = sum((sent.amount for sent in self.sent.values()), NONE) + sum(self.gpus.values(), NONE)
        total += sum((amount for rows in self.sums.values() for amount in rows.values()), NONE)
        return Decimal(total.numerator) / Decimal(total.denominator)  # a sum of decimals: exact

    def of(self, name: str) -> Decimal:
        total = sum(self.sums[name].values(), NONE)
        return Decimal(total.numerator) / Decimal(total.denominator)


def side(data: SpendData, eve: date, prices: ListPrices) -> BridgeSide:
    """A period; `eve` is the day whose list prices the tokens are held against."""
    sent: dict[tuple[int, str, str], SentTokens] = defaultdict(SentTokens)
    added: dict[tuple[str, Any], Decimal] = defaultdict(lambda: ZERO)  # quicker than adding fractions line by line
    totals = BridgeSide(sent, defaultdict(int), defaultdict(Fraction), {n: defaultdict(Fraction) for n in KINDS})
    for line in data.lines:
        name, subject = kind_of(line)
        key: Any = subject
        if name == "api":
            key = (line.attribution.application_id, line.provider, line.attribution.model)
        elif name == "gpus":
            key = line.lease_id
        added[name, key] += line.amount
    for (name, key), amount in added.items():
        if name == "api":
            sent[key].amount = Fraction(amount)
        elif name == "gpus":
            totals.gpus[key] = Fraction(amount)
        else:
            totals.sums[name][key] = Fraction(amount)
    varying = {key for key in {(row["provider"], row["model"]) for row in data.usage} if prices.varies(*key)}
    for row in data.usage:
        application = row.get("application_id", 0)
        totals.requests[application] += row["requests"]
        sent_model = sent.get((application, row["provider"], row["model"]))
        if sent_model is not None:
            sent_model.requests += row["requests"]
            for name in TOKEN_CLASSES:
                sent_model.tokens[name] += row[name]
            if (row["provider"], row["model"]) in varying and (more := dearer(row, eve, prices)):
                sent_model.dearer += more
    return totals


KINDS = ("leases", "other", "entered")


def kind_of(line: Line) -> tuple[str, Subject]:
    """Which steps a line belongs to, and what it is about there."""
    if line.provenance == Provenance.ENTERED:
        return "entered", ("category", line.category)
    if line.committed or line.provenance == Provenance.ESTIMATED:
        if line.lease_id and line.category in (Category.GPU, IDLE):
            return "gpus", ()
        return "leases", ("provider", line.provider)
    if line.attribution.model:
        return "api", ()
    return "other", ("category", line.category, line.provider)


def dearer(row: Mapping[str, Any], eve: date, prices: ListPrices) -> Fraction:
    """What a day's tokens cost more at list price than they would have on the eve; only where both are known."""
    provider, model, day = row["provider"], row["model"], row["day"]
    if not prices.moved(provider, model, eve, day):
        return NONE
    old, new = prices.rates_at(provider, model, eve), prices.rates_at(provider, model, day)
    return sum((row[n] * (new[n] - old[n]) for n in TOKEN_CLASSES if n in old and n in new), NONE)


def bridge(before: SpendData, after: SpendData, prices: ListPrices, hours: Mapping[int, Hours] | None = None) -> Bridge:
    """From one period to the next."""
    eve = before.until
    old, new = side(before, eve, prices), side(after, eve, prices)
    exact: Exact = defaultdict(Fraction)
    moved: Moved = {}
    old_models, new_models = come_and_gone(old, new, exact)
    token_steps(old_models, new_models, eve, prices, exact, moved)
    gpu_steps(old.gpus, new.gpus, hours or {}, exact, moved)
    for name in KINDS:
        for subject in {*old.sums[name], *new.sums[name]}:
            was, now = old.sums[name].get(subject, NONE), new.sums[name].get(subject, NONE)
            exact[name, subject] += now - was
            moved[name, subject] = (decimal(was), decimal(now))
    whole: dict[str, Pair] = {
        "volume": (requests_of(old_models), requests_of(new_models)),
        **{name: (old.of(name), new.of(name)) for name in KINDS},
    }
    return Bridge(old.total, new.total, steps_of(exact, new.total - old.total, moved, whole))


def steps_of(
    exact: Exact,
    change: Decimal,
    moved: Moved,
    whole: Mapping[str, Pair],
) -> list[Step]:
    """Steps in their order, parts by size; rounded together, so that all of them add up to the change."""
    amounts = in_steps(dict(sorted(exact.items())), change)
    parts: dict[str, list[BridgePart]] = defaultdict(list)
    for (slug, subject), amount in amounts.items():
        parts[slug].append(BridgePart(subject[0], subject[1:], amount, *moved.get((slug, subject), ())))
    steps = []
    for slug in STEPS:
        rows = sorted(parts.get(slug, ()), key=lambda part: (-abs(part.amount), part.key))
        if rows:
            total = sum((row.amount for row in rows), ZERO)
            before, after = whole.get(slug, (None, None))
            steps.append(Step(slug, total, before, after, tuple(rows)))
    return steps


def come_and_gone(
    old: BridgeSide, new: BridgeSide, exact: Exact
) -> tuple[dict[Model, SentTokens], dict[Model, SentTokens]]:
    """Money of applications that sent nothing on the other side; what the others sent, by model."""
    fresh = {key for key, count in new.requests.items() if key and count and not old.requests.get(key)}
    ended = {key for key, count in old.requests.items() if key and count and not new.requests.get(key)}
    for key in fresh:
        exact["new", ("application", str(key))] += sum((s.amount for k, s in new.sent.items() if k[0] == key), NONE)
    for key in ended:
        exact["ended", ("application", str(key))] -= sum((s.amount for k, s in old.sent.items() if k[0] == key), NONE)
    return by_model(old.sent, ended), by_model(new.sent, fresh)


def by_model(sent: Mapping[tuple[int, str, str], SentTokens], without: Iterable[int]) -> dict[Model, SentTokens]:
    left, merged = set(without), defaultdict[Model, SentTokens](SentTokens)
    for (application, provider, model), sent_by_app in sent.items():
        if application in left:
            continue
        into = merged[provider, model]
        into.amount += sent_by_app.amount
        into.requests += sent_by_app.requests
        into.dearer += sent_by_app.dearer
        for name, count in sent_by_app.tokens.items():
            into.tokens[name] += count
    return dict(merged)


def requests_of(models: Mapping[Model, SentTokens]) -> int:
    return sum(model_sent.requests for model_sent in models.values())


def token_steps(
    old: Mapping[Model, SentTokens],
    new: Mapping[Model, SentTokens],
    eve: date,
    prices: ListPrices,
    exact: Exact,
    moved: Moved,
) -> None:
    """Volume, mix and what changed within each model; money of a model without requests is the bill's alone: rest."""
    sent_before, sent_now = requests_of(old), requests_of(new)
    for model in {*old, *new}:
        subject = ("model", *model)
        was, now = old.get(model, SentTokens()), new.get(model, SentTokens())
        cost, paid = was.amount, now.amount
        if not was.requests:
            exact["rest", subject] -= cost
            cost = NONE
        if not now.requests:
            exact["rest", subject] += paid
            paid = NONE
        grown = cost * sent_now / sent_before if sent_before else NONE
        each = cost / was.requests if was.requests else NONE
        exact["volume" if not sent_before else "mix", subject] += each * now.requests - grown if was.requests else paid
        exact["volume", subject] += grown - cost
        moved["volume", subject] = moved["mix", subject] = (was.requests, now.requests)
        if was.requests and now.requests:
            within(was, now, paid - each * now.requests, prices.rates_at(*model, eve), subject, exact, moved)


def within(
    was: SentTokens,
    now: SentTokens,
    change: Fraction,
    rates: Mapping[str, Fraction],
    subject: Subject,
    exact: Exact,
    moved: Moved,
) -> None:
    """One model's requests got dearer or cheaper by `change`: tokens, cache, list price, and the rest.

    Tokens are weighed at the old list prices, at the share of them that was really paid then.
    """
    listed = cost_at(was.tokens, rates)
    if not listed:
        exact["rest", subject] += change
        return
    paid = was.amount / listed
    grown = Fraction(now.requests, was.requests)
    inputs = [name for name in TOKEN_CLASSES if name != "output"]
    read_before, read_now = sum(was.tokens[n] for n in inputs), sum(now.tokens[n] for n in inputs)
    # The same classes at the new length; without any input before there is no class to keep.
    same_output = {
        n: Fraction(was.tokens[n] * read_now, read_before) if read_before else Fraction(now.tokens[n]) for n in inputs
    }
    longer = cost_at(same_output, rates) - grown * cost_at({n: was.tokens[n] for n in inputs}, rates)
    longer += (now.tokens["output"] - grown * was.tokens["output"]) * rates.get("output", NONE)
    other = cost_at({n: now.tokens[n] - same_output[n] for n in inputs}, rates)
    causes = {"tokens": paid * longer, "cache": paid * other, "price": paid * now.dearer}
    for slug, amount in causes.items():
        exact[slug, subject] += amount
    exact["rest", subject] += change - sum(causes.values(), NONE)
    moved["tokens", subject] = (
        per(sum(was.tokens.values()), was.requests),
        per(sum(now.tokens.values()), now.requests),
    )
    moved["cache", subject] = (share(was.tokens["cache_read"], read_before), share(now.tokens["cache_read"], read_now))


def per(tokens: int, requests: int) -> Decimal:
    return Decimal(tokens) / requests


def share(part: int, whole: int) -> Decimal:
    return Decimal(part) / whole if whole else ZERO


def gpu_steps(
    old: Mapping[int, Fraction],
    new: Mapping[int, Fraction],
    hours: Mapping[int, Hours],
    exact: Exact,
    moved: Moved,
) -> None:
    """Leased GPUs by vendor and kind: more or fewer hours at the old price, then the price of an hour."""
    sums: dict[Subject, list[Fraction]] = defaultdict(lambda: [NONE, NONE, NONE, NONE])
    for lease in {*old, *new}:
        lease_hours = hours.get(lease)
        row = sums["gpu", lease_hours.provider, lease_hours.gpu] if lease_hours else sums["gpu", "", ""]
        row[0] += old.get(lease, NONE)
        row[1] += new.get(lease, NONE)
        row[2] += lease_hours.before if lease_hours else NONE
        row[3] += lease_hours.after if lease_hours else NONE
    for subject, (was, now, before, after) in sums.items():
        at_old_price = was / before * after if before and after else now
        exact["gpu_hours", subject] += at_old_price - was
        exact["gpu_price", subject] += now - at_old_price
        moved["gpu_hours", subject] = (decimal(before), decimal(after))
        if before and after:
            moved["gpu_price", subject] = (decimal(was / before), decimal(now / after))


def from_plan(budget: Decimal, planned: int, data: SpendData) -> Bridge:
    """From a plan to what was spent: the volume at the plan's cost of a request, then what a request cost.

    `budget` in USD and `planned` requests are those of the same days. The plan says nothing of models or machines, so
    what was spent on each stands against all that the plan had for as many requests.
    """
    requests = sum(row["requests"] for row in data.usage)
    sums: dict[Subject, Fraction] = defaultdict(Fraction)
    for line in data.lines:
        sums[PLAN_KINDS[kind_of(line)[0]]] += Fraction(line.amount)
    spent = sum(sums.values(), NONE)
    allowed = Fraction(budget) * requests / planned if planned else Fraction(budget)
    exact: Exact = {("volume", ("plan", "volume")): allowed - Fraction(budget)}
    exact |= {("request_cost", subject): amount for subject, amount in sums.items()}
    exact["request_cost", ("plan", "allowed")] = -allowed
    total = decimal(spent)
    steps = steps_of(exact, total - budget, {}, {"volume": (planned, requests)})
    return Bridge(budget, total, steps)


PLAN_KINDS: dict[str, Subject] = {
    "api": ("plan", "api"),
    "gpus": ("plan", "machines"),
    "leases": ("plan", "machines"),
    "other": ("plan", "other"),
    "entered": ("plan", "entered"),
}


def decimal(amount: Fraction) -> Decimal:
    return Decimal(amount.numerator) / Decimal(amount.denominator)
