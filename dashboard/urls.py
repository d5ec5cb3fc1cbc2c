"""Every address; each app lists its own pages."""

from __future__ import annotations

from django.urls import include, path

from dashboard.api import api
from dashboard.api_docs.views import help_api
from dashboard.audit.views import audit, audit_export
from dashboard.checklist.views import checklist_hide, checklist_show
from dashboard.health.views import health, healthz, metrics, readyz
from dashboard.help.views import help_index, help_page
from dashboard.http.look import legend, reference, theme
from dashboard.menu.views import find, saved_view, saved_view_delete, saved_view_undo, saved_views, settings_index
from dashboard.overview.views import overview
from dashboard.people.role_views import role
from dashboard.people.views import people, person, person_add, person_link, person_sessions, person_switch
from dashboard.signin import views as door
from dashboard.storage.views import storage, unstored

urlpatterns = [
    path("", overview, name="overview"),
    # Before the three hundred pages, which Django tries one after the other: programs call more often than people.
    path("", include("traffic.ingest.urls")),
    path("api/v1/", api.urls),
    path("", include("providers.urls")),
    path("", include("traffic.urls")),
    path("", include("costs.urls")),
    path("", include("alerts.urls")),
    path("settings/", settings_index, name="settings"),
    path("settings/checklist/hide/", checklist_hide, name="checklist-hide"),
    path("settings/checklist/show/", checklist_show, name="checklist-show"),
    path("settings/health/", health, name="health"),
    path("settings/storage/", storage, name="storage"),
    path("settings/storage/unstored/", unstored, name="storage-unstored"),
    path("settings/people/", people, name="people"),
    path("settings/people/add/", person_add, name="person-add"),
    path("settings/people/<int:pk>/", person, name="person"),
    path("settings/people/<int:pk>/switch/", person_switch, name="person-switch"),
    path("settings/people/<int:pk>/link/", person_link, name="person-link"),
    path("settings/people/<int:pk>/sessions/", person_sessions, name="person-sessions"),
    path("settings/roles/<str:name>/", role, name="role"),
    path("settings/audit/", audit, name="audit"),
    path("settings/audit/export/", audit_export, name="audit-export"),
    path("help/", help_index, name="help"),
    path("help/api/", help_api, name="help-api"),
    path("help/<slug:slug>/", help_page, name="help-page"),
    path("find/", find, name="find"),
    path("views/", saved_views, name="saved-views"),
    path("views/<int:pk>/", saved_view, name="saved-view"),
    path("views/<int:pk>/delete/", saved_view_delete, name="saved-view-delete"),
    path("views/<int:pk>/undo/", saved_view_undo, name="saved-view-undo"),
    path("legend/", legend, name="legend"),
    path("theme/", theme, name="theme"),
    path("settings/reference/", reference, name="reference"),
    path("login/", door.sign_in, name="login"),
    path("logout/", door.sign_out, name="logout"),
    path("confirm/", door.confirm, name="confirm"),
    path("password/", door.password, name="password_change"),
    path("password/forgotten/", door.forgotten, name="forgotten"),
    path("password/new/<uidb64>/<token>/", door.new_password, name="new-password"),
    path("account/", door.account, name="account"),
    path("account/end/", door.account_end, name="account-end"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler400 = "dashboard.front.error_views.bad_request"
handler404 = "dashboard.front.error_views.not_found"
handler500 = "dashboard.front.error_views.server_error"
