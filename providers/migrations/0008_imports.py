from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0007_heartbeats_and_status_pages"),
    ]

    operations = [
        migrations.AddField(
            model_name="vendorcost",
            name="import_id",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="vendorusage",
            name="import_id",
            field=models.BigIntegerField(null=True),
        ),
    ]
