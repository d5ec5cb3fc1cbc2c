"""Pages of the project itself: Overview, Settings, the legend, and what machines ask."""

from __future__ import annotations

from dashboard.look import legend, theme
from dashboard.views.audit import audit, audit_export
from dashboard.views.machines import healthz, metrics, readyz
from dashboard.views.overview import overview
from dashboard.views.pages import bad_request, not_found, server_error, settings_index
from dashboard.views.people import people, person, person_add, person_link, person_sessions, person_switch
from dashboard.views.roles import role
from dashboard.views.storage import storage, unstored

__all__ = [
    "audit",
    "audit_export",
    "bad_request",
    "healthz",
    "legend",
    "metrics",
    "not_found",
    "overview",
    "people",
    "person",
    "person_add",
    "person_link",
    "person_sessions",
    "person_switch",
    "readyz",
    "role",
    "server_error",
    "settings_index",
    "storage",
    "theme",
    "unstored",
]
