"""The inputs of the break-even. Measured values have no default, so that a missing measurement is an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, Protocol

from django.utils.translation import gettext as _

from costs.price_sheets.token_prices import TokenPrices
from lib.formats import day_text
from traffic.trials.page import at_once

Billing = Literal["hourly", "per_second"]

# Crossings are searched up to this many requests a month, however far the chart is drawn.
MOST_REQUESTS = 10**9


class PriceList(Protocol):
    """What can price a model: a reference sheet, or the price book of today."""

    def token_prices(self, model: str) -> TokenPrices | None:
        """Prices of a model by its slug, USD a million tokens; None if the list does not have it."""
        ...


@dataclass(frozen=True, slots=True)
class SelfHost:
    """Costs and capacity of our own GPUs."""

    billing: Billing
    gpu_hourly: Decimal | None  # USD for one GPU, an hour; needed when billed hourly
    hours_per_month: Decimal
    price_per_second: Decimal | None  # USD; needed when billed per second
    cold_start_seconds: Decimal  # billed on top of every request if billed per second
    fixed_monthly: Decimal  # USD: VM, upkeep
    storage_monthly: Decimal  # USD
    gpu_tokens_per_second: Decimal | None  # output of one GPU over all its requests; None: one GPU at every volume
    peak_factor: Decimal  # output tokens of the peak hour / of the mean hour
    # What the vendor charges besides the GPU; 0 if it is part of the GPU's price or if no price is listed.
    vm_hourly: Decimal = Decimal(0)  # USD for the machine around one GPU, an hour
    disk_gb: Decimal = Decimal(0)  # kept all month, also while no GPU runs
    disk_per_gb_month: Decimal = Decimal(0)  # USD
    egress_per_gb: Decimal = Decimal(0)  # USD for the answers that leave the machine

    @property
    def disk_monthly(self) -> Decimal:
        return self.disk_gb * self.disk_per_gb_month


@dataclass(frozen=True, slots=True)
class Prompts:
    """Measured traffic with its cache writes counted separately, as the list prices of one model need it."""

    input_tokens: Decimal  # of one request, without what it writes to the cache
    cache_read_share: Decimal  # share of `input_tokens`
    cache_write_tokens: Decimal  # a month; one-hour writes count as the 5-minute writes that cost the same
    batch_share: Decimal


Because = Literal["last_served", "person", "none"]


@dataclass(frozen=True, slots=True)
class TaskCost:
    """What a task's requests cost on the API, of the last 30 days, at the task's own tokens.

    `model` would serve what our own GPUs serve of the task; empty where nobody knows one. `because` says why it is that
    one: it served the task last on the API, or a person chose it.
    """

    task: str
    requests: int  # that are compared
    routed: int  # of these: what our own GPUs serve or would serve
    left_out: int  # requests that are not compared, because no price is known for them
    model: str
    because: Because
    until: date | None  # the last day on which `model` served the task, where it is known
    chosen_by: str
    unpriced: str  # the model without a price, because of which requests are left out; empty: never on the API
    other: str  # the second most plausible model; empty if there is none
    cost_per_request: Decimal | None  # USD; None without a price
    ours: int = 0  # requests that our own GPUs served
    left_api: date | None = None  # the last day on which the API served at least half of the task, by weeks

    @property
    def routable(self) -> bool:
        return self.routed > 0


@dataclass(frozen=True, slots=True)
class OtherModels:
    """The same traffic with the second most plausible model in each task: what differs in `Inputs` and in `Routed`."""

    prices: TokenPrices
    batch_share: Decimal
    factor: Decimal


@dataclass(frozen=True, slots=True)
class Routed:
    """The requests that our own GPUs serve or would serve: how they differ from the mean request."""

    share: Decimal  # of all requests, 0 to 1, by their tasks
    factor: Decimal  # their cost on the API, each / the cost of a mean request
    output_tokens: Decimal
    apart: Prompts  # `cache_write_tokens` a month, of these requests
    other: OtherModels | None = None


CapacitySource = Literal["trial", "engine", "catalogue", "person"]


@dataclass(frozen=True, slots=True)
class Capacity:
    """Output tokens/s of one GPU over all its requests, with its source. `concurrency` and `at` are of a trial.

    `engine`: measured in an hour in which calls waited all the time. `catalogue`: published for all streams together.
    """

    tokens_per_second: Decimal
    source: CapacitySource
    trial: int | None = None
    name: str = ""  # of the trial
    deployment: str = ""  # the name of the one that was measured
    concurrency: int | None = None
    at: datetime | None = None

    def words(self) -> str:
        """The source in a short phrase for people."""
        text = {
            "engine": _("Engine: %(deployment)s, in an hour in which calls waited all the time"),
            "catalogue": _("Catalogue: published for the model of %(deployment)s on this GPU"),
            "person": _("Entered at the deployment"),
            "trial": _("Trial: %(deployment)s, measured by “%(name)s” with %(calls)s, %(day)s"),
        }[self.source]
        words = {"name": self.name, "deployment": self.deployment, "calls": at_once(self.concurrency)}
        return text % (words | {"day": day_text(self.at) if self.at else ""})


@dataclass(frozen=True, slots=True)
class Inputs:
    """Traffic and prices of one break-even. Shares are 0 to 1, tokens are those of one request."""

    price_sheet: str | None
    api_model: str
    prices: TokenPrices
    input_tokens: Decimal
    output_tokens: Decimal
    cache_read_share: Decimal  # of the input tokens
    cache_write_tokens: Decimal  # a month, at the 5-minute price
    batch_share: Decimal  # of the requests
    requests_per_month: int
    routable_share: Decimal  # of the requests
    selfhost: SelfHost
    apart: Prompts | None = None  # the same traffic with separate cache writes, if the prices above contain them
    routed: Routed | None = None  # None: our own GPUs would serve requests that cost as much as the mean
    tasks: tuple[TaskCost, ...] = ()  # what the prices were made from; empty if they are not measured
    left_out: int = 0  # requests of the last 30 days that no price is known for, so that they are not compared
    capacity: Capacity | None = None  # where the live throughput of one GPU comes from
    unused: Capacity | None = None  # of the newest trial, where it was of no leased GPU

    @property
    def used_capacity(self) -> Capacity | None:
        """The live capacity; None where it is not known, and where a what-if has put another one in its place."""
        same = self.capacity and self.capacity.tokens_per_second == self.selfhost.gpu_tokens_per_second
        return self.capacity if same else None
