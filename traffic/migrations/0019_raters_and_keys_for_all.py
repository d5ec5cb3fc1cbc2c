"""Raters of programs are told apart from people, and making keys for the whole installation is a right of its own."""

from __future__ import annotations

from django.db import migrations, models

KINDS = [
    ("person", "person"),
    ("application", "application"),
    ("installation", "program of no application"),
]
# Ratings of people name them; all others came with a key, of an application or of none.
TELL_APART = """
UPDATE traffic_rating SET rater_kind = CASE
    WHEN rater_id IS NOT NULL THEN 'person'
    WHEN application_id IS NULL THEN 'installation'
    ELSE 'application'
END
"""


class Migration(migrations.Migration):
    dependencies = [("traffic", "0018_waiting_text")]

    operations = [
        migrations.AddField(
            model_name="rating",
            name="rater_kind",
            field=models.CharField(choices=KINDS, default="application", max_length=12),
        ),
        migrations.RunSQL(TELL_APART, migrations.RunSQL.noop),
        migrations.RemoveConstraint(model_name="rating", name="one_rating_of_a_person"),
        migrations.AddConstraint(
            model_name="rating",
            constraint=models.UniqueConstraint(
                condition=models.Q(("request_id__isnull", False)),
                fields=("request_id", "rater_kind", "by"),
                name="one_rating_of_a_rater",
            ),
        ),
        migrations.AlterModelOptions(
            name="key",
            options={
                "ordering": ["-created_at"],
                "permissions": [("add_key_for_all", "Can make keys for the whole installation")],
            },
        ),
    ]
