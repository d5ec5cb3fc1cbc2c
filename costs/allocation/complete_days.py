"""Until which day each vendor's bill is whole, as the vendor says and as the ledger has it."""

from __future__ import annotations

from datetime import UTC, date

from django.db.models import QuerySet

from costs.models import Posting
from providers.models import Feed
from providers.prepared import prepared


def watermarks() -> dict[str, date]:
    """By provider, the first day whose bill its vendor does not call whole; with several accounts, the slowest's."""
    days: dict[str, date] = {}
    for provider, until in Feed.objects.telling().filter(kind="costs").values_list("account__kind", "complete_until"):
        assert until is not None, "telling() leaves out feeds without a watermark"
        days[provider] = min(until.astimezone(UTC).date(), days.get(provider, date.max))
    return days


def bill_days() -> dict[str, date]:
    """The same at the last posting: a bill takes the place of estimates once its lines are in the ledger."""
    return {provider: date.fromisoformat(day) for state in posting() for provider, day in state.complete.items()}


@prepared
def posting() -> QuerySet[Posting]:
    return Posting.objects.order_by("pk")[:1]
