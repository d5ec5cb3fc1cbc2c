"""Stored rows that are taken out again, or lose whose they were."""

from __future__ import annotations

from traffic.ingest.sql.rollups import READ, rollups

# Requests that a file brought, taken out again; `ids` are locked. A rating of one waits again, by the request's name.
TAKE_BACK = f"""
WITH gone AS (
    DELETE FROM traffic_request AS r
    WHERE r.day = %(day)s AND r.id = ANY(%(ids)s) AND r.import_id = %(import_id)s
    RETURNING r.*
),
delta AS MATERIALIZED (SELECT -1 AS sign, {", ".join(READ)} FROM gone),
{rollups()},
bodies AS (
    DELETE FROM traffic_request_body AS b USING gone WHERE b.day = %(day)s AND b.request_id = gone.id
),
ratings AS (
    UPDATE traffic_rating AS t
    SET day = NULL, request_id = NULL, response_id = left(coalesce(gone.response_id, gone.external_id), 200)
    FROM gone WHERE t.request_id = gone.id
)
SELECT count(*) FROM gone
"""


def to_erase(of: str) -> str:
    """SELECT of a day's requests of an application or a user (`of` is the column), locked, with their files."""
    return (
        f"SELECT id, import_id FROM traffic_request WHERE day = %(day)s AND {of} = %(whose)s"
        " ORDER BY id LIMIT %(limit)s FOR UPDATE"
    )


WRITTEN_BY_OTHERS = ("user_hash", "response_id", "error_type", "raw")
# What people wrote about answers may quote them, and what asks for a judgement of them has nothing to show any more.
BESIDE = ("traffic_rating", "traffic_ratingdraft", "traffic_abstention", "traffic_feedbacklink", "traffic_queueentry")


def erase(application_too: bool) -> str:
    """Requests lose whose they were and what others wrote, and the rollups follow; what lies beside them goes."""
    lost = [*WRITTEN_BY_OTHERS, *(["application_id"] if application_too else [])]
    return f"""
WITH written AS (
    UPDATE traffic_request AS r SET external_id = '', {", ".join(f"{name} = NULL" for name in lost)}
    WHERE r.day = %(day)s AND r.id = ANY(%(ids)s)
    RETURNING {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in READ)}
),
delta AS MATERIALIZED (
    SELECT 1 AS sign, {", ".join(f"new_{name} AS {name}" for name in READ)} FROM written
    UNION ALL
    SELECT -1, {", ".join(f"old_{name}" for name in READ)} FROM written
),
{rollups()},
bodies AS (DELETE FROM traffic_request_body WHERE day = %(day)s AND request_id = ANY(%(ids)s)),
children AS (DELETE FROM traffic_span_link WHERE day = %(day)s AND child = ANY(%(ids)s)),
{", ".join(f"{table} AS (DELETE FROM {table} WHERE request_id = ANY(%(ids)s))" for table in BESIDE)}
SELECT count(*) FROM written
"""


def to_nobody(table: str, key: tuple[str, ...], sums: tuple[str, ...]) -> str:
    """Rollup rows of an application are added to those of no application."""
    columns = ", ".join((*key, *sums))
    lost = {"application_id": "0", "kind": "'error'"}  # what others wrote does not stay
    selected = ", ".join([*(lost.get(name, name) for name in key), *(f"sum({name})" for name in sums)])
    places = ", ".join(str(place) for place, name in enumerate(key, 1) if name not in lost)
    added = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in sums)
    return f"""
WITH gone AS (DELETE FROM {table} WHERE application_id = %(whose)s RETURNING *)
INSERT INTO {table} AS u ({columns}) SELECT {selected} FROM gone GROUP BY {places} ORDER BY {places}
ON CONFLICT ({", ".join(key)}) DO UPDATE SET {added}
"""
