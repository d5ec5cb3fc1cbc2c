"""The providers' tables as Django's admin lists them: to look at, for what the pages do not show.

Nothing is changed here. The pages' forms guard keys and addresses, and what they change is in the audit log.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from providers.models import (
    Account,
    Balance,
    Deployment,
    Feed,
    Lease,
    LeaseSpan,
    Maintenance,
    Model,
    Offer,
    Outage,
    TokenPrice,
    VendorCost,
    VendorName,
    VendorPayment,
    VendorUsage,
)


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only for the type checker
    """Columns to read; `exclude` keeps secrets out even in their encrypted form."""

    actions = None
    show_full_result_count = False  # a count of a big table costs more than its page

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Account)
class AccountAdmin(ReadOnly):
    list_display = ["slug", "name", "kind", "enabled", "local", "disabled_reason"]
    list_filter = ["kind", "enabled"]
    exclude = ["secret"]


@admin.register(Deployment)
class DeploymentAdmin(ReadOnly):
    list_display = ["slug", "name", "provider", "engine", "model", "state", "enabled", "last_check_at"]
    list_filter = ["provider", "engine", "state", "enabled"]
    list_select_related = ["lease"]
    exclude = ["api_key"]


@admin.register(Feed)
class FeedAdmin(ReadOnly):
    list_display = ["account", "kind", "every_s", "due_at", "last_success_at", "failures", "last_error"]
    list_filter = ["kind"]
    list_select_related = ["account"]


@admin.register(Offer)
class OfferAdmin(ReadOnly):
    list_display = ["provider", "gpu", "gpu_count", "kind", "price_per_gpu_hour", "region", "available", "seen_at"]
    list_filter = ["provider", "kind", "available"]
    search_fields = ["gpu", "region", "external_id"]


@admin.register(Lease)
class LeaseAdmin(ReadOnly):
    list_display = [
        "external_id",
        "name",
        "account",
        "gpu",
        "gpu_count",
        "state",
        "price_per_hour",
        "started_at",
        "ended_at",
    ]
    list_filter = ["state", "kind"]
    list_select_related = ["account"]


@admin.register(LeaseSpan)
class LeaseSpanAdmin(ReadOnly):
    list_display = ["lease", "state", "price_per_hour", "starts_at", "ends_at"]
    list_select_related = ["lease"]


@admin.register(Balance)
class BalanceAdmin(ReadOnly):
    list_display = ["account", "amount", "spend_per_hour", "at"]
    list_select_related = ["account"]


@admin.register(VendorCost)
class VendorCostAdmin(ReadOnly):
    list_display = ["account", "external_id", "starts_at", "ends_at", "category", "amount", "model", "resource"]
    list_filter = ["category"]
    list_select_related = ["account"]


@admin.register(VendorUsage)
class VendorUsageAdmin(ReadOnly):
    list_display = ["account", "starts_at", "model", "requests", "uncached_input", "cache_read", "output"]
    list_select_related = ["account"]


@admin.register(VendorPayment)
class VendorPaymentAdmin(ReadOnly):
    list_display = ["account", "at", "amount", "kind"]
    list_select_related = ["account"]


@admin.register(VendorName)
class VendorNameAdmin(ReadOnly):
    list_display = ["account", "kind", "external_id", "name", "state"]
    list_filter = ["kind"]
    list_select_related = ["account"]


@admin.register(TokenPrice)
class TokenPriceAdmin(ReadOnly):
    list_display = ["provider", "model", "starts_at", "uncached_input", "output", "source", "entered_by"]
    list_filter = ["provider"]
    list_select_related = ["entered_by"]
    search_fields = ["model"]


@admin.register(Model)
class ModelAdmin(ReadOnly):
    list_display = ["provider", "name", "context_tokens", "retires_on"]
    search_fields = ["name"]


@admin.register(Outage)
class OutageAdmin(ReadOnly):
    list_display = ["deployment", "started_at", "ended_at", "cause"]
    list_select_related = ["deployment"]


@admin.register(Maintenance)
class MaintenanceAdmin(ReadOnly):
    list_display = ["deployment", "starts_at", "ends_at", "reason"]
    list_select_related = ["deployment"]
