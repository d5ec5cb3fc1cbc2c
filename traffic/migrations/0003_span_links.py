"""Which spans lie below which: so that spans of one call which come in different exports become one row."""

from __future__ import annotations

from django.db import migrations

LINKS = """
CREATE TABLE traffic_span_link (
    child uuid NOT NULL,
    parent uuid NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (day, child)
) PARTITION BY RANGE (day);
CREATE INDEX traffic_span_link_parent ON traffic_span_link (day, parent);
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0002_partitions")]

    operations = [migrations.RunSQL(LINKS, "DROP TABLE traffic_span_link")]
