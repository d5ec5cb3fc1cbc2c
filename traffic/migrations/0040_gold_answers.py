from importlib import import_module

from django.db import migrations, models

KINDS = [("person", "person"), ("application", "application"), ("installation", "program of no application"),
         ("gold", "gold answer")]  # fmt: skip
# Ratings of gold answers are not added up by day.
OLD = import_module("traffic.migrations.0030_agreement_by_day").trigger(", agreement_due = true")
NEW = OLD.replace("stars, score FROM", "stars, score, gold FROM").replace(
    "day IS NOT NULL", "day IS NOT NULL AND NOT gold"
)


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0039_cap_task"),
    ]

    operations = [
        migrations.AddField("queueentry", "gold", models.BooleanField(db_default=False, default=False)),
        migrations.AddField("rating", "gold", models.BooleanField(db_default=False, default=False)),
        migrations.AlterField("pairassignment", "rater_kind", models.CharField(choices=KINDS, max_length=12)),
        migrations.AlterField("pairchoice", "rater_kind", models.CharField(choices=KINDS, max_length=12)),
        migrations.AlterField(
            "rating", "rater_kind", models.CharField(choices=KINDS, default="application", max_length=12)
        ),
        migrations.AddIndex(
            "rating", models.Index(condition=models.Q(("gold", True)), fields=["day"], name="rating_gold")
        ),
        migrations.AddConstraint(
            "rating",
            models.UniqueConstraint(
                condition=models.Q(("rater_kind", "gold")), fields=("request_id",), name="one_gold_of_an_answer"
            ),
        ),
        migrations.RunSQL(NEW, OLD),
    ]
