"""The alerts' tables for an admin who must look at the rows; states change through the pages alone."""

from __future__ import annotations

from django.contrib import admin

from alerts.models import Address, Alert, Channel, Delivery, OptOut, Preference, Rule, Silence


@admin.register(Rule)
class RuleAdmin(admin.ModelAdmin[Rule]):
    list_display = ("slug", "kind", "enabled", "severity", "evaluated_at")
    readonly_fields = ("evaluated_at", "last_error")


@admin.register(Alert)
class AlertAdmin(admin.ModelAdmin[Alert]):
    list_display = ("title", "kind", "state", "severity", "opened_at", "resolved_at")
    list_filter = ("state", "kind")

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: Alert | None = None) -> bool:
        return False


@admin.register(Delivery)
class DeliveryAdmin(admin.ModelAdmin[Delivery]):
    list_display = ("recipient", "alert", "state", "attempts", "accepted_at", "answer")
    list_filter = ("state",)

    def has_add_permission(self, request: object) -> bool:
        return False

    def has_change_permission(self, request: object, obj: Delivery | None = None) -> bool:
        return False


@admin.register(Silence)
class SilenceAdmin(admin.ModelAdmin[Silence]):
    list_display = ("__str__", "until", "reason", "by")


@admin.register(Address)
class AddressAdmin(admin.ModelAdmin[Address]):
    list_display = ("address", "refusals", "refused_at", "disabled_at")


@admin.register(OptOut)
class OptOutAdmin(admin.ModelAdmin[OptOut]):
    list_display = ("address", "rule", "created_at")


@admin.register(Channel)
class ChannelAdmin(admin.ModelAdmin[Channel]):
    list_display = ("slug", "kind", "shown", "enabled", "failures", "answer")
    exclude = ("address", "secret")  # written through the page alone

    def has_add_permission(self, request: object) -> bool:
        return False


@admin.register(Preference)
class PreferenceAdmin(admin.ModelAdmin[Preference]):
    list_display = ("person", "least", "quiet_from", "quiet_until", "digest", "timezone")
