"""Contract discounts of our accounts."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0008_imports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Discount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("model", models.CharField(blank=True, max_length=200)),
                ("starts_on", models.DateField()),
                ("ends_on", models.DateField(blank=True, null=True)),
                ("percent", models.DecimalField(blank=True, decimal_places=4, max_digits=7, null=True)),
                ("uncached_input", models.DecimalField(blank=True, decimal_places=12, max_digits=20, null=True)),
                ("cache_read", models.DecimalField(blank=True, decimal_places=12, max_digits=20, null=True)),
                ("cache_write_5m", models.DecimalField(blank=True, decimal_places=12, max_digits=20, null=True)),
                ("cache_write_1h", models.DecimalField(blank=True, decimal_places=12, max_digits=20, null=True)),
                ("output", models.DecimalField(blank=True, decimal_places=12, max_digits=20, null=True)),
                ("source", models.CharField(max_length=200)),
                ("entered_at", models.DateTimeField()),
                ("withdrawn_at", models.DateTimeField(null=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="discounts", to="providers.account"
                    ),
                ),
                (
                    "entered_by",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ["account", "model", "-starts_on"],
            },
        ),
    ]
