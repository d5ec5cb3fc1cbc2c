"""The first of the keys that replaced each other: they share one quota, so that a new key is no new quota."""

import django.db.models.deletion
from django.db import migrations, models

FILL = """
WITH RECURSIVE line (id, first) AS (
    SELECT id, id FROM traffic_key WHERE replaces_id IS NULL
    UNION ALL
    SELECT k.id, l.first FROM traffic_key AS k JOIN line AS l ON k.replaces_id = l.id
)
UPDATE traffic_key AS k SET first_id = l.first FROM line AS l WHERE l.id = k.id AND l.first <> k.id
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0016_set_aside")]

    operations = [
        migrations.AddField(
            model_name="key",
            name="first",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="later",
                to="traffic.key",
            ),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
