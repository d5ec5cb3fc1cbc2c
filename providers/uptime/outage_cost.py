"""What outages cost: requests that failed or went elsewhere (counted by `traffic`), and money paid while down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lib.formats import count, dollars, missing
from lib.money import COST_STEP, ZERO
from lib.time_spans import Span
from providers.models import LeaseSpan, Outage

HOUR_US = Decimal(3_600_000_000)


@dataclass(frozen=True, slots=True)
class OutageCost:
    """Of one outage or of several. None: not counted yet; of money: nothing is rented, or not observed then."""

    failed: int | None = None
    rerouted: int | None = None
    money: Decimal | None = None  # USD: the lease's price times the hours that it was down and billed

    def __add__(self, other: OutageCost) -> OutageCost:
        return OutageCost(
            _add(self.failed, other.failed), _add(self.rerouted, other.rerouted), _usd(self.money, other.money)
        )

    def rent(self) -> str:
        return missing("dash") if self.money is None else dollars(self.money)

    def words(self) -> str:
        """Requests and money in a line."""
        if self.failed is None:
            requests = _("requests not counted yet")
        else:
            requests = ngettext(
                "%(n)s request failed, %(rerouted)s rerouted",
                "%(n)s requests failed, %(rerouted)s rerouted",
                self.failed,
            ) % {"n": self.failed, "rerouted": count(self.rerouted)}
        if self.money is None:
            return requests
        return f"{requests} · {_('%(sum)s of rent while down') % {'sum': dollars(self.money)}}"


NO_COST = OutageCost()


def _add(left: int | None, right: int | None) -> int | None:
    return (left or 0) + (right or 0) if left is not None or right is not None else None


def _usd(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    return (left or ZERO) + (right or ZERO) if left is not None or right is not None else None


def cost_of(outages: Sequence[Outage], now: datetime) -> dict[int, OutageCost]:
    """By the outage's id; their deployments must be at hand. One statement."""
    spans = _lease_spans(outages, now)
    return {
        outage.pk: OutageCost(
            outage.requests_failed,
            outage.requests_rerouted,
            paid_in(spans.get(outage.deployment.lease_id or 0, ()), Span(outage.started_at, outage.ended_at or now)),
        )
        for outage in outages
    }


def paid_in(spans: Iterable[LeaseSpan], down: Span) -> Decimal | None:
    """USD of a lease's observed time in a span; None where none of it was observed. Pure."""
    parts = [(Span(span.starts_at, span.ends_at).within(down), span.price_per_hour) for span in spans]
    if not any(part.seconds for part, _price in parts):
        return None
    paid = sum(((part.end - part.start) // timedelta(microseconds=1) * price for part, price in parts), ZERO)
    return (paid / HOUR_US).quantize(COST_STEP)


def _lease_spans(outages: Sequence[Outage], now: datetime) -> dict[int, list[LeaseSpan]]:
    rented = [outage for outage in outages if outage.deployment.lease_id]
    if not rented:
        return {}
    start = min(outage.started_at for outage in rented)
    end = max(outage.ended_at or now for outage in rented)
    leases = {outage.deployment.lease_id for outage in rented}
    by_lease: defaultdict[int, list[LeaseSpan]] = defaultdict(list)
    for span in LeaseSpan.objects.filter(lease__in=leases, starts_at__lt=end, ends_at__gt=start):
        by_lease[span.lease_id].append(span)
    return by_lease
