import django.contrib.postgres.fields
from django.db import migrations, models

SUMS = """
INSERT INTO traffic_rating_day AS d (day, application_id, deployment_id, model, task,
    ratings, acceptable, starred, stars_sum, stars_squares)
SELECT day, coalesce(application_id, 0), coalesce(deployment_id, 0), model, task,
    sum(sign), sum(sign * coalesce(stars >= 4, score >= 0)::int), sum(sign * (stars IS NOT NULL)::int),
    coalesce(sum(sign * stars), 0), coalesce(sum(sign * stars * stars), 0)
FROM ({rows}) AS r WHERE day IS NOT NULL GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
ON CONFLICT (day, application_id, deployment_id, model, task) DO UPDATE SET
    ratings = d.ratings + excluded.ratings, acceptable = d.acceptable + excluded.acceptable,
    starred = d.starred + excluded.starred, stars_sum = d.stars_sum + excluded.stars_sum,
    stars_squares = d.stars_squares + excluded.stars_squares{due}
"""
COLUMNS = "day, application_id, deployment_id, model, task, stars, score"
FRESH, GONE = f"SELECT 1 AS sign, {COLUMNS} FROM fresh", f"SELECT -1 AS sign, {COLUMNS} FROM gone"


def trigger(due: str) -> str:
    """What runs after each statement; `due` is what a change makes due."""
    return f"""
CREATE OR REPLACE FUNCTION traffic_ratings_by_day() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN {SUMS.format(rows=FRESH, due=due)};
    ELSIF TG_OP = 'DELETE' THEN {SUMS.format(rows=GONE, due=due)};
    ELSE {SUMS.format(rows=f"{FRESH} UNION ALL {GONE}", due=due)};
    END IF;
    RETURN NULL;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("traffic", "0025_playground_own"),
    ]

    operations = [
        migrations.AddField("ratingday", "agreement_due", models.BooleanField(db_default=True, default=True)),
        migrations.AddField(
            "ratingday",
            "agreed",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.FloatField(), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField(
            "ratingday",
            "raters",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.BigIntegerField(), db_default=[], default=list, size=None
            ),
        ),
        migrations.AddField("ratingday", "biases", models.JSONField(db_default={}, default=dict)),
        migrations.AddIndex(
            "ratingday",
            models.Index(condition=models.Q(("agreement_due", True)), fields=["day"], name="rating_day_due"),
        ),
        migrations.RunSQL(trigger(", agreement_due = true"), trigger("")),
    ]
