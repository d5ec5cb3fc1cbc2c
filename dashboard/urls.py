"""Every address; each app lists its own pages."""

from __future__ import annotations

from django.contrib.auth import views as auth
from django.urls import include, path

from dashboard import views
from dashboard.api import api

urlpatterns = [
    path("", views.overview, name="overview"),
    path("", include("providers.urls")),
    path("", include("traffic.urls")),
    path("", include("traffic.ingest.urls")),
    path("", include("costs.urls")),
    path("", include("alerts.urls")),
    path("settings/", views.settings_index, name="settings"),
    path("settings/storage/", views.storage, name="storage"),
    path("settings/storage/unstored/", views.unstored, name="storage-unstored"),
    path("settings/people/", views.people, name="people"),
    path("settings/people/add/", views.person_add, name="person-add"),
    path("settings/people/<int:pk>/", views.person, name="person"),
    path("settings/people/<int:pk>/switch/", views.person_switch, name="person-switch"),
    path("settings/audit/", views.audit, name="audit"),
    path("settings/audit/export/", views.audit_export, name="audit-export"),
    path("legend/", views.legend, name="legend"),
    path("theme/", views.theme, name="theme"),
    path("login/", auth.LoginView.as_view(redirect_authenticated_user=True), name="login"),
    path("logout/", auth.LogoutView.as_view(), name="logout"),
    path("password/", auth.PasswordChangeView.as_view(success_url="/"), name="password_change"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("api/v1/", api.urls),
]

handler404 = "dashboard.views.not_found"
handler500 = "dashboard.views.server_error"
