"""Indexes that the Requests page reads by: what is out of the ordinary, and the words of kept texts."""

from __future__ import annotations

from django.db import migrations

# The filters by outcome, missing price and unknown usage find their rows here. The key is the moment in UTC and not the
# moment itself, so that only this index offers the order that such a list asks for: on a fresh partition, which has no
# statistics, the planner would else read everything by time.
ODD = """
CREATE INDEX traffic_request_odd ON traffic_request ((started_at AT TIME ZONE 'UTC'), id)
WHERE outcome <> 'ok' OR uncached_input IS NULL
   OR (cost IS NULL AND cost_reason IN ('unknown_model', 'unknown_rate'));
"""
# `simple`, because people and models write in any language; a word is found as it is written. The texts are cut, as a
# tsvector holds one megabyte at most.
WORDS = """
CREATE INDEX traffic_request_body_words ON traffic_request_body
USING gin (to_tsvector('simple', left(coalesce(prompt, ''), 100000) || ' ' || left(coalesce(answer, ''), 100000)));
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0011_erasures")]

    operations = [
        migrations.RunSQL(ODD, "DROP INDEX traffic_request_odd;"),
        migrations.RunSQL(WORDS, "DROP INDEX traffic_request_body_words;"),
    ]
