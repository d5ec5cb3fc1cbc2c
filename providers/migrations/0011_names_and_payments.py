"""Names of workspaces and keys, payments, and what a rented GPU costs besides its own price."""

from __future__ import annotations

from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.utils import timezone

NEW = {"anthropic": ("names", 3600), "vast": ("payments", 21_600)}


def ask_for_them(apps: Any, schema_editor: Any) -> None:
    """Accounts that are there already are asked for what is new."""
    account, feed = apps.get_model("providers", "Account"), apps.get_model("providers", "Feed")
    now = timezone.now()
    for kind, (name, every_s) in NEW.items():
        for pk in account.objects.filter(kind=kind).values_list("pk", flat=True):
            feed.objects.get_or_create(account_id=pk, kind=name, defaults={"every_s": every_s, "due_at": now})


def ask_no_more(apps: Any, schema_editor: Any) -> None:
    apps.get_model("providers", "Feed").objects.filter(kind__in=[name for name, _every in NEW.values()]).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("providers", "0010_offer_watches"),
    ]

    operations = [
        migrations.AddField(
            model_name="offer",
            name="disk_per_gb_month",
            field=models.DecimalField(decimal_places=12, max_digits=20, null=True),
        ),
        migrations.AddField(
            model_name="offer",
            name="machine_per_gpu_hour",
            field=models.DecimalField(decimal_places=12, max_digits=20, null=True),
        ),
        migrations.AddField(
            model_name="vendorcost",
            name="service_tier",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name="vendorcost",
            name="workspace",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.CreateModel(
            name="VendorName",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("external_id", models.CharField(max_length=200)),
                ("name", models.CharField(max_length=200)),
                ("parent", models.CharField(blank=True, max_length=200)),
                ("state", models.CharField(blank=True, max_length=40)),
                ("hint", models.CharField(blank=True, max_length=60)),
                ("seen_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="names", to="providers.account"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("account", "kind", "external_id"), name="one_name_of_a_thing")
                ],
            },
        ),
        migrations.CreateModel(
            name="VendorPayment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("external_id", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("amount", models.DecimalField(decimal_places=12, max_digits=20)),
                ("kind", models.CharField(blank=True, max_length=100)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="payments", to="providers.account"
                    ),
                ),
            ],
            options={
                "ordering": ["-at"],
                "constraints": [
                    models.UniqueConstraint(fields=("account", "external_id"), name="one_payment_of_an_account")
                ],
            },
        ),
        migrations.RunPython(ask_for_them, ask_no_more),
    ]
