"""The stored outcome of the comparison of a month's bills."""

import django.core.serializers.json
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0002_from_before_0_1_0"),
    ]

    operations = [
        migrations.CreateModel(
            name="BillStatus",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField(unique=True)),
                ("state", models.CharField(max_length=10)),
                ("providers", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("data_version", models.CharField(max_length=32)),
                ("computed_at", models.DateTimeField()),
            ],
        ),
    ]
