"""The ledger's made lines: billed ones from the vendors' rows, estimated ones from the leases' spans.

Both are single statements that add, change or take away only what differs, so that they run every minute and after any
revision, and `audit` can ask the same statements whether anything differs.
"""

from __future__ import annotations

import json
from datetime import date

from django.db import connection, transaction

from costs.allocation.complete_days import watermarks
from lib import sql

COLUMNS = (
    "key, provider, account_id, day, starts_at, ends_at, category, provenance, amount, original_amount, currency,"
    " model, token_class, lease_id, resource, task, rate_source, description, invoice_month"
)

BILLED = """
SELECT 'billed:' || c.account_id || ':' || c.external_id AS key, a.kind AS provider, c.account_id,
       (c.starts_at AT TIME ZONE 'UTC')::date AS day, c.starts_at, c.ends_at, c.category, 'billed' AS provenance,
       c.amount, c.original_amount, c.currency, c.model, c.token_class, l.id AS lease_id, c.resource,
       '' AS task, '' AS rate_source, c.description, c.invoice_month
FROM providers_vendorcost AS c
JOIN providers_account AS a ON a.id = c.account_id
LEFT JOIN providers_lease AS l ON l.account_id = c.account_id AND l.external_id = c.resource
"""

# Lines of a month that its invoice closed are not made again: `closings.revise` enters what became of them.
IN_MONTH = "coalesce(nullif(made.invoice_month, ''), to_char(made.day, 'YYYY-MM'))"
OPEN_BILLED = f"""
SELECT made.* FROM ({BILLED}) AS made
WHERE (made.provider, {IN_MONTH}) NOT IN (SELECT provider, to_char(month, 'YYYY-MM') FROM costs_closing)
"""

# Spans of one lease may meet inside an hour: their parts are one line. An amount is rounded once, at the stored step.
ESTIMATED = """
SELECT 'estimated:' || l.id || ':' || to_char(h.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') AS key,
       a.kind AS provider, l.account_id, (h.hour AT TIME ZONE 'UTC')::date AS day, h.hour AS starts_at,
       h.hour + interval '1 hour' AS ends_at, 'gpu' AS category, 'estimated' AS provenance,
       round(sum(e.seconds * s.price_per_hour) / 3600, 12) AS amount,
       round(sum(e.seconds * s.price_per_hour) / 3600, 12) AS original_amount, 'USD' AS currency, '' AS model,
       '' AS token_class, l.id AS lease_id, l.external_id AS resource, '' AS task, '' AS rate_source,
       '' AS description, '' AS invoice_month
FROM providers_leasespan AS s
JOIN providers_lease AS l ON l.id = s.lease_id
JOIN providers_account AS a ON a.id = l.account_id
CROSS JOIN LATERAL generate_series(date_trunc('hour', s.starts_at, 'UTC'), s.ends_at, '1 hour') AS h (hour)
CROSS JOIN LATERAL (
    SELECT extract(epoch FROM least(s.ends_at, h.hour + interval '1 hour') - greatest(s.starts_at, h.hour)) AS seconds
) AS e
WHERE e.seconds > 0 AND s.price_per_hour > 0
GROUP BY l.id, a.kind, l.account_id, h.hour
"""

_CHANGING = [name.strip() for name in COLUMNS.split(",") if name.strip() != "key"]
_NEW = ", ".join(f"{name} = excluded.{name}" for name in _CHANGING)
_DIFFERS = (
    f"({', '.join(f'c.{name}' for name in _CHANGING)}) IS DISTINCT FROM"
    f" ({', '.join(f'excluded.{name}' for name in _CHANGING)})"
)


def post() -> int:
    """Bring the made lines up to date; returns how many were added, changed or taken away."""
    with transaction.atomic(), connection.cursor() as cursor:
        changed = 0
        # Before the lines: a watermark that moves while we work is taken up by the next posting, with its lines.
        complete = {provider: day.isoformat() for provider, day in watermarks().items()}
        for provenance, source in (("billed", OPEN_BILLED), ("estimated", ESTIMATED)):
            cursor.execute(
                f"INSERT INTO costs_charge AS c ({COLUMNS}, created_at, updated_at)"
                f" SELECT {COLUMNS}, now(), now() FROM ({source}) AS made"
                f" ON CONFLICT (key) DO UPDATE SET {_NEW}, updated_at = now() WHERE {_DIFFERS}"
            )
            changed += cursor.rowcount
            cursor.execute(
                "DELETE FROM costs_charge AS c WHERE c.provenance = %s AND c.closing_id IS NULL"
                f" AND NOT EXISTS (SELECT FROM ({source}) AS made WHERE made.key = c.key)",
                [provenance],
            )
            changed += cursor.rowcount
        # The transaction's own time: whatever was written after its snapshot carries a later one.
        cursor.execute(
            "INSERT INTO costs_posting (id, at, complete) VALUES (1, now(), %s)"
            " ON CONFLICT (id) DO UPDATE SET at = excluded.at, complete = excluded.complete",
            [json.dumps(complete)],
        )
    return changed


# How far each bill reached belongs to it: from there on our own figures count.
_STATE = """
SELECT md5(concat_ws(' ',
    (SELECT concat(count(*), ':', sum(amount)) FROM costs_charge
     WHERE (day >= %(since)s AND day < %(until)s) OR invoice_month = to_char(%(since)s::date, 'YYYY-MM')),
    (SELECT concat(sum(requests), ':', sum(unpriced), ':', sum(cost)) FROM traffic_usage_day
     WHERE day >= %(since)s AND day < %(until)s),
    (SELECT string_agg(key || ':' || least(value::date, %(until)s::date), ' ' ORDER BY key)
     FROM costs_posting, jsonb_each_text(complete) WHERE value::date > %(since)s::date)))
"""


def state_of_days(since: date, until: date) -> str:
    """A short text of all that the spend of these days of one month is made of: while it is the same, so is the spend.

    By it a figure that was written down can be compared with a page of today.
    """
    [(state,)] = sql.rows(_STATE, {"since": since, "until": until})
    return str(state)


# What came in since the last posting, or in a transaction that was open then, is not due yet: changed bill lines, and
# the latest hours of leases that go on.
_NOT_DUE = {
    "billed": """
        SELECT 'billed:' || c.account_id || ':' || c.external_id FROM providers_vendorcost AS c
        WHERE c.updated_at >= (SELECT max(at) - interval '1 minute' FROM costs_posting)""",
    "estimated": """
        SELECT 'estimated:' || s.lease_id || ':' || to_char(h.hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')
        FROM providers_leasespan AS s
        CROSS JOIN LATERAL generate_series(
            date_trunc('hour', s.ends_at - interval '1 day', 'UTC'), s.ends_at, '1 hour'
        ) AS h (hour)
        WHERE s.updated_at >= (SELECT max(at) - interval '1 minute' FROM costs_posting)""",
}


def differences() -> list[tuple[str, str | None, str | None]]:
    """Made lines that are not what their sources said at the last posting: (key, stored amount, right amount)."""
    rows: list[tuple[str, str | None, str | None]] = []
    with connection.cursor() as cursor:
        for provenance, source in (("billed", OPEN_BILLED), ("estimated", ESTIMATED)):
            cursor.execute(
                "SELECT coalesce(c.key, made.key) AS key, c.amount::text, made.amount::text"
                " FROM (SELECT key, amount, day FROM costs_charge WHERE provenance = %s AND closing_id IS NULL) AS c"
                f" FULL JOIN ({source}) AS made USING (key)"
                " WHERE (c.amount, c.day) IS DISTINCT FROM (made.amount, made.day)"
                f" AND coalesce(c.key, made.key) NOT IN ({_NOT_DUE[provenance]}) ORDER BY 1",
                [provenance],
            )
            rows += cursor.fetchall()
    return rows
