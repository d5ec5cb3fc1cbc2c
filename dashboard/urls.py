"""Every address; each app lists its own pages."""

from __future__ import annotations

from django.urls import include, path

from dashboard import views
from dashboard.api import api
from dashboard.signin import views as door

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
    path("settings/people/<int:pk>/link/", views.person_link, name="person-link"),
    path("settings/people/<int:pk>/sessions/", views.person_sessions, name="person-sessions"),
    path("settings/roles/<str:name>/", views.role, name="role"),
    path("settings/audit/", views.audit, name="audit"),
    path("settings/audit/export/", views.audit_export, name="audit-export"),
    path("legend/", views.legend, name="legend"),
    path("theme/", views.theme, name="theme"),
    path("login/", door.sign_in, name="login"),
    path("logout/", door.sign_out, name="logout"),
    path("confirm/", door.confirm, name="confirm"),
    path("password/", door.password, name="password_change"),
    path("password/forgotten/", door.forgotten, name="forgotten"),
    path("password/new/<uidb64>/<token>/", door.new_password, name="new-password"),
    path("account/", door.account, name="account"),
    path("account/end/", door.account_end, name="account-end"),
    path("healthz", views.healthz, name="healthz"),
    path("readyz", views.readyz, name="readyz"),
    path("metrics", views.metrics, name="metrics"),
    path("api/v1/", api.urls),
]

handler400 = "dashboard.views.bad_request"
handler404 = "dashboard.views.not_found"
handler500 = "dashboard.views.server_error"
