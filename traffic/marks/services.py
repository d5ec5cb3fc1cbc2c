"""Stored texts get their marks: a few hundred at a time, the newest days first, each text once.

Where no texts are stored there are no marks, and they go with the texts.
"""

from __future__ import annotations

from datetime import date

from django.db import connection

from lib import sql
from traffic.ingest.otlp import names
from traffic.marks.rules import LONGEST, marks_of

AT_ONCE = 500
MOST_DAYS = 3  # of which one run takes texts, the newest first
# Finish reasons as the gateway and the API keep them, and as telemetry has them: a text, or a list of texts.
FINISH = ", ".join(("q.raw->>'finish_reason'", *(f"q.raw->'attributes'->>'{name}'" for name in names.FINISH)))
DAYS = """
SELECT DISTINCT day FROM traffic_request_body WHERE marks IS NULL AND answer IS NOT NULL ORDER BY day DESC LIMIT %s
"""
TEXTS = f"""
SELECT b.request_id, left(coalesce(b.prompt, ''), {LONGEST}), left(b.answer, {LONGEST}), coalesce({FINISH}, '')
FROM traffic_request_body AS b LEFT JOIN traffic_request AS q ON q.day = %(day)s AND q.id = b.request_id
WHERE b.day = %(day)s AND b.marks IS NULL AND b.answer IS NOT NULL LIMIT %(most)s
"""
# A text that came meanwhile is looked at by the next run.
KEEP = """
UPDATE traffic_request_body AS b SET marks = m.marks
FROM unnest(%(ids)s::uuid[], %(marks)s::smallint[]) AS m (id, marks)
WHERE b.day = %(day)s AND b.request_id = m.id AND b.marks IS NULL
"""


def mark_texts(most: int = AT_ONCE) -> int:
    """Look at so many texts that were not looked at; returns how many."""
    done = 0
    for (day,) in sql.rows(DAYS, [MOST_DAYS]):
        done += _mark(day, most - done)
        if done >= most:
            break
    return done


def _mark(day: date, most: int) -> int:
    rows = sql.rows(TEXTS, {"day": day, "most": most})
    if not rows:
        return 0
    marks = [int(marks_of(prompt, answer, reason.strip('[]" '))) for _id, prompt, answer, reason in rows]
    with connection.cursor() as cursor:
        cursor.execute(KEEP, {"day": day, "ids": [row[0] for row in rows], "marks": marks})
    return len(rows)
