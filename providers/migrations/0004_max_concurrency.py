"""How many calls a deployment serves at once: as a person sets it, and as its engine says."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0003_from_before_0_1_0"),
    ]

    operations = [
        migrations.AddField(
            model_name="deployment",
            name="engine_slots",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="deployment",
            name="max_concurrency",
            field=models.PositiveIntegerField(null=True),
        ),
    ]
