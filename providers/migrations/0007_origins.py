"""Whose leases and bill lines are, of accounts that were stored before it was kept; of each the first account has it.

What a second account brought too stays as it is, so that no sum changes: a person removes the account. Leases of
accounts that nobody reads are of unknown state.
"""

from __future__ import annotations

from django.db import migrations

FIRST = """
UPDATE {table} AS r SET origin = a.kind FROM providers_account AS a
WHERE a.id = r.account_id AND a.kind IN {kinds} AND r.origin = '' AND NOT EXISTS (
    SELECT FROM {table} AS o JOIN providers_account AS b ON b.id = o.account_id
    WHERE b.kind = a.kind AND o.external_id = r.external_id AND o.account_id < r.account_id
)
"""
LEASES = FIRST.format(
    table="providers_lease", kinds="('runpod', 'vast', 'lambda', 'google', 'digitalocean', 'anthropic', 'hyperstack')"
)
BILLS = FIRST.format(table="providers_vendorcost", kinds="('runpod', 'vast')")
UNKNOWN = """
UPDATE providers_lease SET state = 'unknown' WHERE ended_at IS NULL
AND account_id IN (SELECT id FROM providers_account WHERE NOT enabled)
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0006_account_identity")]

    operations = [migrations.RunSQL(sql, migrations.RunSQL.noop) for sql in (LEASES, BILLS, UNKNOWN)]
