"""What every vendor's connector is, and the rows that it translates to.

A connector only translates: it asks, pages through, and parses into the frozen rows below. It touches no table, never
sleeps and never logs a key; timing, back-off and storing happen once, in `providers/accounts/services.py`.

Units: money is Decimal USD, memory is GB of one GPU, times are aware and in UTC, periods are inclusive to exclusive.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.utils.translation import gettext as _

from providers.connectors.parse import redact

if TYPE_CHECKING:
    from providers.connectors.http import VendorHttp
    from providers.connectors.stopping import Stop

T = TypeVar("T")

FEEDS = ("offers", "leases", "usage", "costs", "balance", "payments", "names")
PERIODS = frozenset({"usage", "costs", "payments"})  # feeds that are asked for a period; the others tell what is now
TOKEN_CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")


class ConnectorError(Exception):
    """A poll failed. The message is a sentence for the account's page and never holds a key.

    `permanent` means that trying again cannot help until a person changes something; `retry_after` is the vendor's own
    wish in seconds; `partial` that only what was asked for is refused, and the key may be good for the rest; `capped`
    that a spend limit which people set at the vendor is reached, so that it serves their requests no more either.
    """

    def __init__(
        self,
        message: str,
        permanent: bool = False,
        retry_after: float | None = None,
        *,
        partial: bool = False,
        capped: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.retry_after = retry_after
        self.partial = partial
        self.capped = capped


@dataclass(frozen=True)
class Option:
    """A setting that one vendor needs besides address and key; the account's form asks for it.

    `type` is str, int, bool, or list for words with commas between them; left empty it is not stored.
    """

    label: str
    help: str = ""
    type: type = str


@dataclass(frozen=True)
class AccountConfig:
    """What a connector needs to know of an account. An empty base URL is the vendor's own."""

    base_url: str = ""
    secret: str = field(default="", repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    local: bool = False
    timeout: float = 20.0  # seconds that the vendor may stay silent
    pause: Callable[[float], None] = time.sleep  # how whoever polls waits between two calls that a vendor wants apart


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


class Connector(ABC):
    """One vendor. What it can do stands in `feeds`: what is absent cannot be asked."""

    kind: ClassVar[str]
    label: ClassVar[str]
    default_base_url: ClassVar[str]
    key_help: ClassVar[str] = ""  # where a person finds the key
    feeds: ClassVar[Mapping[str, int]]  # feed -> seconds between two polls
    reread: ClassVar[Mapping[str, timedelta]] = {}  # feed -> how far back the vendor still revises
    spacing: ClassVar[float] = 0.0  # seconds that the vendor wants between two calls of one account
    options: ClassVar[Mapping[str, Option]] = {}  # name in the account's settings -> what to ask for
    stop: ClassVar[Stop | None] = None  # how a lease is stopped by API; None: this vendor cannot

    def __init__(self, config: AccountConfig) -> None:
        self.config = config
        self.base_url = (config.base_url or self.default_base_url).rstrip("/")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @abstractmethod
    def test(self) -> str:
        """Prove the key with one cheap call; a sentence that names the organisation."""

    def fetch_offers(self) -> Fetched[OfferRow]:
        raise self._cannot("offers")

    def fetch_leases(self) -> Fetched[LeaseRow]:
        raise self._cannot("leases")

    def fetch_usage(self, since: datetime, until: datetime) -> Fetched[UsageRow]:
        raise self._cannot("usage")

    def fetch_costs(self, since: datetime, until: datetime) -> Fetched[CostRow]:
        raise self._cannot("costs")

    def fetch_balance(self) -> Balance:
        raise self._cannot("balance")

    def fetch_payments(self, since: datetime, until: datetime) -> Fetched[PaymentRow]:
        raise self._cannot("payments")

    def fetch_names(self) -> Fetched[NameRow]:
        raise self._cannot("names")

    def writing(self) -> VendorHttp:
        """HTTP whose key may change things; only whoever has a `stop` is asked for it."""
        from providers.connectors.http import bearer

        return bearer(self)

    def _cannot(self, feed: str) -> ConnectorError:
        return ConnectorError(_("%(vendor)s has no %(feed)s.") % {"vendor": self.label, "feed": feed}, permanent=True)

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Turn a shape that we do not know into a sentence."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, InvalidOperation, OverflowError) as error:
            raise ConnectorError(
                _("%(vendor)s answered in a form that we do not know (%(what)s).")
                % {"vendor": self.label, "what": redact(_what(error), self.config.secret)}
            ) from None


def _what(error: Exception) -> str:
    """The shortest true description of a parse error; a value from the answer is cut."""
    name = "missing field" if isinstance(error, KeyError) else type(error).__name__
    return f"{name}: {str(error)[:120]}"
