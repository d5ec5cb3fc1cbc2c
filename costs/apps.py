from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete


class CostsConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "costs"

    def ready(self) -> None:
        # Traffic deletes an application and may not know of budgets.
        post_delete.connect(take_budgets_along, sender="traffic.Application", dispatch_uid="costs.budgets")


def take_budgets_along(instance: Any, **_kwargs: Any) -> None:
    """Nothing will be held against the budgets of an application that is gone."""
    from costs.models import Budget, BudgetScope  # models are there once the apps are

    Budget.objects.filter(scope=BudgetScope.APPLICATION, subject=instance.slug).delete()
