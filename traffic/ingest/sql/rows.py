"""How a batch gets in: the stage that it is copied to, and the upsert of rows and rollups."""

from __future__ import annotations

from lib.tokens import TOKEN_CLASSES
from traffic.ingest.sql.rollups import READ, TOKENS, rollups

# The first process that needs it makes it; it stays for good, or the same call would get another id.
MAKE_SALT = "INSERT INTO traffic_installation (id, salt) VALUES (1, %s) ON CONFLICT (id) DO NOTHING"

LEASED_DEPLOYMENTS = "SELECT id FROM providers_deployment WHERE provider = 'self' OR lease_id IS NOT NULL"

# The request table's columns in the order of COPY, with the types of the staging table.
COLUMNS = {
    "id": "uuid",
    "response_hash": "uuid",
    "user_hash": "uuid",
    "started_at": "timestamptz",
    "received_at": "timestamptz",
    "latency_ms": "double precision",
    "ttft_ms": "double precision",
    "uncached_input": "bigint",
    "cache_read": "bigint",
    "cache_write_5m": "bigint",
    "cache_write_1h": "bigint",
    "output": "bigint",
    "reasoning": "bigint",
    "day": "date",
    "application_id": "bigint",
    "deployment_id": "bigint",
    "price_id": "bigint",
    "discount_id": "bigint",
    "http_status": "smallint",
    "streamed": "boolean",
    "batch": "boolean",
    "cost_reason": "text",
    "provider": "text",
    "model": "text",
    "task": "text",
    "outcome": "text",
    "error_type": "text",
    "source": "text",
    "route": "text",
    "import_id": "bigint",
    "tier": "text",
    "cost": "numeric(20, 12)",
    "response_id": "text",
    "external_id": "text",
    "raw": "jsonb",
    "reported_cost": "numeric(20, 12)",
}

# A row's number in the stage begins with that of its batch.
BATCH_BITS = 32

MAKE_STAGE = (
    "CREATE TEMP TABLE IF NOT EXISTS traffic_stage"
    " (number bigint, alt_day date, own_day date, own_id uuid, round int NOT NULL DEFAULT 0, "
    + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    + ") ON COMMIT DELETE ROWS"
)

# How each transaction begins. A fresh partition has no statistics: without the second line the planner hashes it whole
# to find response ids, 50 times slower.
BEGIN = f"""
SET LOCAL synchronous_commit = on;
SET LOCAL enable_seqscan = off;
{MAKE_STAGE}
"""

_copied = list(COLUMNS)
_copied.insert(_copied.index("day") + 1, "alt_day")
COPY = f"COPY traffic_stage (number, {', '.join(_copied)}) FROM STDIN"

FILLED = (
    "response_id",
    "response_hash",
    "http_status",
    "error_type",
    "latency_ms",
    "ttft_ms",
    "route",
    "raw",
    "reported_cost",
    "tier",
)
COSTED = ("cost", "cost_reason", "price_id", "discount_id")

_SAME_APPLICATION = "r.application_id IS NOT DISTINCT FROM excluded.application_id"
# A twin brings usage that was unknown.
_USAGE_COMES = "r.uncached_input IS NULL AND excluded.uncached_input IS NOT NULL"
# A twin that knows the usage too says that it was served in another tier than the standard.
_TIER_COMES = "r.tier IS NULL AND excluded.tier IS NOT NULL AND excluded.uncached_input IS NOT NULL"
# A twin says that the call went to our own lease: then the hours are paid, and the request costs nothing of its own.
_LEASE_COMES = "r.deployment_id IS NULL AND excluded.cost_reason = 'leased'"


def _fills() -> str:
    parts = [f"{name} = coalesce(r.{name}, excluded.{name})" for name in FILLED]
    # A collector's row without application tells nobody's users: an application's row has the user that itself told.
    parts.append(
        f"user_hash = CASE WHEN {_SAME_APPLICATION} THEN coalesce(r.user_hash, excluded.user_hash)"
        " WHEN r.application_id IS NULL THEN excluded.user_hash ELSE r.user_hash END"
    )
    parts += [f"{name} = coalesce(r.{name}, excluded.{name})" for name in ("application_id", "deployment_id")]
    parts += [f"{name} = CASE WHEN {_USAGE_COMES} THEN excluded.{name} ELSE r.{name} END" for name in TOKENS]
    parts += [
        f"{name} = CASE WHEN {_LEASE_COMES} THEN excluded.{name} ELSE r.{name} END" for name in ("provider", "model")
    ]
    takes = f"{_LEASE_COMES} OR (({_USAGE_COMES} OR {_TIER_COMES}) AND r.cost_reason IS DISTINCT FROM 'leased')"
    # Usage that comes without the tier that the row was told was costed as standard: unknown until it is priced anew.
    untold = f"{_USAGE_COMES} AND r.tier IS NOT NULL AND excluded.tier IS DISTINCT FROM r.tier"
    lost = {"cost": "NULL", "cost_reason": "'unknown_rate'"}
    parts += [
        f"{name} = CASE WHEN {takes} THEN "
        + (
            f"CASE WHEN {untold} AND excluded.cost IS NOT NULL THEN {lost[name]} ELSE excluded.{name} END"
            if name in lost
            else f"excluded.{name}"
        )
        + f" ELSE r.{name} END"
        for name in COSTED
    ]
    parts.append("task = CASE WHEN r.task = 'other' THEN excluded.task ELSE r.task END")
    parts.append("streamed = r.streamed OR excluded.streamed")
    # A log record tells of a call at its end; the span that brings the latency knows when it began.
    begins = "r.latency_ms IS NULL AND excluded.latency_ms IS NOT NULL AND r.source = 'otlp'"
    same_day = "(excluded.started_at AT TIME ZONE 'UTC')::date = r.day"
    parts.append(f"started_at = CASE WHEN {begins} AND {same_day} THEN excluded.started_at ELSE r.started_at END")
    # A call that came by another way too is no longer the file's alone: taking the import back leaves it.
    parts.append("import_id = CASE WHEN excluded.import_id IS NULL THEN NULL ELSE r.import_id END")
    return ", ".join(parts)


def _news() -> str:
    """Whether a twin brings anything: an update that changes nothing would only bloat the table."""
    filled = (*FILLED, "application_id", "deployment_id", "uncached_input")
    parts = [f"(r.{name} IS NULL AND excluded.{name} IS NOT NULL)" for name in filled]
    parts.append(f"({_SAME_APPLICATION} AND r.user_hash IS NULL AND excluded.user_hash IS NOT NULL)")
    parts.append("(r.task = 'other' AND excluded.task <> 'other')")
    parts.append("(NOT r.streamed AND excluded.streamed)")
    parts.append("(r.import_id IS NOT NULL AND excluded.import_id IS NULL)")
    return " OR ".join(parts)


_TOKENS_ADDED = " + ".join(f"coalesce(new_{name}, 0) - coalesce(old_{name}, 0)" for name in TOKEN_CLASSES)

# The stage has no statistics, and a planner that takes it for a few rows would go through it for each row written.
# A FULL join is hashed in any case. What brings no news is not written, and has no `new_id`.
UPSERT = f"""
WITH written AS (
    INSERT INTO traffic_request AS r ({", ".join(COLUMNS)})
    SELECT {", ".join(COLUMNS)} FROM traffic_stage WHERE round = %(round)s ORDER BY day, id
    ON CONFLICT (day, id) DO UPDATE SET {_fills()} WHERE {_news()}
    RETURNING new.day AS new_day, new.id AS new_id, old.id AS old_id,
        {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in READ)}
),
delta AS MATERIALIZED (
    SELECT 1 AS sign, {", ".join(f"new_{name} AS {name}" for name in READ)} FROM written
    UNION ALL
    SELECT -1, {", ".join(f"old_{name}" for name in READ)} FROM written WHERE old_id IS NOT NULL
),
{rollups()}
SELECT number >> {BATCH_BITS}, count(new_id) FILTER (WHERE old_id IS NULL), sum({_TOKENS_ADDED})::bigint,
       sum(coalesce(new_cost, 0) - coalesce(old_cost, 0))
FROM written FULL JOIN (SELECT number, day, id FROM traffic_stage WHERE round = %(round)s) AS s
    ON s.day = new_day AND s.id = new_id
GROUP BY 1
"""

# What came in with a key today, for its quota. It stops at what its columns hold: a row must not be refused for it.
COUNT_USE = """
INSERT INTO traffic_keyuse AS u (key_id, day, requests, tokens, cost, stored_bytes)
SELECT id, (now() AT TIME ZONE 'UTC')::date, %(requests)s, %(tokens)s, %(cost)s, %(bytes)s
FROM traffic_key WHERE id = %(key)s
ON CONFLICT (key_id, day) DO UPDATE SET requests = u.requests + excluded.requests,
    tokens = least(u.tokens::numeric + excluded.tokens, 9223372036854775807)::bigint,
    cost = least(u.cost + excluded.cost, 999999999999999999), stored_bytes = u.stored_bytes + excluded.stored_bytes
"""

# Of rows that are one call each may know a part of the body.
FIRST_TOLD = ", ".join(f"(array_agg({name}) FILTER (WHERE {name} IS NOT NULL))[1]" for name in ("prompt", "answer"))
FILL_BODY = """
ON CONFLICT (day, request_id) DO UPDATE
SET prompt = coalesce(b.prompt, excluded.prompt), answer = coalesce(b.answer, excluded.answer), marks = NULL
"""
BODIES = f"""
INSERT INTO traffic_request_body AS b (day, request_id, prompt, answer)
SELECT day, id, {FIRST_TOLD} FROM (
    SELECT s.day, s.id, given.prompt, given.answer
    FROM unnest(%(numbers)s::bigint[], %(prompts)s::text[], %(answers)s::text[]) AS given (number, prompt, answer)
    JOIN traffic_stage AS s USING (number)
    ORDER BY s.day, s.id, s.number
) AS told
GROUP BY day, id ORDER BY day, id
{FILL_BODY}"""
