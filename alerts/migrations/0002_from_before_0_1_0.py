"""What differs in a database of before version 0.1.0: see `lib.upgrade`."""

from __future__ import annotations

from django.db import migrations

from lib.upgrade import refuse_half, rename_column

SQUASHED = (
    "0002_words_and_addresses",
    "0003_used_links",
    "0004_folded_mails",
    "0005_rules_by_sentence",
    "0006_channels_and_wishes",
    "0007_states_and_silences",
    "0008_reports",
    "0009_outside_monitors",
    "0010_delivery_indexes",
    "0011_claims_by_due",
    "0012_recurring_windows",
)


class Migration(migrations.Migration):
    dependencies = [("alerts", "0001_initial")]
    squashed = SQUASHED  # a backup of before names them: `dashboard.backup.archive`

    operations = [
        refuse_half("alerts", SQUASHED),
        rename_column("alerts_delivery", "held", "deferred_by"),
    ]
