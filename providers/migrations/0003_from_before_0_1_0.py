"""What differs in a database of before version 0.1.0: see `lib.upgrade`."""

from __future__ import annotations

from django.db import migrations

from lib.upgrade import refuse_half

SQUASHED = (
    "0003_leasespan_updated_at",
    "0004_offer_indexes",
    "0005_addresses",
    "0006_leases",
    "0007_heartbeats_and_status_pages",
    "0008_imports",
    "0009_discounts",
    "0010_offer_watches",
    "0011_names_and_payments",
    "0012_engine_series",
    "0013_spend_caps",
    "0014_unit_prices",
    "0015_whole_offer_price",
    "0016_recurring_windows",
    "0017_whole_price_history",
    "0018_lease_used_at",
    "0019_estimated_offer_days",
    "0020_feed_failing_since",
    "0021_partition_functions",
    "0022_audit_log",
    "0023_entries_of_the_admin_site",
    "0024_audit_acts_and_refusals",
)


class Migration(migrations.Migration):
    dependencies = [("providers", "0002_partitions")]
    squashed = SQUASHED  # a backup of before names them: `dashboard.backup.archive`

    operations = [
        refuse_half("providers", SQUASHED),
    ]
