"""Pages of the providers."""

from __future__ import annotations

from django.urls import path

from providers.accounts import views as accounts
from providers.deployments import views as deployments
from providers.heartbeats import views as heartbeats
from providers.heartbeats.ping_views import ping
from providers.leases import views as leases
from providers.offers import watch_views
from providers.offers.views import explorer, providers
from providers.status_pages import public_views as status
from providers.status_pages import views as status_pages
from providers.uptime.outage_views import outage
from providers.uptime.views import uptime

app_name = "providers"

urlpatterns = [
    path("providers/", providers, name="providers"),
    path("providers/offers/", explorer, name="offers"),
    path("providers/offers/watches/", watch_views.watches, name="offer-watches"),
    path("providers/offers/watches/add/", watch_views.add, name="offer-watch-add"),
    path("providers/offers/watches/<int:pk>/", watch_views.watch, name="offer-watch"),
    path("providers/offers/watches/<int:pk>/delete/", watch_views.delete, name="offer-watch-delete"),
    path("providers/offers/watches/<int:pk>/undo/", watch_views.undo, name="offer-watch-undo"),
    path("providers/leases/", leases.leases, name="leases"),
    path("providers/leases/<int:pk>/idle/", leases.idle, name="lease-idle"),
    path("providers/leases/<int:pk>/stop/", leases.stop, name="lease-stop"),
    path("uptime/", uptime, name="uptime"),
    path("uptime/outages/<int:pk>/", outage, name="outage"),
    path("uptime/heartbeats/", heartbeats.heartbeats, name="heartbeats"),
    path("uptime/heartbeats/add/", heartbeats.add, name="heartbeat-add"),
    path("uptime/heartbeats/<int:pk>/undo/", heartbeats.undo, name="heartbeat-undo"),
    path("uptime/heartbeats/<slug:slug>/", heartbeats.heartbeat, name="heartbeat"),
    path("uptime/heartbeats/<slug:slug>/pause/", heartbeats.pause, name="heartbeat-pause"),
    path("uptime/heartbeats/<slug:slug>/resume/", heartbeats.resume, name="heartbeat-resume"),
    path("uptime/heartbeats/<slug:slug>/delete/", heartbeats.delete, name="heartbeat-delete"),
    path("uptime/status-pages/", status_pages.status_pages, name="status-pages"),
    path("uptime/status-pages/add/", status_pages.add, name="status-page-add"),
    path("uptime/status-pages/<int:pk>/undo/", status_pages.undo, name="status-page-undo"),
    path("uptime/status-pages/<slug:slug>/", status_pages.status_page, name="status-page"),
    path("uptime/status-pages/<slug:slug>/preview/", status.status_preview, name="status-preview"),
    path("uptime/status-pages/<slug:slug>/delete/", status_pages.delete, name="status-page-delete"),
    path("status/<str:address>/", status.status, name="status"),
    path("status/<str:address>/badge.svg", status.status_badge, name="status-badge"),
    path("status/<str:address>/status.json", status.status_json, name="status-json"),
    path("ping/<uuid:ping_id>", ping, name="ping"),
    path("ping/<uuid:ping_id>/<slug:what>", ping, name="ping-signal"),
    path("settings/accounts/", accounts.accounts, name="accounts"),
    path("settings/accounts/add/", accounts.choose, name="account-add"),
    path("settings/accounts/add/<slug:kind>/", accounts.add, name="account-add-kind"),
    path("settings/accounts/<slug:slug>/", accounts.account, name="account"),
    path("settings/accounts/<slug:slug>/poll/", accounts.poll, name="account-poll"),
    path("settings/accounts/<slug:slug>/split/", accounts.split, name="account-split"),
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
]
