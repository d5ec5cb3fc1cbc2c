"""Pages of the project itself: Overview, Settings, the legend, and what machines ask."""

from __future__ import annotations

from dashboard.look import legend, theme
from dashboard.views.machines import healthz, metrics, readyz
from dashboard.views.overview import overview
from dashboard.views.pages import not_found, server_error, settings_index

__all__ = ["healthz", "legend", "metrics", "not_found", "overview", "readyz", "server_error", "settings_index", "theme"]
