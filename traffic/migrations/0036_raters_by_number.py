from django.db import migrations

# Of our people `by` held the user name. It becomes `#` and their number; of people who were deleted a number in no
# order, so that no name stays that its rater hid. A trigger brings the sums up to date.
ONCE = """
DELETE FROM traffic_rating AS older USING traffic_rating AS later
WHERE older.rater_kind = 'person' AND later.rater_kind = 'person' AND older.rater_id = later.rater_id
    AND older.request_id = later.request_id AND (older.created_at, older.id) < (later.created_at, later.id)
"""
# Both choices of a pair stay, since they were shown and counted; the first one is the rater's.
NUMBERED = """
UPDATE {table} AS r SET by = n.name FROM (
    SELECT id, '#' || rater_id || CASE WHEN place > 1 THEN '/' || place ELSE '' END AS name FROM (
        SELECT id, rater_id, row_number() OVER (PARTITION BY {once}, rater_id ORDER BY id) AS place FROM {table}
        WHERE rater_kind = 'person' AND rater_id IS NOT NULL
    ) AS named
) AS n WHERE n.id = r.id
"""
DELETED = """
UPDATE {table} AS r SET by = n.name FROM (
    SELECT by, 'deleted ' || row_number() OVER (ORDER BY random()) AS name FROM {table}
    WHERE rater_kind = 'person' AND rater_id IS NULL GROUP BY by
) AS n WHERE r.rater_kind = 'person' AND r.rater_id IS NULL AND r.by = n.by
"""
TABLES = {
    "traffic_rating": "coalesce(request_id::text, id::text)",
    "traffic_pairchoice": "pair_id",
    "traffic_pairassignment": "pair_id",
}


STATEMENTS = [
    ONCE,
    *(NUMBERED.format(table=table, once=once) for table, once in TABLES.items()),
    *(DELETED.format(table=table) for table in TABLES),
]


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0033_one_made_for_each"),
    ]

    operations = [
        migrations.RunSQL(STATEMENTS, migrations.RunSQL.noop),
    ]
