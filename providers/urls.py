"""Pages of the providers."""

from __future__ import annotations

from django.urls import path

from providers.views import accounts, deployments, prices
from providers.views.offers import explorer
from providers.views.providers import providers
from providers.views.uptime import uptime

app_name = "providers"

urlpatterns = [
    path("providers/", providers, name="providers"),
    path("providers/offers/", explorer, name="offers"),
    path("uptime/", uptime, name="uptime"),
    path("settings/accounts/", accounts.accounts, name="accounts"),
    path("settings/accounts/add/", accounts.choose, name="account-add"),
    path("settings/accounts/add/<slug:kind>/", accounts.add, name="account-add-kind"),
    path("settings/accounts/<slug:slug>/", accounts.account, name="account"),
    path("settings/accounts/<slug:slug>/poll/", accounts.poll, name="account-poll"),
    path("settings/accounts/<slug:slug>/disable/", accounts.disable, name="account-disable"),
    path("settings/accounts/<slug:slug>/enable/", accounts.enable, name="account-enable"),
    path("settings/deployments/", deployments.deployments, name="deployments"),
    path("settings/deployments/add/", deployments.add, name="deployment-add"),
    path("settings/deployments/<slug:slug>/", deployments.deployment, name="deployment"),
    path("settings/deployments/<slug:slug>/disable/", deployments.disable, name="deployment-disable"),
    path("settings/deployments/<slug:slug>/enable/", deployments.enable, name="deployment-enable"),
    path("settings/deployments/<slug:slug>/maintenance/", deployments.plan_maintenance, name="maintenance"),
    path(
        "settings/deployments/<slug:slug>/maintenance/<int:pk>/end/",
        deployments.end_maintenance,
        name="maintenance-end",
    ),
    path("settings/prices/", prices.prices, name="prices"),
    path("settings/prices/add/", prices.add, name="price-add"),
]
