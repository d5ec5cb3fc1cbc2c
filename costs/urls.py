"""Pages of costs."""

from __future__ import annotations

from django.urls import path

from costs.views.charges import charge_add, charge_delete, charge_edit, charge_undo, charges
from costs.views.spend import spend

app_name = "costs"

urlpatterns = [
    path("spend/", spend, name="spend"),
    path("spend/charges/", charges, name="charges"),
    path("spend/charges/add/", charge_add, name="charge-add"),
    path("spend/charges/<int:pk>/", charge_edit, name="charge"),
    path("spend/charges/<int:pk>/delete/", charge_delete, name="charge-delete"),
    path("spend/charges/<int:pk>/undo/", charge_undo, name="charge-undo"),
]
