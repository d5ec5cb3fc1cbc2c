"""Lines of imports that were set aside: a row each instead of a list of the first hundred, so that all can be had."""

import django.db.models.deletion
from django.db import migrations, models

MOVE = """
INSERT INTO traffic_setaside (imported_id, line, words)
SELECT i.id, (one ->> 0)::bigint, one ->> 1 FROM traffic_import AS i, jsonb_array_elements(i.errors) AS one
"""
BACK = """
UPDATE traffic_import AS i SET errors = kept.errors FROM (
    SELECT imported_id, jsonb_agg(jsonb_build_array(line, words) ORDER BY id) AS errors
    FROM (SELECT *, row_number() OVER (PARTITION BY imported_id ORDER BY id) AS n FROM traffic_setaside) AS all_of_them
    WHERE n <= 100 GROUP BY 1
) AS kept WHERE kept.imported_id = i.id
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0015_kept_days")]

    operations = [
        migrations.CreateModel(
            name="SetAside",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("line", models.BigIntegerField()),
                ("words", models.TextField()),
                (
                    "imported",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="set_aside", to="traffic.import"
                    ),
                ),
            ],
            options={"ordering": ["pk"]},
        ),
        migrations.RunSQL(MOVE, BACK),
        migrations.RemoveField(model_name="import", name="errors"),
    ]
