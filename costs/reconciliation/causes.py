"""The names of what sets a bill apart from our own figures, and where the evidence for each is."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# Every cause and its words, in the order in which they are told: what people can act on first.
CAUSES: dict[str, str | Promise] = {
    "unseen_requests": _("requests that our log has not"),
    "other_keys": _("other tools or keys of the same account"),
    "unknown_usage": _("answers of ours that never said their usage"),
    "unpriced": _("requests of ours without a price"),
    "price": _("billed at other prices than the price book’s"),
    "batch": _("billed as batch or not, unlike our log"),
    "cache_split": _("cache counted in another class"),
    "day_edge": _("counted on the neighbour day: another time zone"),
    "not_billed": _("requests of ours that are not on the bill"),
    "lease_unseen": _("machines that we never saw"),
    "lease_hours": _("machine hours that we did not watch"),
    "lease_price": _("machines billed at another price than listed"),
    "lease_not_billed": _("machines of ours that are not on the bill"),
    "web_search": _("web searches"),
    "code_execution": _("code execution"),
    "session": _("agent sessions"),
    "subscription": _("subscriptions"),
    "disk": _("disk"),
    "network": _("network"),
    "cpu": _("CPU without a machine"),
    "vm": _("VMs without a GPU"),
    "tax": _("tax"),
    "credit": _("credits"),
    "adjustment": _("the vendor’s adjustments"),
    "other": _("billed under names that we do not know"),
    "upkeep": _("upkeep"),
    "late_revision": _("revised after an earlier month was closed"),
    "vendor_month": _("days that the vendor counts to another month"),
    "on_invoice": _("on the month’s invoice, which tells no days"),
    "not_complete": _("days that the bill does not hold yet"),
    "no_bill": _("no bill is read from this provider"),
    "report_awaited": _("usage that the vendor has yet to tell: its report was never read so far"),
    "rounding": _("rounding"),
    "unexplained": _("unexplained"),
}
ORDER = {cause: place for place, cause in enumerate(CAUSES)}

PENDING = ("not_complete", "no_bill")  # the bill has not come yet, so these are no differences
OF_REQUESTS = frozenset({"unknown_usage", "unpriced", "price", "batch", "cache_split", "day_edge", "not_billed"})
COUNTED = ("unseen_requests", "other_keys")  # causes for which the vendor reports the number of requests
