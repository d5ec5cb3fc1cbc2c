"""Every address; each app lists its own pages."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from dashboard import views
from dashboard.api import api

urlpatterns = [
    path("", views.overview, name="overview"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("api/v1/", api.urls),
    path("admin/", admin.site.urls),
]
