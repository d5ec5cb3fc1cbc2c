"""The names of what sets a bill apart from our own figures, and where the evidence for each is."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Every cause and its words, in the order in which they are told: what people can act on first.
CAUSES: dict[str, str | Promise] = {
    "unseen_requests": _("requests missing from our log"),
    "other_keys": _("other tools or keys of the account"),
    "unknown_usage": _("responses without token counts"),
    "unpriced": _("requests without a price"),
    "price": _("billed at other prices than our list"),
    "batch": _("batch flag differs from our log"),
    "cache_split": _("cache tokens in another class"),
    "day_edge": _("billed on the previous or next day (time zone)"),
    "not_billed": _("requests missing from the bill"),
    "lease_unseen": _("GPU rentals missing from our records"),
    "lease_hours": _("GPU hours missing from our records"),
    "lease_price": _("GPU price differs from the list"),
    "lease_not_billed": _("GPU rentals missing from the bill"),
    "web_search": _("web searches"),
    "code_execution": _("code execution"),
    "session": _("agent sessions"),
    "subscription": _("subscriptions"),
    "disk": _("disk"),
    "network": _("network"),
    "cpu": _("CPU outside GPU rentals"),
    "vm": _("VMs without a GPU"),
    "tax": _("tax"),
    "credit": _("credits"),
    "adjustment": _("vendor adjustments"),
    "other": _("billed under unknown names"),
    "upkeep": _("upkeep"),
    "late_revision": _("revisions of a closed month"),
    "vendor_month": _("days of another invoice month"),
    "on_invoice": _("invoice items without a day"),
    "not_complete": _("days not billed yet"),
    "no_bill": _("this provider has no bill feed"),
    "report_awaited": _("usage report not received yet"),
    "rounding": _("rounding"),
    "unexplained": _("unexplained"),
}
ORDER = {cause: place for place, cause in enumerate(CAUSES)}

PENDING = ("not_complete", "no_bill")  # the bill has not come yet, so these are no differences
OF_REQUESTS = frozenset({"unknown_usage", "unpriced", "price", "batch", "cache_split", "day_edge", "not_billed"})
COUNTED = ("unseen_requests", "other_keys")  # causes for which the vendor reports the number of requests
