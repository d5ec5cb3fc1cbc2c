"""An index of the short response ids, which have no hash: feedback finds the newest request that bears one."""

from __future__ import annotations

from django.db import migrations

# The key begins as no other index does and ends with the moment in UTC, so that only this index offers the order that
# feedback asks for: on a fresh partition, which has no statistics, the planner would else read everything by time.
SHORT = """
CREATE INDEX traffic_request_short ON traffic_request
((coalesce(application_id, 0)), response_id, (started_at AT TIME ZONE 'UTC')) WHERE length(response_id) < 20;
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0026_daily_allowance")]

    operations = [migrations.RunSQL(SHORT, "DROP INDEX traffic_request_short;")]
