"""Rows that are one call: found by their response id or by their spans, and made one."""

from __future__ import annotations

from collections.abc import Iterable

from traffic.ingest.sql.rollups import READ, rollups
from traffic.ingest.sql.rows import COLUMNS, FILL_BODY, FIRST_TOLD

# Waiting rows whose response id is stored under another id on one day, which is their own or, near midnight, the
# neighbour; with whose each of the two is. Also those that stand under its id already and are to give it its
# application. The day stands alone: beside a range of days, the planner takes the primary key for as good as the index
# of response ids, and would read the whole day for each row. LATERAL with OFFSET 0 keeps it a look-up row by row. It
# joins nothing else: the stage has no statistics, and taken for a single row it would be gone through again for each.
FIND_STORED = """
SELECT mine.number, mine.day, mine.id, mine.response_hash, mine.application_id, mine.external_id = '',
    f.day, f.id, f.application_id, f.external_id = ''
FROM traffic_stage AS mine, LATERAL (
    SELECT r.day, r.id, r.application_id, r.external_id FROM traffic_request AS r
    WHERE r.day = %(day)s AND r.response_hash = mine.response_hash
    OFFSET 0
) AS f
WHERE mine.round = 0 AND mine.response_hash IS NOT NULL AND (mine.day = %(day)s OR mine.alt_day = %(day)s)
  AND ((f.day, f.id) <> (mine.day, mine.id) OR (f.application_id IS NULL AND mine.application_id IS NOT NULL))
"""
# The same for rows whose response id another application told first, by the hash that names their application too.
FIND_SECOND = """
SELECT mine.number, f.day, f.id
FROM unnest(%(numbers)s::bigint[], %(hashes)s::uuid[]) AS mine (number, response_hash), LATERAL (
    SELECT r.day, r.id FROM traffic_request AS r
    WHERE r.day = %(day)s AND r.response_hash = mine.response_hash
    OFFSET 0
) AS f
"""
# They are kept under that hash.
SET_APART = """
UPDATE traffic_stage AS s SET response_hash = f.hash
FROM unnest(%(numbers)s::bigint[], %(hashes)s::uuid[]) AS f (number, hash)
WHERE s.number = f.number
"""
# Rows of no application that one now has: nobody else may take them before the commit.
CLAIM = """
SELECT id FROM traffic_request
WHERE day >= %(low)s AND day <= %(high)s AND day = ANY(%(days)s::date[]) AND id = ANY(%(ids)s::uuid[])
    AND application_id IS NULL
ORDER BY day, id FOR NO KEY UPDATE
"""
TAKE_OVER = """
UPDATE traffic_stage AS s SET day = f.day, id = f.id, own_day = s.day, own_id = s.id
FROM unnest(%(numbers)s::bigint[], %(days)s::date[], %(ids)s::uuid[]) AS f (number, day, id)
WHERE s.number = f.number
RETURNING s.own_day, s.own_id, s.day, s.id
"""
# The same call in another row, without its response id: it is where the call was found, and no second one. Also in one
# that an earlier pass wrote, and that is absorbed now: its body is yet to be written.
FOLLOW = """
UPDATE traffic_stage AS s SET day = f.day, id = f.id
FROM unnest(%(own_days)s::date[], %(own_ids)s::uuid[], %(days)s::date[], %(ids)s::uuid[])
    AS f (own_day, own_id, day, id)
WHERE s.response_hash IS NULL AND s.day = f.own_day AND s.id = f.own_id
"""

# Of the waiting rows that are one call, by id or by response id, the first one.
PICK = """
UPDATE traffic_stage AS s SET round = %(round)s
FROM (
    SELECT number, row_number() OVER (PARTITION BY day, id ORDER BY number) AS of_id,
           row_number() OVER (PARTITION BY coalesce(response_hash, id) ORDER BY number) AS of_response
    FROM traffic_stage WHERE round = 0
) AS waiting
WHERE s.number = waiting.number AND of_id = 1 AND of_response = 1
"""


# Two stored rows can turn out to be one. One of them is taken out, and what it knew comes back in as a staged row that
# fills the other, before what waits and for no batch, as its number is negative: it was stored and counted before.
# `gone` says which: the rows deleted, with the day and the id that they become part of.
def _absorb(gone: str, columns_read: Iterable[str], error_type: str = "error_type") -> str:
    columns = [name for name in COLUMNS if name in columns_read and name not in ("id", "day")]
    selected = [error_type if name == "error_type" else name for name in columns]
    return f"""
WITH RECURSIVE {gone},
delta AS MATERIALIZED (SELECT -1 AS sign, {", ".join(READ)} FROM gone),
{rollups()},
back AS (
    INSERT INTO traffic_stage (number, day, id, {", ".join(columns)})
    SELECT (SELECT least(min(number), 0) FROM traffic_stage) - row_number() OVER (), to_day, to_id,
        {", ".join(selected)} FROM gone
),
bodies AS (
    DELETE FROM traffic_request_body AS b USING gone
    WHERE b.day >= %(low)s AND b.day <= %(high)s AND b.day = gone.day AND b.request_id = gone.id
    RETURNING gone.to_day, gone.to_id, b.prompt, b.answer
),
filled AS (
    INSERT INTO traffic_request_body AS b (day, request_id, prompt, answer)
    SELECT to_day, to_id, {FIRST_TOLD} FROM bodies GROUP BY to_day, to_id ORDER BY to_day, to_id
    {FILL_BODY}
),
ratings AS (
    UPDATE traffic_rating AS t SET day = gone.to_day, request_id = gone.to_id FROM gone
    WHERE t.request_id = gone.id AND NOT EXISTS (
        SELECT FROM traffic_rating AS o WHERE o.request_id = gone.to_id AND o.rater_kind = t.rater_kind AND o.by = t.by
    )
)
SELECT count(*) FROM gone
"""


# A row that came without a response id, and now a twin that carries both ids.
ABSORB = _absorb(
    """
gone AS (
    DELETE FROM traffic_request AS r USING traffic_stage AS s
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = s.own_day AND r.id = s.own_id
      AND r.response_hash IS NULL -- one with a response id of its own is another call, whatever a twin says
    RETURNING r.*, s.day AS to_day, s.id AS to_id
)""",
    set(COLUMNS) - {"response_id", "response_hash"},
)

LINK = """
INSERT INTO traffic_span_link (day, child, parent)
SELECT * FROM unnest(%(days)s::date[], %(children)s::uuid[], %(parents)s::uuid[]) AS given (day, child, parent)
ORDER BY 1, 2 ON CONFLICT (day, child) DO NOTHING
"""

# Whether a batch has to do with any link at all. Who has no link of its own can only be the parent in one.
BELOW = """
SELECT 1 FROM traffic_span_link WHERE day >= %(low)s AND day <= %(high)s AND parent = ANY(%(ids)s) LIMIT 1
"""
LINKED = f"""
SELECT 1 FROM traffic_span_link WHERE day >= %(low)s AND day <= %(high)s AND child = ANY(%(ids)s)
UNION ALL ({BELOW}) LIMIT 1
"""

# Calls that the spans of a batch link: each stored call below another of the same model becomes part of the outermost.
_up = "SELECT day, child, parent, 1 AS depth FROM traffic_span_link WHERE day >= %(low)s AND day <= %(high)s"
JOIN = _absorb(
    f"""
up AS (
    SELECT * FROM ({_up} AND child = ANY(%(ids)s) UNION {_up} AND parent = ANY(%(ids)s)) AS known
    UNION
    SELECT up.day, up.child, l.parent, up.depth + 1 FROM up JOIN traffic_span_link AS l
    ON l.day = up.day AND l.child = up.parent WHERE l.day >= %(low)s AND l.day <= %(high)s AND up.depth < 8
),
related AS MATERIALIZED (
    SELECT c.day, c.id, c.application_id, p.day AS to_day, p.id AS to_id, p.outcome AS to_outcome, up.depth,
        coalesce(p.application_id, min(c.application_id) OVER (PARTITION BY p.id)) AS owner_id
    FROM up, LATERAL (
        SELECT r.day, r.id, r.model, r.application_id FROM traffic_request AS r
        WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = up.day AND r.id = up.child OFFSET 0
    ) AS c, LATERAL (
        SELECT r.day, r.id, r.model, r.outcome, r.application_id FROM traffic_request AS r
        WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = up.day AND r.id = up.parent OFFSET 0
    ) AS p
    WHERE c.id <> p.id
      AND (starts_with(c.model, p.model) OR starts_with(p.model, c.model) OR 'unknown' IN (c.model, p.model))
),
pair AS MATERIALIZED (
    SELECT DISTINCT ON (id) day, id, to_day, to_id, to_outcome FROM related
    WHERE application_id IS NULL OR application_id = owner_id -- never part of another application's
    ORDER BY id, depth DESC
),
gone AS (
    DELETE FROM traffic_request AS r USING pair
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = pair.day AND r.id = pair.id
    RETURNING r.*, pair.to_day, pair.to_id, pair.to_outcome
)""",
    COLUMNS,
    "CASE WHEN to_outcome = 'ok' THEN NULL ELSE error_type END",  # a try that was repeated
)

# A row on its way back in has another application than the row that it becomes part of: somebody else had that row
# first, after it was looked at.
CROSSES = """
SELECT 1 FROM traffic_stage AS s, LATERAL (
    SELECT r.application_id FROM traffic_request AS r
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = s.day AND r.id = s.id OFFSET 0
) AS r
WHERE r.application_id <> s.application_id LIMIT 1
"""
