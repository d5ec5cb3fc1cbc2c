"""Stored rows that get another cost, and get it back."""

from __future__ import annotations

import re

from traffic.ingest.sql.rollups import KEY, PERIODS, SUMS, days_of
from traffic.ingest.sql.rows import COSTED

# Stored rows that get another cost; the caller has locked them. Only sums that depend on it change: the rows that hold
# the others are there. What each cost before and after is kept under the repricing, so that it can be taken back.
COST_SUMS = ("unpriced", "cost", "cost_reports", "cost_mismatches", "reported_cost", "computed_cost")


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
usage_day AS ({_add_costs("day", days_of("hours", KEY, COST_SUMS))})"""


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
    FROM given WHERE r.day = %(day)s AND r.id = given.id
        AND coalesce(r.cost_reason, '') NOT IN ('leased', 'cached', 'refused')
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
