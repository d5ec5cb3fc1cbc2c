"""Pieces of bodies that came as log records: kept, found their requests, and put together."""

from __future__ import annotations

KEEP = """
INSERT INTO traffic_waitingtext
    (application_id, call, at_ns, digest, whole, prompt, answer, arrived_at, due_at)
SELECT given.*, %(now)s, %(now)s
FROM unnest(%(applications)s::bigint[], %(calls)s::text[], %(times)s::bigint[], %(digests)s::uuid[],
    %(wholes)s::boolean[], %(prompts)s::text[], %(answers)s::text[]) AS given
ORDER BY 1, 2, 3, 4
ON CONFLICT (application_id, call, at_ns, digest) DO NOTHING
RETURNING application_id, call
"""

DUE = """
SELECT DISTINCT application_id, call FROM traffic_waitingtext WHERE due_at <= %(now)s LIMIT %(limit)s
"""

# All pieces of these calls; whoever else puts one of them together waits, and then sees what came of it.
PIECES = """
SELECT w.id, w.application_id, w.call, w.at_ns, w.whole, w.prompt, w.answer, w.due_at IS NULL
FROM traffic_waitingtext AS w
JOIN unnest(%(applications)s::bigint[], %(calls)s::text[]) AS given (application_id, call)
    USING (application_id, call)
ORDER BY w.application_id, w.call, w.at_ns, w.id FOR UPDATE OF w
"""

# Where a call is stored: under its own id, or with a span above it that it was found to be one call with. What was
# deleted on request has no external id, and gets nothing.
FIND = """
WITH RECURSIVE up AS (
    SELECT number, day, id, 0 AS depth
    FROM unnest(%(numbers)s::int[], %(days)s::date[], %(ids)s::uuid[]) AS given (number, day, id)
    UNION ALL
    SELECT up.number, up.day, above.parent, up.depth + 1 FROM up, LATERAL (
        SELECT l.parent FROM traffic_span_link AS l
        WHERE l.day >= %(low)s AND l.day <= %(high)s AND l.day = up.day AND l.child = up.id OFFSET 0
    ) AS above WHERE up.depth < 8
)
SELECT DISTINCT ON (up.number) up.number, r.day, r.id
FROM up, LATERAL (
    SELECT r.day, r.id FROM traffic_request AS r
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = up.day AND r.id = up.id OFFSET 0
) AS r
ORDER BY up.number, up.depth
"""

# Deleting on request locks the same rows first: either it sees the body, or we see that there is to be none.
LOCK = """
SELECT id FROM traffic_request
WHERE day >= %(low)s AND day <= %(high)s AND day = ANY(%(days)s::date[]) AND id = ANY(%(ids)s::uuid[])
    AND external_id <> ''
ORDER BY day, id FOR NO KEY UPDATE
"""

FILL = """
INSERT INTO traffic_request_body AS b (day, request_id, prompt, answer)
SELECT * FROM unnest(%(days)s::date[], %(ids)s::uuid[], %(prompts)s::text[], %(answers)s::text[]) ORDER BY 1, 2
ON CONFLICT (day, request_id) DO UPDATE
SET prompt = coalesce(b.prompt, excluded.prompt), answer = coalesce(b.answer, excluded.answer), marks = NULL
"""

# A body that was put together before more came; one that anybody else wrote stays.
RENEW = """
UPDATE traffic_request_body AS b SET
    prompt = CASE WHEN b.prompt = given.old_prompt THEN given.prompt ELSE b.prompt END,
    answer = CASE WHEN b.answer = given.old_answer THEN given.answer ELSE b.answer END, marks = NULL
FROM unnest(%(days)s::date[], %(ids)s::uuid[], %(prompts)s::text[], %(answers)s::text[], %(old_prompts)s::text[],
    %(old_answers)s::text[]) AS given (day, id, prompt, answer, old_prompt, old_answer)
WHERE b.day >= %(low)s AND b.day <= %(high)s AND b.day = given.day AND b.request_id = given.id
"""

# Looked for again after as long as it has waited, so that what never comes costs a dozen looks.
LOOKED = """
UPDATE traffic_waitingtext SET due_at = CASE WHEN id = ANY(%(found)s::bigint[]) THEN NULL
    ELSE %(now)s + greatest(%(now)s - arrived_at, %(least)s) END
WHERE id = ANY(%(pieces)s::bigint[])
"""

# Past their hour, or of applications that keep nothing any more; how many belonged to no call, by application.
FORGET = """
WITH old AS (
    DELETE FROM traffic_waitingtext WHERE arrived_at <= %(before)s RETURNING application_id, due_at
),
unwanted AS (
    DELETE FROM traffic_waitingtext
    WHERE application_id = ANY(ARRAY(SELECT id FROM traffic_application WHERE NOT capture_bodies))
        AND arrived_at > %(before)s
    RETURNING application_id, due_at
),
gone AS (SELECT * FROM old UNION ALL SELECT * FROM unwanted)
SELECT application_id, count(*) FROM gone WHERE due_at IS NOT NULL GROUP BY 1 ORDER BY 1
"""
