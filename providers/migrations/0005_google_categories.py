"""Lines of Google's billing export that were filed as CPU because nothing else was known of them."""

from __future__ import annotations

from typing import Any

from django.db import migrations

from providers.connectors.google_tokens import category_of, class_of, model_of, tier_of


def rename(apps: Any, schema_editor: Any) -> None:
    costs = apps.get_model("providers", "VendorCost").objects.filter(account__kind="google", category="cpu")
    for description in list(costs.order_by().values_list("description", flat=True).distinct()):
        service, _, words = description.partition(": ")
        category = category_of({"cost_type": "regular", "words": words, "service": service, "service_id": ""})
        values = {"category": category}
        if category == "tokens":
            values |= {"model": model_of(words), "token_class": class_of(words), "service_tier": tier_of(words)}
        if category != "cpu":
            costs.filter(description=description).update(**values)


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_max_concurrency")]

    operations = [migrations.RunPython(rename, migrations.RunPython.noop)]
