"""The counterfactual of self-hosting: what the API would take for the work that our own GPUs serve. No queries.

A request that the API serves costs what its model costs. A request that our own GPUs serve counts at the model that
would serve its task on the API: the one that a person chose, else the one that served the task last, by the log. What
is still on the API says nothing about it, because other tasks stay there. Where no such model or no price is known,
the request is left out of the comparison, and no figure stands in for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from costs.breakeven.book_prices import prices_of
from costs.breakeven.inputs import Because, Inputs, OtherModels, Prompts, Routed, TaskCost
from costs.breakeven.mix import Mix, Usage, cost_of, measured_mix
from lib.tokens import PROMPT_CLASSES
from providers.models import TokenPrice

ROUTED_TASKS = ("rag", "qa", "batch")  # the shipped routes' tasks for our own GPUs
EARLIER_WEEKS = 13  # before the week in which the API served a task last: where a second model is looked for
PLAUSIBLE = Decimal("0.1")  # of the task's API requests in these weeks a second model has to have served

Row = Mapping[str, Any]
ModelKey = tuple[str, str]  # provider, model


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """The model that a person chose for a task."""

    provider: str
    model: str
    by: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """The model that would serve a task on the API; `shares` of the prompt by class and `batch` of the requests are
    those of the time when the API served the task, because our own GPUs cache and batch in another way."""

    key: ModelKey | None
    because: Because = "none"
    until: date | None = None
    chosen_by: str = ""
    other: ModelKey | None = None
    shares: Mapping[str, Decimal] | None = None
    batch: Decimal = Decimal(0)
    left: date | None = None  # the last day on which the API, whichever model, served the task as a rule


def stand_ins(history: Iterable[Row], groups: Iterable[Row], chosen: Mapping[str, ChosenModel]) -> dict[str, StandIn]:
    """The model of each task in `groups`.

    `history` has the keys of `groups` with `week` (0 is the newest) and `last_day`; where it does not hold a task, the
    groups stand for it. Both name in `applications` who sent the requests.
    """
    rows: dict[str, list[Row]] = {}
    for row in history:
        rows.setdefault(row["task"], []).append(row)
    groups = list(groups)
    made = {}
    for task in dict.fromkeys(row["task"] for row in groups):
        of_task = rows.get(task) or [{**row, "week": 0, "last_day": None} for row in groups if row["task"] == task]
        made[task] = _stand_in(task, of_task, groups, chosen.get(task))
    return made


def _stand_in(task: str, rows: list[Row], groups: list[Row], chosen: ChosenModel | None) -> StandIn:
    week = _last_week(rows)
    served = [row for row in rows if row["week"] == week and not row["ours"]]
    shares, batch = _shares(served)
    left = max((row["last_day"] for row in served if row["last_day"]), default=None)
    if chosen:
        return StandIn((chosen.provider, chosen.model), "person", None, chosen.by, None, shares, batch, left)
    key = _most(served)
    if week is None or key is None:
        return StandIn(None)
    days = [row["last_day"] for row in served if _key(row) == key and row["last_day"]]
    earlier = [row for row in rows if not row["ours"] and week <= row["week"] <= week + EARLIER_WEEKS]
    other = _other(key, earlier) or _comparable(task, key, rows, groups)
    return StandIn(key, "last_served", max(days, default=None), "", other, shares, batch, left)


def _last_week(rows: list[Row]) -> int | None:
    """The newest week in which the API served at least half of the task, else the newest in which it served any.

    While our own GPUs are down, a fallback serves some requests: that is not the model that the task would go to.
    """
    weeks: dict[int, list[int]] = {}
    for row in rows:
        weeks.setdefault(row["week"], [0, 0])[bool(row["ours"])] += row["requests"]
    on_api = sorted(week for week, (theirs, _ours) in weeks.items() if theirs)
    return next((week for week in on_api if weeks[week][0] >= weeks[week][1]), on_api[0] if on_api else None)


def _key(row: Row) -> ModelKey:
    return row["provider"], row["model"]


def _counts(rows: Iterable[Row]) -> dict[ModelKey, int]:
    counts: dict[ModelKey, int] = {}
    for row in rows:
        counts[_key(row)] = counts.get(_key(row), 0) + row["requests"]
    return counts


def _most(rows: Iterable[Row]) -> ModelKey | None:
    counts = _counts(rows)
    return max(sorted(counts), key=lambda key: counts[key], default=None)


def _other(first: ModelKey, rows: Iterable[Row]) -> ModelKey | None:
    """The model that served most of these requests besides the first, if it served a plausible share of them."""
    counts = _counts(rows)
    total = sum(counts.values())
    counts.pop(first, None)
    other = max(sorted(counts), key=lambda key: counts[key], default=None)
    return other if other is not None and counts[other] >= PLAUSIBLE * total else None


def _comparable(task: str, first: ModelKey, rows: list[Row], groups: list[Row]) -> ModelKey | None:
    """The model that now serves most of what the same applications send of the other tasks that we could route."""
    senders = {application for row in rows for application in row.get("applications") or ()}
    others = [
        row
        for row in groups
        if not row["ours"] and row["task"] in ROUTED_TASKS and row["task"] != task and _key(row) != first
        and senders & set(row.get("applications") or ())
    ]  # fmt: skip
    return _most(others)


def _shares(rows: list[Row]) -> tuple[dict[str, Decimal] | None, Decimal]:
    """Shares of the prompt by token class, and the share of requests that were sent as a batch."""
    sums = {name: sum(row[name] for row in rows) for name in PROMPT_CLASSES}
    total, requests = sum(sums.values()), sum(row["requests"] for row in rows)
    batch = Decimal(sum(row["batched"] for row in rows)) / requests if requests else Decimal(0)
    return {name: Decimal(tokens) / total for name, tokens in sums.items()} if total else None, batch


def models_of(groups: Iterable[Row], made: Mapping[str, StandIn]) -> set[ModelKey]:
    """Every model that needs a price."""
    keys = {_key(row) for row in groups if not row["ours"]}
    return keys | {key for row in made.values() for key in (row.key, row.other) if key}


# --- the traffic at these models ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Task:
    """What is added up of one task."""

    rows: list[Usage] = field(default_factory=list)
    ours: int = 0
    routed: int = 0
    left_out: int = 0
    unpriced: str = ""


@dataclass(frozen=True)
class Priced:
    """Requests at their models' prices: all of them and those of the routed tasks, at the first and the other model."""

    all: list[Usage]
    routed: list[Usage]
    all_other: list[Usage]
    routed_other: list[Usage]
    tasks: tuple[TaskCost, ...]
    left_out: int
    main: str  # the model that most requests count at

    @property
    def requests(self) -> int:
        return sum(task.requests for task in self.tasks)


def priced(groups: Iterable[Row], made: Mapping[str, StandIn], prices: Mapping[ModelKey, TokenPrice]) -> Priced:
    """The requests of `groups` at the models of `made`."""
    tasks: dict[str, _Task] = {}
    all_rows: tuple[list[Usage], list[Usage]] = [], []
    routed_rows: tuple[list[Usage], list[Usage]] = [], []
    models: dict[str, int] = {}
    for row in groups:
        task, stand_in = tasks.setdefault(row["task"], _Task()), made[row["task"]]
        routed = row["ours"] or row["task"] in ROUTED_TASKS
        task.ours += row["requests"] if row["ours"] else 0
        replaced = row["ours"] or (routed and stand_in.because == "person")
        key = stand_in.key if replaced else _key(row)
        price = prices.get(key) if key else None
        if key is None or price is None or row["requests"] == row["unknown_usage"]:
            task.left_out += row["requests"]
            task.unpriced = task.unpriced or (key[1] if key and price is None else "")
            continue
        counted = on_the_api(row, stand_in) if row["ours"] else row
        first = list(usage_of(counted, price))
        second = prices.get(stand_in.other) if replaced and stand_in.other else None
        other = list(usage_of(counted, second)) if second else first
        models[key[1]] = models.get(key[1], 0) + row["requests"]
        task.rows += first
        totals = [*all_rows, *routed_rows] if routed else all_rows
        task.routed += row["requests"] if routed else 0
        for rows, added in zip(totals, (first, other) * 2, strict=False):
            rows += added
    costs = tuple(_cost(name, task, made[name], prices) for name, task in tasks.items())
    return Priced(
        all_rows[0], routed_rows[0], all_rows[1], routed_rows[1], tuple(sorted(costs, key=lambda row: -row.requests)),
        sum(task.left_out for task in tasks.values()), max(models, key=lambda name: models[name], default=""),
    )  # fmt: skip


def _cost(name: str, task: _Task, stand_in: StandIn, prices: Mapping[ModelKey, TokenPrice]) -> TaskCost:
    requests = sum((Decimal(row.requests) for row in task.rows), Decimal(0))
    cost = sum((cost_of(row) for row in task.rows), Decimal(0))
    other = stand_in.other if stand_in.other in prices else None
    return TaskCost(
        task=name,
        requests=int(requests),
        routed=task.routed,
        left_out=task.left_out,
        model=stand_in.key[1] if stand_in.key else "",
        because=stand_in.because,
        until=stand_in.until,
        chosen_by=stand_in.chosen_by,
        unpriced=task.unpriced,
        ours=task.ours,
        left_api=stand_in.left,
        other=other[1] if other else "",
        cost_per_request=cost / requests if requests else None,
    )


def on_the_api(row: Row, stand_in: StandIn) -> Row:
    """What our own GPUs served as the API would count it: the same tokens, its classes of the prompt, its batches."""
    counted = {**row, "batched": int(stand_in.batch * row["requests"])}
    if stand_in.shares is None:
        return counted
    prompt = sum(row[name] for name in PROMPT_CLASSES)
    return counted | {name: prompt * share for name, share in stand_in.shares.items()}


def usage_of(row: Row, price: TokenPrice) -> Iterable[Usage]:
    """A group's tokens at its price, batch requests apart; requests without known tokens count like the others."""
    with_usage = row["requests"] - row["unknown_usage"]
    if not with_usage:
        return
    scale = Decimal(row["requests"]) / with_usage
    listed = prices_of(price)
    # Usage hours do not keep the length of each prompt, so the mean length decides about the price tier.
    prices = listed.of_prompt(Decimal(sum(row[name] for name in PROMPT_CLASSES)) / with_usage)
    hour_long = price.over_cache_write_1h if prices is listed.over else price.cache_write_1h
    long_write = prices.cache_write_5m if hour_long is None else hour_long
    batched = Decimal(min(row["batched"], row["requests"]))
    tokens = {name: row[name] * scale for name in (*PROMPT_CLASSES, "output")}
    in_batch = {name: count * batched / row["requests"] for name, count in tokens.items()}
    if row["requests"] > batched:
        at_once: dict[str, Any] = {name: tokens[name] - in_batch[name] for name in tokens}
        yield Usage(prices, long_write, row["requests"] - batched, **at_once)
    if batched:
        # Vendors discount cache writes of a batch too. The engine's batch discount does not, so it is taken off here.
        factor = 1 - prices.batch_discount
        discounted = replace(prices, cache_write_5m=prices.cache_write_5m * factor)
        many: dict[str, Any] = in_batch
        yield Usage(discounted, long_write * factor, batched, **many, batch=True)


# --- as inputs of the break-even ------------------------------------------------------------------------------------


def inputs_of(traffic: Priced, example: Inputs, days: Decimal) -> Inputs:
    """The example with the measured traffic in its place; `days` were observed. Nothing priced: a volume of 0."""
    unmeasured = replace(example, tasks=traffic.tasks, left_out=traffic.left_out)
    n = int(traffic.requests * 30 / days)
    mix = measured_mix(traffic.all, n)
    if mix is None:
        return replace(unmeasured, requests_per_month=0)
    api_model = traffic.main or unmeasured.api_model
    live = replace(writes_as_input(mix).over(unmeasured), api_model=api_model, apart=apart(mix))
    share = sum((Decimal(row.requests) for row in traffic.routed), Decimal(0)) / traffic.requests
    routed = measured_mix(traffic.routed, int(n * share))
    if routed is None:
        return live
    other, second = None, measured_mix(traffic.all_other, n)
    if second is not None and traffic.all_other != traffic.all:
        changed = writes_as_input(second)
        factor = _factor(traffic.routed_other, traffic.all_other)
        other = OtherModels(changed.prices, changed.batch_share, factor)
    factor = _factor(traffic.routed, traffic.all)
    return replace(live, routed=Routed(share, factor, routed.output_tokens, apart(routed), other))


def _factor(some: list[Usage], all_rows: list[Usage]) -> Decimal:
    """The cost of one of some requests / the mean cost of all."""
    means = []
    for rows in (some, all_rows):
        requests = sum((Decimal(row.requests) for row in rows), Decimal(0))
        means.append(sum((cost_of(row) for row in rows), Decimal(0)) / requests)
    return means[0] / means[1] if means[1] else Decimal(1)


def apart(mix: Mix) -> Prompts:
    """The measured prompts with separate cache writes, because list prices have a rate of their own for these."""
    return Prompts(mix.input_tokens, mix.cache_read_share, mix.cache_writes_as_5m, mix.batch_share)


def writes_as_input(mix: Mix) -> Mix:
    """The mix with cache writes counted as uncached input, whose price is raised so that the cost stays the same.

    The engine takes cache writes as a fixed number a month, as in the research's example with one prompt. Real prompts
    are written again every few minutes: their writes grow with the requests and leave with those that are routed.
    """
    if not mix.requests_per_month or not mix.cache_write_tokens:
        return replace(mix, cache_write_tokens=Decimal(0))
    read, written = mix.input_tokens * mix.cache_read_share, mix.cache_write_tokens / mix.requests_per_month
    uncached, prices = mix.input_tokens - read, mix.prices
    writes = written * prices.cache_write_5m
    before = uncached * prices.input + read * prices.cache_read + mix.output_tokens * prices.output
    return replace(
        mix,
        prices=replace(prices, input=(uncached * prices.input + writes) / (uncached + written)),
        input_tokens=mix.input_tokens + written,
        cache_read_share=read / (mix.input_tokens + written),
        cache_write_tokens=Decimal(0),
        # The price of writes has its discount in it already, so the batch discount must apply to the rest alone.
        batch_share=mix.batch_share * before / (before + writes),
    )


def at_other_models(inputs: Inputs) -> Inputs | None:
    """The inputs with each task at its second most plausible model; None if no task has one."""
    routed = inputs.routed
    if routed is None or routed.other is None:
        return None
    other = routed.other
    return replace(
        inputs,
        prices=other.prices,
        batch_share=other.batch_share,
        routed=replace(routed, factor=other.factor, other=None),
    )
