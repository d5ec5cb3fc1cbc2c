"""What differs in a database of before version 0.1.0: see `lib.upgrade`."""

from __future__ import annotations

from django.db import migrations

from lib.upgrade import add_missing_fields, refuse_half, rename_column

SQUASHED = (
    "0003_span_links",
    "0004_imports",
    "0005_repricings",
    "0006_key_limits",
    "0007_redaction",
    "0008_reported_costs",
    "0009_unread",
    "0010_key_scope_alerts",
    "0011_erasures",
    "0012_request_indexes",
    "0013_tiers",
    "0014_errors",
    "0015_kept_days",
    "0016_set_aside",
    "0017_key_lines",
    "0018_waiting_text",
    "0019_raters_and_keys_for_all",
    "0020_estimated_use",
    "0021_words_of_bounded_length",
    "0022_dead_keys",
    "0023_wide_sums",
    "0024_waiting_ratings",
    "0025_admitted_names",
    "0026_daily_allowance",
    "0027_short_response_ids",
)

SHORT_IDS = """
CREATE INDEX IF NOT EXISTS traffic_request_short ON traffic_request
((coalesce(application_id, 0)), response_id, (started_at AT TIME ZONE 'UTC')) WHERE length(response_id) < 20;
"""
NAMES = {
    "told": "cost_reports",
    "told_otherwise": "cost_mismatches",
    "told_cost": "reported_cost",
    "told_ours": "computed_cost",
}


class Migration(migrations.Migration):
    dependencies = [("traffic", "0002_partitions")]
    squashed = SQUASHED  # a backup of before names them: `dashboard.backup.archive`

    operations = [
        refuse_half("traffic", SQUASHED, needed="0025_admitted_names"),
        *(
            rename_column(f"traffic_usage_{period}", before, after)
            for period in ("hour", "day")
            for before, after in NAMES.items()
        ),
        add_missing_fields("traffic", "Application", "daily_requests", "daily_gb"),
        add_missing_fields("traffic", "KeyUse", "stored_bytes"),
        migrations.RunSQL(SHORT_IDS, migrations.RunSQL.noop),
    ]
