"""Break-even: what the API costs, what our own GPUs cost, and at which volumes one becomes cheaper than the other.

No queries. Sums are exact fractions until they become Decimal USD, so a crossing is exact and the order of additions
does not change an amount.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from functools import lru_cache
from math import lcm
from typing import Any

from costs.breakeven.crossings import Crossing, Difference, Side, find_crossings, first_at_most
from costs.breakeven.curve import volumes
from costs.breakeven.decimals import decimal, decimal_text, divided
from costs.breakeven.inputs import Inputs, Prompts, SelfHost
from costs.price_sheets.token_prices import TokenPrices

# Results in the cache: a page asks for the same inputs in several places and, while no request comes in, at every
# visit. Crossings alone are small, so the 50 variations of the sensitivity analysis fit too; whole results are larger.
KEPT, WHOLE_KEPT = 256, 16
MILLION = 1_000_000
SECONDS_PER_HOUR = 3600
BYTES_PER_TOKEN = 200  # sent for each output token: in a stream each token comes in an event of its own
GIGABYTE = 10**9
DAYS_PER_MONTH = Decimal(730) / 24


@dataclass(frozen=True, slots=True)
class Costs:
    """The parameters of both curves as exact fractions, USD per request and per month."""

    api_request: Fraction  # one request, the batch discount taken off
    api_writes: Fraction  # cache writes of a month, paid as soon as any request goes to the API
    routed_share: Fraction
    routed_api: Fraction  # what the API takes for the routed part of one mean request
    own_fixed: Fraction  # storage, disk and upkeep of a month
    own_request: Fraction  # one routed request: its egress, and its seconds if these are billed
    lease: Fraction  # one GPU for a month, with the machine around it
    load: Fraction  # GPUs that one request a month needs at the peak; 0 if the capacity is unknown
    fewest: int | None  # GPUs as soon as there is a request; None if billing is not hourly
    idle: int | None  # GPUs without any request; None if billing is not hourly

    def gpus(self, n: int) -> int | None:
        """GPUs for n requests a month; None if billing is not hourly."""
        if n == 0 or self.fewest is None:
            return self.idle
        return max(self.fewest, -(-n * self.load.numerator // self.load.denominator))

    @property
    def is_stepped(self) -> bool:
        """Whether our cost grows in steps: more volume needs more GPUs, and a GPU costs something."""
        return self.load > 0 and self.lease > 0

    def api(self, n: int) -> Fraction:
        return self.api_request * n + self.api_writes if n else Fraction(0)

    def own(self, n: int) -> Fraction:
        """USD a month of our own GPUs, without the requests that stay at the API."""
        return self.lease * (self.gpus(n) or 0) + self.own_fixed + self.own_request * self.routed_share * n

    def rest(self, n: int) -> Fraction:
        """USD a month of the requests that cannot be routed and stay at the API."""
        if not n or self.routed_share == 1:
            return Fraction(0)
        return (self.api_request - self.routed_api) * n + self.api_writes

    def selfhost(self, n: int) -> Fraction:
        return self.own(n) + self.rest(n)


@dataclass(frozen=True, slots=True)
class WholeCosts:
    """Both curves in integers over one denominator: at many volumes faster than fractions, and as exact."""

    costs: Costs
    scale: int  # all amounts are USD times this
    request: int
    writes: int
    own_slope: int
    fixed: int
    own_writes: int
    lease: int

    @classmethod
    def of(cls, costs: Costs) -> WholeCosts:
        own_slope = costs.own_request * costs.routed_share + costs.api_request - costs.routed_api
        own_writes = costs.api_writes if costs.routed_share != 1 else Fraction(0)
        amounts = (costs.api_request, costs.api_writes, own_slope, costs.own_fixed, own_writes, costs.lease)
        scale = lcm(*(amount.denominator for amount in amounts))
        return cls(costs, scale, *(amount.numerator * (scale // amount.denominator) for amount in amounts))

    def amounts(self, n: int) -> tuple[int, int]:
        """What n requests a month cost at the API, and with our own GPUs."""
        own = self.lease * (self.costs.gpus(n) or 0) + self.fixed
        return (self.request * n + self.writes, own + self.own_slope * n + self.own_writes) if n else (0, own)

    def savings(self, volumes: Iterable[int]) -> list[Decimal]:
        """What self-hosting saves a month at each of these volumes, USD."""
        return [divided(api - own, self.scale) for api, own in map(self.amounts, volumes)]


@dataclass(frozen=True, slots=True)
class Point:
    """Both curves at one volume, USD a month."""

    requests_per_month: int
    api: Decimal
    selfhost: Decimal
    gpus: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """The result. Money is USD a month; a figure per request or token is None without traffic."""

    api_cost: Decimal
    selfhost_cost: Decimal  # with the API cost of what is not routable
    own_cost: Decimal  # without it
    gpus: int | None
    cheaper: Side
    crossings: tuple[Crossing, ...]
    more_crossings: bool  # whether there are more crossings than the list holds
    api_cost_per_request: Decimal
    utilisation: Decimal | None  # mean load / capacity
    mtok_api: Decimal | None  # USD per million input plus output tokens, all requests
    mtok_allocated: Decimal | None  # the whole of our side over the routed tokens: the one to compare
    mtok_used: Decimal | None  # allocated x utilisation
    routed_share: Decimal
    curve: tuple[Point, ...]

    @property
    def saving(self) -> Decimal:
        """USD a month that self-hosting saves; negative where it costs more."""
        return self.api_cost - self.selfhost_cost


@lru_cache(WHOLE_KEPT)
def compute(inputs: Inputs, *, curve_to: int | None = None) -> Result:
    """The whole result; `curve_to` is the last volume of the curve (default: past our run rate and the crossings).

    Raises ValueError if a price or capacity that the billing needs is None.
    """
    costs = costs_of(inputs)
    crossings, more = find_crossings(_difference(costs))
    n = inputs.requests_per_month
    used = _utilisation(inputs, costs, n)
    tokens = (_fraction(inputs.input_tokens) + _fraction(inputs.output_tokens)) * n / MILLION
    allocated = _ratio(costs.own(n), tokens * costs.routed_share)
    return Result(
        api_cost=decimal(costs.api(n)),
        selfhost_cost=decimal(costs.selfhost(n)),
        own_cost=decimal(costs.own(n)),
        gpus=costs.gpus(n),
        cheaper=_cheaper(costs, n, crossings),
        crossings=tuple(crossings),
        more_crossings=more,
        api_cost_per_request=decimal(costs.api_request),
        utilisation=_decimal(used),
        mtok_api=_decimal(_ratio(costs.api(n), tokens)),
        mtok_allocated=_decimal(allocated),
        mtok_used=None if allocated is None or used is None else decimal(allocated * used),
        routed_share=inputs.routable_share,
        curve=_curve(costs, volumes(n, crossings, costs.load, curve_to)),
    )


def saving_at_run_rate(inputs: Inputs) -> Decimal:
    """`Result.saving` without the rest of the result, which takes ten times as long. Raises like `compute`."""
    costs, n = costs_of(inputs), inputs.requests_per_month
    return decimal(costs.api(n)) - decimal(costs.selfhost(n))


@lru_cache(KEPT)
def costs_of(inputs: Inputs) -> Costs:
    """Both curves of these inputs. Raises ValueError if a price or capacity that the billing needs is None."""
    own = inputs.selfhost
    hourly = own.billing == "hourly"
    api_request = request_cost(inputs.prices, inputs, inputs.output_tokens)
    return Costs(
        api_request=api_request,
        api_writes=_fraction(inputs.cache_write_tokens) * _fraction(inputs.prices.cache_write_5m) / MILLION,
        routed_share=_fraction(inputs.routable_share),
        routed_api=api_request * routed_weight(inputs),
        own_fixed=_fraction(own.fixed_monthly) + _fraction(own.storage_monthly) + _fraction(own.disk_monthly),
        own_request=egress_request(inputs)
        + (Fraction(0) if hourly else _seconds(inputs) * _needed(own.price_per_second, "price_per_second")),
        lease=(_needed(own.gpu_hourly, "gpu_hourly") + _fraction(own.vm_hourly)) * _fraction(own.hours_per_month)
        if hourly
        else Fraction(0),
        load=_load(inputs) if hourly else Fraction(0),
        fewest=_fewest_gpus(inputs) if hourly else None,
        # If the capacity is unknown, one GPU is assumed at every volume, as the research sheet does.
        idle=None if not hourly else 1 if own.gpu_tokens_per_second is None else 0,
    )


@lru_cache(KEPT)
def find_all_crossings(inputs: Inputs) -> tuple[Crossing, ...]:
    """The crossings without the curve, which is cheaper than `compute`."""
    return tuple(find_crossings(_difference(costs_of(inputs)))[0])


def volume_saving(inputs: Inputs, amount: Decimal) -> int | None:
    """The fewest requests a month at which self-hosting saves `amount` USD a month; None if none up to 10^9 does."""
    costs = costs_of(inputs)
    scale = Fraction(amount).denominator
    difference = _difference(costs, scale)
    return first_at_most(difference, 0, -int(Fraction(amount) * _scale(costs, scale)))


def days_to_cross(requests_per_month: int, crossing: int, growth_per_month: Decimal) -> int | None:
    """Days until a run rate that grows by this share a month reaches a crossing; 0 if it is past it, None if never."""
    if requests_per_month >= crossing:
        return 0
    if requests_per_month <= 0 or growth_per_month <= 0:
        return None
    months = (Decimal(crossing) / requests_per_month).ln() / (1 + growth_per_month).ln()
    return int((months * DAYS_PER_MONTH).to_integral_value(ROUND_CEILING))


def as_json(result: Result) -> dict[str, Any]:
    """The result as the HTTP API gives it: money as decimal strings, counts and ratios as numbers."""
    return {
        "api_cost": decimal_text(result.api_cost),
        "selfhost_cost": decimal_text(result.selfhost_cost),
        "own_cost": decimal_text(result.own_cost),
        "saving": decimal_text(result.saving),
        "gpus": result.gpus,
        "cheaper": result.cheaper,
        "crossings": [crossing_as_json(crossing, result.routed_share) for crossing in result.crossings],
        "more_crossings": result.more_crossings,
        "api_cost_per_request": decimal_text(result.api_cost_per_request),
        "utilisation": None if result.utilisation is None else float(result.utilisation),
        "cost_per_mtok": {
            "api": _plain(result.mtok_api),
            "selfhost_allocated": _plain(result.mtok_allocated),
            "selfhost_used": _plain(result.mtok_used),
        },
        "curve": [
            {
                "requests_per_month": point.requests_per_month,
                "api": decimal_text(point.api),
                "selfhost": decimal_text(point.selfhost),
                "gpus": point.gpus,
            }
            for point in result.curve
        ],
    }


def crossing_as_json(crossing: Crossing, routed_share: Decimal) -> dict[str, Any]:
    return {
        "requests_per_month": crossing.requests_per_month,
        "from": crossing.side_from,
        "to": crossing.side_to,
        "routed_requests": routed_requests(crossing.requests_per_month, routed_share),
    }


def routed_requests(n: int, share: Decimal) -> int:
    """How many of n requests our GPUs may serve, rounded to a whole number for display."""
    return round(_fraction(share) * n)


def request_cost(prices: TokenPrices, prompts: Inputs | Prompts, output_tokens: Decimal) -> Fraction:
    """USD of one request on the API, the batch discount taken off, without the writes of the cache."""
    read = _fraction(prompts.cache_read_share)
    input_price = read * _fraction(prices.cache_read) + (1 - read) * _fraction(prices.input)
    tokens = _fraction(prompts.input_tokens) * input_price + _fraction(output_tokens) * _fraction(prices.output)
    return tokens * (1 - _fraction(prompts.batch_share) * _fraction(prices.batch_discount)) / MILLION


def routed_weight(inputs: Inputs) -> Fraction:
    """The share of the API's cost that the routable share of the requests stands for.

    The tasks that our own GPUs serve are routed first. What the routable share holds beyond them is of the other tasks.
    """
    share, routed = _fraction(inputs.routable_share), inputs.routed
    if routed is None or not 0 < routed.share < 1:
        return share
    first = _fraction(routed.share)
    # In a what-if the factor may say that these requests cost more than all of them together.
    cost = min(_fraction(routed.factor) * first, Fraction(1))
    return cost * min(share / first, Fraction(1)) + (1 - cost) * max(share - first, Fraction(0)) / (1 - first)


def egress_request(inputs: Inputs) -> Fraction:
    """USD of egress for the answer to one routed request."""
    weight = _fraction(inputs.output_tokens) * BYTES_PER_TOKEN
    return weight * _fraction(inputs.selfhost.egress_per_gb) / GIGABYTE


def _seconds(inputs: Inputs) -> Fraction:
    """Seconds of one routed request that a vendor bills: the generation and the cold start."""
    own = inputs.selfhost
    speed = _needed(own.gpu_tokens_per_second, "gpu_tokens_per_second")
    return _fraction(inputs.output_tokens) / speed + _fraction(own.cold_start_seconds)


def _load(inputs: Inputs) -> Fraction:
    """GPUs that one request a month needs at the peak; 0 if the capacity is unknown or nothing is routed."""
    own = inputs.selfhost
    if own.gpu_tokens_per_second is None:
        return Fraction(0)
    routed_tokens = _fraction(inputs.routable_share) * _fraction(inputs.output_tokens)
    capacity = _fraction(own.gpu_tokens_per_second) * _month_seconds(own)
    return routed_tokens * _fraction(own.peak_factor) / capacity


def _fewest_gpus(inputs: Inputs) -> int:
    """GPUs as soon as there is a request: 0 if our capacity is known but no request is routed to it, else 1."""
    return 1 if inputs.selfhost.gpu_tokens_per_second is None or inputs.routable_share else 0


def _month_seconds(own: SelfHost) -> Fraction:
    return _fraction(own.hours_per_month) * SECONDS_PER_HOUR


def _utilisation(inputs: Inputs, costs: Costs, n: int) -> Fraction | None:
    own = inputs.selfhost
    gpus = costs.gpus(n)
    if own.gpu_tokens_per_second is None or not gpus:
        return None
    mean = costs.routed_share * n * _fraction(inputs.output_tokens) / _month_seconds(own)
    return mean / (gpus * _fraction(own.gpu_tokens_per_second))


def _difference(costs: Costs, also: int = 1) -> Difference:
    """Self-hosting minus API as integers over one denominator, which is a multiple of `also`."""
    fall, base = slope(costs), _base(costs)
    scale = _scale(costs, also)
    return Difference(
        step=int(costs.lease * scale) if costs.is_stepped else 0,
        load_num=costs.load.numerator if costs.is_stepped else 0,
        load_den=costs.load.denominator,
        fall=int(fall * scale),
        base=int(base * scale),
        at_zero=int(costs.selfhost(0) * scale),
    )


def slope(costs: Costs) -> Fraction:
    """USD that self-hosting saves with each further request, as long as no GPU is added."""
    return costs.routed_api - costs.routed_share * costs.own_request


def _base(costs: Costs) -> Fraction:
    """USD that self-hosting costs more independent of the volume; without the GPUs whose number follows from it."""
    # If every request is routed, the API writes no cache any more; else its writes are due on both sides and cancel.
    base = costs.own_fixed - (costs.api_writes if costs.routed_share == 1 else 0)
    return base if costs.is_stepped else base + costs.lease * (costs.gpus(1) or 0)


def _scale(costs: Costs, also: int) -> int:
    """The common denominator of all amounts and of `also`."""
    amounts = (slope(costs), _base(costs), costs.selfhost(0), costs.lease)
    return lcm(also, *(amount.denominator for amount in amounts))


def _cheaper(costs: Costs, n: int, crossings: list[Crossing]) -> Side:
    """The cheaper side at n; at a tie the side that a crossing at n leads to, else the API, which needs no change."""
    api, selfhost = costs.api(n), costs.selfhost(n)
    if api != selfhost:
        return "api" if api < selfhost else "selfhost"
    return next((crossing.side_to for crossing in crossings if crossing.requests_per_month == n), "api")


def _curve(costs: Costs, at: list[int]) -> tuple[Point, ...]:
    """Both curves at these volumes."""
    whole = WholeCosts.of(costs)
    both = ((n, *whole.amounts(n)) for n in at)
    return tuple(
        Point(n, divided(api, whole.scale), divided(selfhost, whole.scale), costs.gpus(n)) for n, api, selfhost in both
    )


def _fraction(number: Decimal) -> Fraction:
    return Fraction(number)


def _needed(number: Decimal | None, name: str) -> Fraction:
    if number is None:
        raise ValueError(f"{name} is needed for this billing")
    return Fraction(number)


def _ratio(amount: Fraction, per: Fraction) -> Fraction | None:
    """`amount / per`; None if `per` is 0, which means no traffic."""
    return amount / per if per else None


def _decimal(number: Fraction | None) -> Decimal | None:
    return None if number is None else decimal(number)


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else decimal_text(number)
