"""Traffic in Django's admin: for looking things up. Keys and routes are changed on the settings pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from traffic.models import Application, Key, Rating, Route

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin  # takes no parameter at run time


@admin.register(Application)
class ApplicationAdmin(ModelAdmin):
    list_display = ["slug", "name", "owner", "capture_bodies", "budget_state"]
    search_fields = ["slug", "name"]
    filter_horizontal = ["members"]


class ReadOnlyAdmin(ModelAdmin):
    """Nothing is added, changed or deleted here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Key)
class KeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "hint", "application", "scopes", "last_used_at", "revoked_at"]
    exclude = ["hash"]


@admin.register(Route)
class RouteAdmin(ReadOnlyAdmin):
    list_display = ["order", "slug", "name", "enabled", "to_provider", "deployment"]


@admin.register(Rating)
class RatingAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "by", "score", "stars", "application", "model", "task"]
    list_filter = ["task", "model"]
    date_hierarchy = "created_at"
