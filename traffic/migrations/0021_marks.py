"""Marks of stored texts, in the table of the texts, with which they go."""

from django.db import migrations

MARKS = """
ALTER TABLE traffic_request_body ADD COLUMN marks smallint;
CREATE INDEX traffic_request_body_unmarked ON traffic_request_body (day) WHERE marks IS NULL AND answer IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0020_playground_permission")]

    operations = [migrations.RunSQL(MARKS, "ALTER TABLE traffic_request_body DROP COLUMN marks")]
