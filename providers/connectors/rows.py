"""The rows that connectors translate vendors' answers to.

Units: money is Decimal USD, memory is GB of one GPU, times are aware and in UTC, periods are inclusive to exclusive.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class OfferRow:
    provider: str
    external_id: str
    gpu: str
    gpu_count: int
    memory_gb: int | None
    kind: str  # on_demand spot committed_1y committed_3y serverless
    price_per_gpu_hour: Decimal
    region: str
    available: bool
    reliability: float | None = None  # 0..1
    raw: dict[str, Any] = field(default_factory=dict, compare=False)
    machine_per_gpu_hour: Decimal | None = (
        None  # USD that the machine around it costs besides; None: it is in the price
    )
    disk_per_gb_month: Decimal | None = None  # USD; None: not said

    @property
    def whole_per_gpu_hour(self) -> Decimal:
        """USD with the machine around it, as `Offer` has it once stored."""
        return self.price_per_gpu_hour + (self.machine_per_gpu_hour or 0)


@dataclass(frozen=True)
class LeaseRow:
    external_id: str
    name: str
    gpu: str
    gpu_count: int
    memory_gb: int | None
    kind: str
    price_per_hour: Decimal  # of the whole lease, as it stands now
    state: str  # running stopped pending ended unknown
    raw_state: str
    region: str = ""
    started_at: datetime | None = None
    utilisation: float | None = None  # 0..1
    disk_per_hour: Decimal | None = None  # of the price the disk; None: the vendor does not say
    worker_per_hour: Decimal | None = None  # serverless: one worker while it is busy
    handle: str = ""  # how the vendor addresses it in a call, where the id is not enough


@dataclass(frozen=True)
class UsageRow:
    starts_at: datetime
    ends_at: datetime
    model: str
    workspace: str
    api_key: str
    service_tier: str
    requests: int | None
    uncached_input: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    output: int
    web_searches: int


@dataclass(frozen=True)
class CostRow:
    external_id: str  # natural key, the same at every re-read
    starts_at: datetime
    ends_at: datetime
    category: str  # tokens web_search code_execution session gpu disk cpu network credit tax adjustment
    amount: Decimal
    original_amount: Decimal
    currency: str = "USD"
    model: str = ""
    token_class: str = ""  # one of TOKEN_CLASSES
    resource: str = ""  # external id of the lease
    description: str = ""
    invoice_month: str = ""  # YYYY-MM, the vendor's own
    list_amount: Decimal | None = None
    workspace: str = ""  # the vendor's id of the part of the organisation that it is for
    service_tier: str = ""

    @classmethod
    def usd(
        cls, external_id: str, starts_at: datetime, ends_at: datetime, category: str, amount: Decimal, **more: Any
    ) -> CostRow:
        """A line that came in USD, in the invoice month of its start unless the vendor says another."""
        more = {"invoice_month": f"{starts_at:%Y-%m}"} | more
        return cls(external_id, starts_at, ends_at, category, amount, original_amount=amount, **more)


@dataclass(frozen=True)
class Balance:
    amount: Decimal
    spend_per_hour: Decimal | None
    at: datetime


@dataclass(frozen=True)
class PaymentRow:
    """Money that changed hands with a prepaid vendor: above zero what we paid in, below it what was taken out."""

    external_id: str
    at: datetime
    amount: Decimal
    kind: str  # the vendor's own words, without card numbers or addresses


@dataclass(frozen=True)
class NameRow:
    """What the vendor calls a workspace or a key whose id stands in its reports."""

    kind: str  # workspace api_key
    external_id: str
    name: str
    parent: str = ""  # the workspace of a key
    state: str = ""  # the vendor's own word
    hint: str = ""  # the few characters of a key by which people tell it; never the key


@dataclass(frozen=True)
class Fetched(Generic[T]):
    """Rows and the moment before which the vendor calls them whole (None: it does not say)."""

    rows: list[T]
    complete_until: datetime | None = None
