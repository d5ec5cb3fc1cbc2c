"""Pages of the providers."""

from __future__ import annotations

from django.urls import path

from providers.views.uptime import uptime

app_name = "providers"

urlpatterns = [
    path("uptime/", uptime, name="uptime"),
]
