"""What the rollups are made from, and the statements that keep them equal to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lib.tokens import TOKEN_CLASSES

TOKENS = (*TOKEN_CLASSES, "reasoning")

# What the rollups are made from.
READ = (
    "started_at", "application_id", "deployment_id", "provider", "model", "task", "outcome", "latency_ms", "ttft_ms",
    "batch", *TOKENS, "cost", "cost_reason", "streamed", "reported_cost", "error_type", "http_status",
)  # fmt: skip

KEY = ("application_id", "deployment_id", "provider", "model", "task")

# Each sum as an expression over one request; whole microseconds, because sums of floats depend on their order.
_GENERATING = "latency_ms - CASE WHEN streamed THEN coalesce(ttft_ms, 0) ELSE 0 END"
_GENERATES = f"output > 0 AND outcome = 'ok' AND {_GENERATING} > 0"
# Who reports a call may say what it cost; it is held against ours where both are known. A percent is rounding.
_REPORTED = "reported_cost IS NOT NULL AND cost IS NOT NULL"
COST_MISMATCH = f"{_REPORTED} AND abs(reported_cost - cost) > 0.01 * greatest(reported_cost, cost)"
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
    "cost_reports": f"({_REPORTED})::int",
    "cost_mismatches": f"({COST_MISMATCH})::int",
    "reported_cost": f"CASE WHEN {_REPORTED} THEN reported_cost ELSE 0 END",
    "computed_cost": f"CASE WHEN {_REPORTED} THEN cost ELSE 0 END",
}

PERIODS = {"hour": "date_trunc('hour', started_at, 'UTC')", "day": "(started_at AT TIME ZONE 'UTC')::date"}

# Nearest-rank quantiles within 1 %: bucket b holds (1.02^(b-1), 1.02^b] milliseconds, the lowest all below 0.01 ms.
BUCKET = "CASE WHEN ms < 0.01 THEN -32768 ELSE ceil(ln(ms) / ln(1.02::float8) - 1e-9)::int END::smallint"


def usage_of(source: str, period: str, sign: str = "1") -> str:
    """SELECT that adds up `source`, rows of requests, by the usage key of an hour or a day."""
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    sums = [f"sum({sign} * {expression}) AS {name}" for name, expression in SUMS.items()]
    places = ", ".join(str(place) for place in range(1, len(KEY) + 2))
    columns = ", ".join([f"{PERIODS[period]} AS {period}", *zero, *sums])
    return f"SELECT {columns} FROM {source} GROUP BY {places}"


def latency_of(source: str, period: str, sign: str = "1") -> str:
    """SELECT that counts `source` into log buckets of latency (metric 1) and time to first token (metric 2)."""
    zero = [f"coalesce({name}, 0) AS {name}" if name.endswith("_id") else name for name in KEY]
    columns = ", ".join([f"{PERIODS[period]} AS {period}", *zero, "metric", f"{BUCKET} AS bucket", f"sum({sign}) AS n"])
    places = ", ".join(str(place) for place in range(1, len(KEY) + 4))
    unpivot = "CROSS JOIN LATERAL (VALUES (1::smallint, latency_ms), (2::smallint, ttft_ms)) AS m (metric, ms)"
    return f"SELECT {columns} FROM {source} {unpivot} WHERE ms IS NOT NULL GROUP BY {places}"


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
    return f"SELECT {columns} FROM {source} WHERE {failed} GROUP BY {places}"


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


def add(name: str, period: str, source: str) -> str:
    """Upsert of sums; `source` is a SELECT of them in key order."""
    own, sums, _select = ROLLUPS[name]
    added = ", ".join(f"{column} = u.{column} + excluded.{column}" for column in sums)
    return (
        f"INSERT INTO traffic_{name}_{period} AS u ({columns_of(name, period)}) {source}"
        f" ON CONFLICT ({', '.join((period, *KEY, *own))}) DO UPDATE SET {added}"
    )


def days_of(hours: str, key: tuple[str, ...], sums: Iterable[str]) -> str:
    """SELECT that adds up hours to UTC days: far fewer rows than the requests that the hours were made from."""
    places = ", ".join(str(place) for place in range(1, len(key) + 2))
    columns = ", ".join(("(hour AT TIME ZONE 'UTC')::date AS day", *key, *(f"sum({name}) AS {name}" for name in sums)))
    return f"SELECT {columns} FROM {hours} GROUP BY {places} ORDER BY {places}"


def _rollup(name: str) -> str:
    """The upserts that add the sums of `delta` to a rollup's hours and days, as further parts of a WITH list."""
    own, sums, select = ROLLUPS[name]
    # Ordered when they are fewer, so that the requests need not be sorted to be added up.
    hours = f"SELECT * FROM {name}_delta ORDER BY {', '.join(('hour', *KEY, *own))}"
    return f"""
{name}_delta AS MATERIALIZED ({select("delta", "hour", "sign")}),
{name}_hour AS ({add(name, "hour", hours)}),
{name}_day AS ({add(name, "day", days_of(f"{name}_delta", (*KEY, *own), sums))})"""


def rollups() -> str:
    """Those of all rollups."""
    return ",".join(_rollup(name) for name in ROLLUPS)


def sweep(table: str, period: str, names: tuple[str, ...], count: str) -> str:
    """DELETE of one day's rollup rows that add up to nothing, by their key, in the order that ingest locks in."""
    key, own, other = (", ".join(f"{side}{name}" for name in names) for side in ("", "u.", "e."))
    empty = f"{count} = 0 AND {period} >= %(first)s AND {period} < %(next)s"
    return (
        f"WITH empty AS (SELECT {key} FROM {table} WHERE {empty} ORDER BY {key} FOR UPDATE)"
        f" DELETE FROM {table} AS u USING empty AS e WHERE ({own}) = ({other})"
    )
