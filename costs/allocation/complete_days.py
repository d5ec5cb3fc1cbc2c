"""Until which day each vendor's bill is whole, as the vendor says and as the ledger has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date

from lib import sql

# Feeds of enabled accounts. Those of disabled accounts count only if no enabled account of the vendor has such a feed:
# otherwise days that were billed before would become estimates again.
WATERMARKS = """
SELECT a.kind, min(f.complete_until)
FROM providers_feed AS f JOIN providers_account AS a ON a.id = f.account_id
WHERE f.kind = ANY(%s) AND f.complete_until IS NOT NULL AND (a.enabled OR NOT EXISTS (
    SELECT FROM providers_feed AS o JOIN providers_account AS polled ON polled.id = o.account_id
    WHERE polled.enabled AND polled.kind = a.kind AND o.kind = f.kind AND o.complete_until IS NOT NULL
)) GROUP BY 1
"""


def watermarks(kinds: Sequence[str] = ("costs",)) -> dict[str, date]:
    """Return by provider the first day that is not complete in its feeds of these kinds: of several accounts and kinds
    the earliest. A feed without a watermark counts for nothing."""
    return {provider: until.astimezone(UTC).date() for provider, until in sql.rows(WATERMARKS, [list(kinds)])}


def bill_days() -> dict[str, date]:
    """Return the watermarks of the last posting: until a bill's lines are posted, its estimates still count."""
    return dict(sql.rows("SELECT key, value::date FROM costs_posting, jsonb_each_text(complete)"))
