"""The statements of ingest, composed once at import from lists of columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

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
    "application_id": "bigint",
    "deployment_id": "bigint",
    "price_id": "bigint",
    "discount_id": "bigint",
    "latency_ms": "double precision",
    "ttft_ms": "double precision",
    "uncached_input": "bigint",
    "cache_read": "bigint",
    "cache_write_5m": "bigint",
    "cache_write_1h": "bigint",
    "output": "bigint",
    "reasoning": "bigint",
    "day": "date",
    "http_status": "smallint",
    "streamed": "boolean",
    "batch": "boolean",
    "cost": "numeric(20, 12)",
    "cost_reason": "text",
    "provider": "text",
    "model": "text",
    "task": "text",
    "outcome": "text",
    "error_type": "text",
    "response_id": "text",
    "external_id": "text",
    "source": "text",
    "route": "text",
    "raw": "jsonb",
    "import_id": "bigint",
    "reported_cost": "numeric(20, 12)",
    "tier": "text",
}

MAKE_STAGE = (
    "CREATE TEMP TABLE IF NOT EXISTS traffic_stage"
    " (number int, alt_day date, own_day date, own_id uuid, round int NOT NULL DEFAULT 0, "
    + ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    + ") ON COMMIT DELETE ROWS"
)

_copied = list(COLUMNS)
_copied.insert(_copied.index("day") + 1, "alt_day")
COPY = f"COPY traffic_stage (number, {', '.join(_copied)}) FROM STDIN"

# Waiting rows whose response id is stored under another id. Near midnight a twin may lie on the neighbour day; LATERAL
# with OFFSET 0 keeps it an index look-up row by row. It joins nothing else: the stage has no statistics, and a planner
# that takes it for a single row would do the look-ups again for each of its rows.
FIND_STORED = """
SELECT mine.number, f.day, f.id
FROM traffic_stage AS mine, LATERAL (
    SELECT r.day, r.id FROM traffic_request AS r
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = mine.day AND r.response_hash = mine.response_hash
    UNION ALL
    SELECT r.day, r.id FROM traffic_request AS r
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = mine.alt_day AND r.response_hash = mine.response_hash
    OFFSET 0
) AS f
WHERE mine.round = 0 AND mine.response_hash IS NOT NULL AND (f.day, f.id) <> (mine.day, mine.id)
"""
TAKE_OVER = """
UPDATE traffic_stage AS s SET day = f.day, id = f.id, own_day = s.day, own_id = s.id
FROM unnest(%(numbers)s::int[], %(days)s::date[], %(ids)s::uuid[]) AS f (number, day, id)
WHERE s.number = f.number
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

TOKENS = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning")
FILLED = (
    "response_id",
    "response_hash",
    "user_hash",
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

# A twin brings usage that was unknown.
_USAGE_COMES = "r.uncached_input IS NULL AND excluded.uncached_input IS NOT NULL"
# A twin that knows the usage too says that it was served in another tier than the standard.
_TIER_COMES = "r.tier IS NULL AND excluded.tier IS NOT NULL AND excluded.uncached_input IS NOT NULL"
# A twin says that the call went to our own lease: then the hours are paid, and the request costs nothing of its own.
_LEASE_COMES = "r.deployment_id IS NULL AND excluded.cost_reason = 'leased'"


def _fills() -> str:
    parts = [f"{name} = coalesce(r.{name}, excluded.{name})" for name in FILLED]
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
    parts.append("(r.task = 'other' AND excluded.task <> 'other')")
    parts.append("(NOT r.streamed AND excluded.streamed)")
    parts.append("(r.import_id IS NOT NULL AND excluded.import_id IS NULL)")
    return " OR ".join(parts)


# What the rollups are made from.
_READ = (
    "started_at", "application_id", "deployment_id", "provider", "model", "task", "outcome", "latency_ms", "ttft_ms",
    "batch", "uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output", "reasoning", "cost",
    "cost_reason", "streamed", "reported_cost", "error_type", "http_status",
)  # fmt: skip

KEY = ("application_id", "deployment_id", "provider", "model", "task")

# Each sum as an expression over one request; whole microseconds, because sums of floats depend on their order.
_GENERATING = "latency_ms - CASE WHEN streamed THEN coalesce(ttft_ms, 0) ELSE 0 END"
_GENERATES = f"output > 0 AND outcome = 'ok' AND {_GENERATING} > 0"
# Who reports a call may say what it cost; it is held against ours where both are known. A percent is rounding.
_TOLD = "reported_cost IS NOT NULL AND cost IS NOT NULL"
TOLD_OTHERWISE = f"{_TOLD} AND abs(reported_cost - cost) > 0.01 * greatest(reported_cost, cost)"
SUMS = {
    "requests": "1",
    "errors": "(outcome IN ('error', 'timeout'))::int",
    "unpriced": "(cost IS NULL AND cost_reason IN ('unknown_model', 'unknown_rate'))::int",
    "unknown_usage": "(uncached_input IS NULL)::int",
    "leased": "(cost_reason IS NOT DISTINCT FROM 'leased')::int",
    "batched": "batch::int",
    **{name: f"coalesce({name}, 0)" for name in TOKENS},
    "cost": "coalesce(cost, 0)",
    "latency_us": "coalesce(round(latency_ms * 1000), 0)::bigint",
    "timed": "(latency_ms IS NOT NULL)::int",
    "generated": f"CASE WHEN {_GENERATES} THEN output ELSE 0 END",
    "generating_us": f"CASE WHEN {_GENERATES} THEN round(({_GENERATING}) * 1000) ELSE 0 END::bigint",
    "told": f"({_TOLD})::int",
    "told_otherwise": f"({TOLD_OTHERWISE})::int",
    "told_cost": f"CASE WHEN {_TOLD} THEN reported_cost ELSE 0 END",
    "told_ours": f"CASE WHEN {_TOLD} THEN cost ELSE 0 END",
}

PERIODS = {"hour": "date_trunc('hour', started_at, 'UTC')", "day": "(started_at AT TIME ZONE 'UTC')::date"}

# Nearest-rank quantiles within 1 %: bucket b holds (1.02^(b-1), 1.02^b] milliseconds, the lowest all below 0.01 ms.
BUCKET = "CASE WHEN ms < 0.01 THEN -32768 ELSE ceil(ln(ms) / ln(1.02::float8) - 1e-9)::int END::smallint"


def usage_of(source: str, period: str, sign: str = "1") -> str:
    """SELECT that adds up `source`, rows of requests, by the usage key of an hour or a day, in key order."""
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    sums = [f"sum({sign} * {expression}) AS {name}" for name, expression in SUMS.items()]
    places = ", ".join(str(place) for place in range(1, len(KEY) + 2))
    columns = ", ".join([f"{PERIODS[period]} AS {period}", *zero, *sums])
    return f"SELECT {columns} FROM {source} GROUP BY {places} ORDER BY {places}"


def latency_of(source: str, period: str, sign: str = "1") -> str:
    """SELECT that counts `source` into log buckets of latency (metric 1) and time to first token (metric 2)."""
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    columns = ", ".join([f"{PERIODS[period]} AS {period}", *zero, "metric", f"{BUCKET} AS bucket", f"sum({sign}) AS n"])
    places = ", ".join(str(place) for place in range(1, len(KEY) + 4))
    unpivot = "CROSS JOIN LATERAL (VALUES (1::smallint, latency_ms), (2::smallint, ttft_ms)) AS m (metric, ms)"
    return f"SELECT {columns} FROM {source} {unpivot} WHERE ms IS NOT NULL GROUP BY {places} ORDER BY {places}"


# What went wrong, in a word: as the reporter calls it, else the status, else the outcome. A sentence is no word: it may
# say whose request it was, and stays in the row alone.
ERROR_KIND = (
    "coalesce(CASE WHEN error_type ~ '^[[:alnum:]_.:/-]{1,60}$' THEN error_type END, http_status::text, outcome)"
)


def errors_of(source: str, period: str, sign: str = "1") -> str:
    """SELECT that counts the failed requests of `source` by what went wrong; they add up to `errors` of the usage."""
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    columns = ", ".join([f"{PERIODS[period]} AS {period}", *zero, f"{ERROR_KIND} AS kind", f"sum({sign}) AS n"])
    places = ", ".join(str(place) for place in range(1, len(KEY) + 3))
    failed = "outcome IN ('error', 'timeout')"
    return f"SELECT {columns} FROM {source} WHERE {failed} GROUP BY {places} ORDER BY {places}"


# The rollups by the middle of their tables' names: what their key has besides period and KEY, their sums, the first of
# which counts what a row is made from, and the SELECT that makes them from requests.
ROLLUPS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[..., str]]] = {
    "usage": ((), tuple(SUMS), usage_of),
    "latency": (("metric", "bucket"), ("n",), latency_of),
    "error": (("kind",), ("n",), errors_of),
}


def columns_of(name: str, period: str) -> str:
    """All columns of a rollup's table."""
    key, sums, _select = ROLLUPS[name]
    return ", ".join((period, *KEY, *key, *sums))


def _add(name: str, period: str, source: str) -> str:
    """Upsert of sums; `source` is a SELECT of them in key order."""
    own, sums, _select = ROLLUPS[name]
    added = ", ".join(f"{column} = u.{column} + excluded.{column}" for column in sums)
    return (
        f"INSERT INTO traffic_{name}_{period} AS u ({columns_of(name, period)}) {source}"
        f" ON CONFLICT ({', '.join((period, *KEY, *own))}) DO UPDATE SET {added}"
    )


def _days_of(hours: str, key: tuple[str, ...], sums: Iterable[str]) -> str:
    """SELECT that adds up hours to UTC days: far fewer rows than the requests that the hours were made from."""
    places = ", ".join(str(place) for place in range(1, len(key) + 2))
    columns = ", ".join(("(hour AT TIME ZONE 'UTC')::date AS day", *key, *(f"sum({name}) AS {name}" for name in sums)))
    return f"SELECT {columns} FROM {hours} GROUP BY {places} ORDER BY {places}"


def _rollup(name: str) -> str:
    """The upserts that add the sums of `delta` to a rollup's hours and days, as further parts of a WITH list."""
    own, sums, select = ROLLUPS[name]
    return f"""
{name}_delta AS MATERIALIZED ({select("delta", "hour", "sign")}),
{name}_hour AS ({_add(name, "hour", f"SELECT * FROM {name}_delta WHERE true")}),
{name}_day AS ({_add(name, "day", _days_of(f"{name}_delta", (*KEY, *own), sums))})"""


def _rollups() -> str:
    """Those of all rollups."""
    return ",".join(_rollup(name) for name in ROLLUPS)


_CLASSES = ("uncached_input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
_TOKENS_ADDED = " + ".join(f"coalesce(new_{name}, 0) - coalesce(old_{name}, 0)" for name in _CLASSES)

UPSERT = f"""
WITH written AS (
    INSERT INTO traffic_request AS r ({", ".join(COLUMNS)})
    SELECT {", ".join(COLUMNS)} FROM traffic_stage WHERE round = %(round)s ORDER BY day, id
    ON CONFLICT (day, id) DO UPDATE SET {_fills()} WHERE {_news()}
    RETURNING old.id AS old_id, {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in _READ)}
),
delta AS MATERIALIZED (
    SELECT 1 AS sign, {", ".join(f"new_{name} AS {name}" for name in _READ)} FROM written
    UNION ALL
    SELECT -1, {", ".join(f"old_{name}" for name in _READ)} FROM written WHERE old_id IS NOT NULL
),
{_rollups()}
SELECT count(*) FILTER (WHERE old_id IS NULL), coalesce(sum({_TOKENS_ADDED}), 0)::bigint,
       coalesce(sum(coalesce(new_cost, 0) - coalesce(old_cost, 0)), 0)
FROM written
"""

# What came in with a key today, for its quota.
COUNT_USE = """
INSERT INTO traffic_keyuse AS u (key_id, day, requests, tokens, cost)
SELECT id, (now() AT TIME ZONE 'UTC')::date, %(requests)s, %(tokens)s, %(cost)s FROM traffic_key WHERE id = %(key)s
ON CONFLICT (key_id, day) DO UPDATE
SET requests = u.requests + excluded.requests, tokens = u.tokens + excluded.tokens, cost = u.cost + excluded.cost
"""

# Stored rows that get another cost; the caller has locked them. Only sums that depend on it change: the rows that hold
# the others are there. What each cost before and after is kept under the repricing, so that it can be taken back.
COST_SUMS = ("unpriced", "cost", "told", "told_otherwise", "told_cost", "told_ours")


def _cost_change(name: str) -> str:
    """New minus old of a sum over `written`."""
    new, old = (re.sub(r"\b(cost|cost_reason)\b", rf"{side}_\1", SUMS[name]) for side in ("new", "old"))
    return f"({new}) - ({old})"


def _cost_rollups() -> str:
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    sums = [f"sum({_cost_change(name)}) AS {name}" for name in COST_SUMS]
    places = ", ".join(str(place) for place in range(1, len(KEY) + 2))
    hours = ", ".join([f"{PERIODS['hour']} AS hour", *zero, *sums])
    return f"""
hours AS MATERIALIZED (SELECT {hours} FROM written GROUP BY {places} ORDER BY {places}),
usage_hour AS ({_add_costs("hour", "SELECT * FROM hours")}),
usage_day AS ({_add_costs("day", _days_of("hours", KEY, COST_SUMS))})"""


def _add_costs(period: str, source: str) -> str:
    """As `_add`, for what depends on costs alone."""
    others = [name for name in SUMS if name not in COST_SUMS]
    key = ", ".join((period, *KEY))
    added = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in COST_SUMS)
    return (
        f"INSERT INTO traffic_usage_{period} AS u ({', '.join((period, *KEY, *COST_SUMS, *others))})"
        f" SELECT d.*, {', '.join('0' for _ in others)} FROM ({source}) AS d ON CONFLICT ({key}) DO UPDATE SET {added}"
    )


_GIVEN = """
WITH given AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(costs)s::numeric[], %(reasons)s::text[], %(prices)s::bigint[],
        %(discounts)s::bigint[]) AS given (id, cost, cost_reason, price_id, discount_id)
),"""
_GIVE = f"""
written AS (
    UPDATE traffic_request AS r SET {", ".join(f"{name} = given.{name}" for name in COSTED)}
    FROM given WHERE r.day = %(day)s AND r.id = given.id AND r.cost_reason IS DISTINCT FROM 'leased'
    RETURNING r.id, r.started_at, r.reported_cost, {", ".join(f"r.{name}" for name in KEY)},
        {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in COSTED)}
),
{_cost_rollups()}"""
_PAIR = ", ".join(f"{side}_{name}" for name in COSTED for side in ("old", "new"))
REPRICE = f"""{_GIVEN}{_GIVE},
kept AS (
    INSERT INTO traffic_repriced (day, id, repricing_id, {_PAIR})
    SELECT %(day)s, id, %(repricing)s, {_PAIR} FROM written ORDER BY id
)
SELECT count(*) FROM written
"""

# The next rows that a repricing changed, taken out of its memory; those that still cost what it gave them are locked.
# It goes on after the last one: from the start, it would step over all that it has deleted for every batch. And by the
# range alone, for a fresh partition has no statistics to plan a join by.
_KEPT = "FROM traffic_repriced WHERE day = %(day)s AND repricing_id = %(repricing)s AND id > %(after)s"
FORGET = f"""
WITH gone AS (
    DELETE {_KEPT} AND id <= coalesce(
        (SELECT id {_KEPT} ORDER BY id OFFSET %(limit)s::bigint - 1 LIMIT 1), 'ffffffff-ffff-ffff-ffff-ffffffffffff'
    ) RETURNING *
)
SELECT gone.id, {", ".join(f"gone.old_{name}" for name in COSTED)}, r.provider
FROM (SELECT * FROM gone ORDER BY id) AS gone LEFT JOIN LATERAL (
    SELECT r.provider FROM traffic_request AS r
    WHERE r.day = %(day)s AND r.id = gone.id
      AND ({", ".join(f"r.{name}" for name in COSTED)})
          IS NOT DISTINCT FROM ({", ".join(f"gone.new_{name}" for name in COSTED)})
    FOR UPDATE OFFSET 0
) AS r ON true
ORDER BY gone.id
"""
RESTORE = f"""{_GIVEN}{_GIVE}
SELECT count(*) FROM written
"""


# Two stored rows can turn out to be one. One of them is taken out, and what it knew comes back in as a staged row that
# fills the other. `gone` says which: the rows deleted, with the day and the id that they become part of.
def _absorb(gone: str, known: Iterable[str], error_type: str = "error_type") -> str:
    columns = [name for name in COLUMNS if name in known and name not in ("id", "day")]
    given = [error_type if name == "error_type" else name for name in columns]
    return f"""
WITH RECURSIVE {gone},
delta AS MATERIALIZED (SELECT -1 AS sign, {", ".join(_READ)} FROM gone),
{_rollups()},
back AS (
    INSERT INTO traffic_stage (number, day, id, {", ".join(columns)})
    SELECT (SELECT coalesce(max(number), -1) FROM traffic_stage) + row_number() OVER (), to_day, to_id,
        {", ".join(given)} FROM gone
),
bodies AS (
    UPDATE traffic_request_body AS b SET day = gone.to_day, request_id = gone.to_id FROM gone
    WHERE b.day >= %(low)s AND b.day <= %(high)s AND b.day = gone.day AND b.request_id = gone.id AND NOT EXISTS (
        SELECT FROM traffic_request_body AS o
        WHERE o.day >= %(low)s AND o.day <= %(high)s AND o.day = gone.to_day AND o.request_id = gone.to_id
    )
),
ratings AS (
    UPDATE traffic_rating AS t SET day = gone.to_day, request_id = gone.to_id FROM gone
    WHERE t.request_id = gone.id AND NOT EXISTS (
        SELECT FROM traffic_rating AS o WHERE o.request_id = gone.to_id AND o.by = t.by
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

# Whether a batch has to do with any link at all.
LINKED = """
SELECT 1 FROM traffic_span_link WHERE day >= %(low)s AND day <= %(high)s AND child = ANY(%(ids)s)
UNION ALL
SELECT 1 FROM traffic_span_link WHERE day >= %(low)s AND day <= %(high)s AND parent = ANY(%(ids)s)
LIMIT 1
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
pair AS MATERIALIZED (
    SELECT DISTINCT ON (c.id) c.day, c.id, p.day AS to_day, p.id AS to_id, p.outcome AS to_outcome
    FROM up, LATERAL (
        SELECT r.day, r.id, r.model FROM traffic_request AS r
        WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = up.day AND r.id = up.child OFFSET 0
    ) AS c, LATERAL (
        SELECT r.day, r.id, r.model, r.outcome FROM traffic_request AS r
        WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = up.day AND r.id = up.parent OFFSET 0
    ) AS p
    WHERE c.id <> p.id
      AND (starts_with(c.model, p.model) OR starts_with(p.model, c.model) OR 'unknown' IN (c.model, p.model))
    ORDER BY c.id, up.depth DESC
),
gone AS (
    DELETE FROM traffic_request AS r USING pair
    WHERE r.day >= %(low)s AND r.day <= %(high)s AND r.day = pair.day AND r.id = pair.id
    RETURNING r.*, pair.to_day, pair.to_id, pair.to_outcome
)""",
    COLUMNS,
    "CASE WHEN to_outcome = 'ok' THEN NULL ELSE error_type END",  # a try that was repeated
)


# Requests that a file brought, taken out again; `ids` are locked. A rating of one waits again, by the request's name.
TAKE_BACK = f"""
WITH gone AS (
    DELETE FROM traffic_request AS r
    WHERE r.day = %(day)s AND r.id = ANY(%(ids)s) AND r.import_id = %(import_id)s
    RETURNING r.*
),
delta AS MATERIALIZED (SELECT -1 AS sign, {", ".join(_READ)} FROM gone),
{_rollups()},
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


def erase(application_too: bool) -> str:
    """Requests lose whose they were and what others wrote, and the rollups follow; what lies beside them goes."""
    lost = [*WRITTEN_BY_OTHERS, *(["application_id"] if application_too else [])]
    return f"""
WITH written AS (
    UPDATE traffic_request AS r SET external_id = '', {", ".join(f"{name} = NULL" for name in lost)}
    WHERE r.day = %(day)s AND r.id = ANY(%(ids)s)
    RETURNING {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in _READ)}
),
delta AS MATERIALIZED (
    SELECT 1 AS sign, {", ".join(f"new_{name} AS {name}" for name in _READ)} FROM written
    UNION ALL
    SELECT -1, {", ".join(f"old_{name}" for name in _READ)} FROM written
),
{_rollups()},
bodies AS (DELETE FROM traffic_request_body WHERE day = %(day)s AND request_id = ANY(%(ids)s)),
children AS (DELETE FROM traffic_span_link WHERE day = %(day)s AND child = ANY(%(ids)s)),
ratings AS (DELETE FROM traffic_rating WHERE request_id = ANY(%(ids)s))
SELECT count(*) FROM written
"""


def to_nobody(table: str, key: tuple[str, ...], sums: tuple[str, ...]) -> str:
    """Rollup rows of an application are added to those of no application."""
    columns = ", ".join((*key, *sums))
    lost = {"application_id": "0", "kind": "'error'"}  # what others wrote does not stay
    given = ", ".join([*(lost.get(name, name) for name in key), *(f"sum({name})" for name in sums)])
    places = ", ".join(str(place) for place, name in enumerate(key, 1) if name not in lost)
    added = ", ".join(f"{name} = u.{name} + excluded.{name}" for name in sums)
    return f"""
WITH gone AS (DELETE FROM {table} WHERE application_id = %(whose)s RETURNING *)
INSERT INTO {table} AS u ({columns}) SELECT {given} FROM gone GROUP BY {places} ORDER BY {places}
ON CONFLICT ({", ".join(key)}) DO UPDATE SET {added}
"""


def sweep(table: str, period: str, names: tuple[str, ...], count: str) -> str:
    """DELETE of one day's rollup rows that add up to nothing, by their key, in the order that ingest locks in."""
    key, own, other = (", ".join(f"{side}{name}" for name in names) for side in ("", "u.", "e."))
    empty = f"{count} = 0 AND {period} >= %(first)s AND {period} < %(next)s"
    return (
        f"WITH empty AS (SELECT {key} FROM {table} WHERE {empty} ORDER BY {key} FOR UPDATE)"
        f" DELETE FROM {table} AS u USING empty AS e WHERE ({own}) = ({other})"
    )


BODIES = """
INSERT INTO traffic_request_body AS b (day, request_id, prompt, answer)
SELECT DISTINCT ON (s.day, s.id) s.day, s.id, given.prompt, given.answer
FROM unnest(%(numbers)s::int[], %(prompts)s::text[], %(answers)s::text[]) AS given (number, prompt, answer)
JOIN traffic_stage AS s USING (number)
ORDER BY s.day, s.id, s.number
ON CONFLICT (day, request_id) DO UPDATE
SET prompt = coalesce(b.prompt, excluded.prompt), answer = coalesce(b.answer, excluded.answer)
"""
