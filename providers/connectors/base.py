"""What every vendor's connector is.

A connector only translates: it asks, pages through, and parses into the frozen rows of `providers/connectors/rows.py`.
It touches no table, never sleeps and never logs a key; timing, back-off and storing happen once, in
`providers/polling/services.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import InvalidOperation
from typing import TYPE_CHECKING, ClassVar

from django.utils.translation import gettext as _

from providers.connectors.config import AccountConfig, ConnectorError, Option
from providers.connectors.parse import redact
from providers.connectors.rows import Balance, CostRow, Fetched, LeaseRow, NameRow, OfferRow, PaymentRow, UsageRow
from providers.connectors.stopping import Stop, stop_call

if TYPE_CHECKING:
    from providers.connectors.http import VendorHttp

# A connector imports what it needs from here.
__all__ = [
    "FEEDS",
    "PERIODS",
    "AccountConfig",
    "Balance",
    "Connector",
    "ConnectorError",
    "CostRow",
    "Fetched",
    "LeaseRow",
    "NameRow",
    "OfferRow",
    "Option",
    "PaymentRow",
    "UsageRow",
]

FEEDS = ("offers", "leases", "usage", "costs", "balance", "payments", "names")
PERIODS = frozenset({"usage", "costs", "payments"})  # feeds that are asked for a period; the others tell what is now


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
    unique_bills: ClassVar[bool] = False  # ids of its bill lines are unique at the vendor, whoever's they are
    stop: ClassVar[Stop | None] = None  # how a lease is stopped by API; None: this vendor cannot

    def __init__(self, config: AccountConfig) -> None:
        self.config = config
        self.base_url = (config.base_url or self.default_base_url).rstrip("/")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.base_url}>"

    @abstractmethod
    def test(self) -> str:
        """Prove the key with one cheap call; a sentence that names the organisation."""

    def identity(self) -> list[str]:
        """What the vendor reports of itself: ids of the organisation, the user, or projects; empty where it has none.

        Two keys that share one of them read the same account. Raises ConnectorError.
        """
        return []

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

    def stop_lease(self, lease_id: str, handle: str) -> None:
        """Stop a lease now. Raises ConnectorError; when none comes the vendor has taken the call."""
        if self.stop is None:
            raise ConnectorError(_("%(vendor)s has no API to stop GPUs.") % {"vendor": self.label}, permanent=True)
        call = stop_call(self.stop, self.base_url, lease_id, handle)
        with self.writing() as http:
            answer = http.send(call.method, call.url, **({} if call.body is None else {"json": call.body}))
            if answer.status == 204 or not answer.body.strip():
                return
            body = http.read(answer)
        if isinstance(body, dict) and body.get("error"):
            raise ConnectorError(_("%(vendor)s did not stop it. Check its console.") % {"vendor": self.label})

    def _cannot(self, feed: str) -> ConnectorError:
        return ConnectorError(_("%(vendor)s has no %(feed)s.") % {"vendor": self.label, "feed": feed}, permanent=True)

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Turn a shape that we do not know into a sentence."""
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, InvalidOperation, OverflowError) as error:
            raise ConnectorError(
                _("%(vendor)s sent a response in an unknown format (%(what)s).")
                % {"vendor": self.label, "what": redact(_what(error), self.config.secret)}
            ) from None


def _what(error: Exception) -> str:
    """The shortest true description of a parse error; a value from the answer is cut."""
    name = "missing field" if isinstance(error, KeyError) else type(error).__name__
    return f"{name}: {str(error)[:120]}"
