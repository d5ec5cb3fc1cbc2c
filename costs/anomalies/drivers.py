"""Why the spend of a day is not what it usually is: effects in USD that add up to the difference exactly. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from costs.anomalies.history import judge
from costs.anomalies.sums import REQUESTS, Sums
from lib.money import ZERO
from lib.tokens import PROMPT_CLASSES, TOKEN_CLASSES

MILLION = Decimal(1_000_000)
PROFILE_DAYS = 28
Rates = Mapping[str, Decimal | None]


@dataclass(frozen=True, slots=True)
class Effects:
    """USD a day more by cause: number of requests, the models they go to, the cache, their size, and the rest: prices,
    batch, context tiers."""

    volume: Decimal = ZERO
    mix: Decimal = ZERO
    cache: Decimal = ZERO
    size: Decimal = ZERO
    rest: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.volume + self.mix + self.cache + self.size + self.rest

    @property
    def largest(self) -> str:
        """The cause that adds most."""
        return max(("cache", "size", "mix", "volume", "rest"), key=lambda name: getattr(self, name))


def effects(windows: Mapping[str, Mapping[int, Sums]], rates: Mapping[str, Rates]) -> Effects:
    """Of an application, from its windows by model; window 0 against the last 28 days of each model."""
    volume = cache = size = rest = ZERO
    now_all = usual_all = cost_all = ZERO
    for model, by_day in windows.items():
        model_effects, usual, each = of_model(by_day, rates.get(model))
        volume, cache, size, rest = (
            volume + model_effects.volume,
            cache + model_effects.cache,
            size + model_effects.size,
            rest + model_effects.rest,
        )
        now_all, usual_all = now_all + by_day.get(0, Sums()).requests, usual_all + usual
        cost_all += usual * each
    evenly = (now_all - usual_all) * (cost_all / usual_all) if usual_all else volume
    return Effects(evenly, volume - evenly, cache, size, rest)


def of_model(by_day: Mapping[int, Sums], rates: Rates | None) -> tuple[Effects, Decimal, Decimal]:
    """Of one model: its effects, the requests that are usual, and what one of them usually costs."""
    now, usual = by_day.get(0, Sums()), added(by_day[n] for n in by_day if 1 <= n <= PROFILE_DAYS)
    if not usual.requests:  # new here: all of it is mix
        return Effects(volume=now.cost), ZERO, ZERO
    judged = judge(REQUESTS, by_day)
    wanted = Decimal(str(round(judged.usual, 1))) if judged else Decimal(usual.requests) / PROFILE_DAYS
    each = usual.cost / usual.requests
    volume = (now.requests - wanted) * each
    cache, size = by_tokens(now, usual, rates) if rates else (ZERO, ZERO)
    rest = now.cost - wanted * each - volume - cache - size
    return Effects(volume, ZERO, cache, size, rest), wanted, each


def by_tokens(now: Sums, usual: Sums, rates: Rates) -> tuple[Decimal, Decimal]:
    """What the cache and the size of the requests add, at the rates of the price book; nothing where one is unknown."""
    used = [name for name in TOKEN_CLASSES if getattr(now, name) or getattr(usual, name)]
    price = {name: (rates.get(name) or ZERO) / MILLION for name in TOKEN_CLASSES}
    if not now.told or not usual.told or any(rates.get(name) is None for name in used):
        return ZERO, ZERO
    mixed = (mean_rate(now, price), mean_rate(usual, price))
    cache = now.prompt * (mixed[0] - mixed[1])
    longer = Decimal(now.prompt) - Decimal(usual.prompt) * now.told / usual.told
    output = Decimal(now.output) - Decimal(usual.output) * now.told / usual.told
    return cache, longer * mixed[1] + output * price["output"]


def mean_rate(sums: Sums, price: Mapping[str, Decimal]) -> Decimal:
    """What a token of the prompt costs, as far as its class goes."""
    if not sums.prompt:
        return ZERO
    return sum((getattr(sums, name) * price[name] for name in PROMPT_CLASSES), ZERO) / sums.prompt


def added(all_sums: Iterable[Sums]) -> Sums:
    total = Sums()
    for sums in all_sums:
        total.add(sums)
    return total
