"""Until which day each vendor's bill is whole, as the vendor says and as the ledger has it."""

from __future__ import annotations

from datetime import UTC, date

from lib import sql
from providers.models import Feed


def watermarks() -> dict[str, date]:
    """Return by provider the first day whose bill is not complete; with several accounts, the earliest one."""
    days: dict[str, date] = {}
    for provider, until in Feed.objects.telling().filter(kind="costs").values_list("account__kind", "complete_until"):
        assert until is not None, "telling() leaves out feeds without a watermark"
        days[provider] = min(until.astimezone(UTC).date(), days.get(provider, date.max))
    return days


def bill_days() -> dict[str, date]:
    """Return the watermarks of the last posting: until a bill's lines are posted, its estimates still count."""
    return dict(sql.rows("SELECT key, value::date FROM costs_posting, jsonb_each_text(complete)"))
