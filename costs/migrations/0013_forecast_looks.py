from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("costs", "0012_what_is_new"),
    ]

    operations = [
        migrations.CreateModel(
            name="ForecastLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("day", models.DateField(unique=True)),
                ("low", models.DecimalField(decimal_places=2, max_digits=20)),
                ("median", models.DecimalField(decimal_places=2, max_digits=20)),
                ("high", models.DecimalField(decimal_places=2, max_digits=20)),
                ("actual", models.DecimalField(decimal_places=2, max_digits=20)),
            ],
            options={"ordering": ["day"]},
        ),
    ]
