"""What vendors report of usage and cost, as it stands there now."""

from __future__ import annotations

from django.db import models

from providers.models.accounts import Account
from providers.models.fields import usd


class VendorUsage(models.Model):
    """One row of a vendor's usage report, as it stands there now; vendors revise."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    model = models.CharField(max_length=200)
    workspace = models.CharField(max_length=200, blank=True)
    api_key = models.CharField(max_length=200, blank=True)
    service_tier = models.CharField(max_length=40, blank=True)
    requests = models.BigIntegerField(null=True)
    uncached_input = models.BigIntegerField(default=0)
    cache_read = models.BigIntegerField(default=0)
    cache_write_5m = models.BigIntegerField(default=0)
    cache_write_1h = models.BigIntegerField(default=0)
    output = models.BigIntegerField(default=0)
    web_searches = models.BigIntegerField(default=0)
    import_id = models.BigIntegerField(null=True)  # the file that it was read from; NULL: the vendor's API said it
    origin = models.CharField(max_length=240, blank=True)  # whose it is at the vendor, see `polling.refusals`
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "starts_at", "model", "workspace", "api_key", "service_tier"],
                name="one_row_of_a_usage_report",
            ),
            models.UniqueConstraint(
                fields=["origin", "starts_at", "model", "workspace", "api_key", "service_tier"],
                condition=~models.Q(origin=""),
                name="one_account_of_a_usage_row",
            ),
        ]


class VendorCost(models.Model):
    """One line of a vendor's own bill or cost report, as it stands there now; the ledger is made from these."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    external_id = models.CharField(max_length=300)  # the vendor's natural key, stable over re-reads
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    category = models.CharField(max_length=20)
    amount = usd()
    list_amount = usd(null=True)
    original_amount = models.DecimalField(max_digits=24, decimal_places=12)
    currency = models.CharField(max_length=3, default="USD")
    model = models.CharField(max_length=200, blank=True)
    token_class = models.CharField(max_length=20, blank=True)
    resource = models.CharField(max_length=200, blank=True)  # external id of the lease
    description = models.TextField(blank=True)
    invoice_month = models.CharField(max_length=7, blank=True)  # YYYY-MM, the vendor's own
    workspace = models.CharField(max_length=200, blank=True)
    service_tier = models.CharField(max_length=40, blank=True)
    import_id = models.BigIntegerField(null=True)  # the file that it was read from; NULL: the vendor's API said it
    origin = models.CharField(max_length=240, blank=True)  # whose it is at the vendor, see `polling.refusals`
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="one_line_of_a_bill"),
            models.UniqueConstraint(
                fields=["origin", "external_id"], condition=~models.Q(origin=""), name="one_account_of_a_bill_line"
            ),
        ]
        indexes = [models.Index(fields=["account", "starts_at"])]


class VendorPayment(models.Model):
    """Money that we paid in at a prepaid vendor, or that was taken out. No cost: what it buys stands in the bill."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="payments")
    external_id = models.CharField(max_length=200)
    at = models.DateTimeField()
    amount = usd()  # above zero: paid in
    kind = models.CharField(max_length=100, blank=True)  # the vendor's own words

    class Meta:
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["account", "external_id"], name="one_payment_of_an_account")]


class VendorName(models.Model):
    """What a vendor calls a workspace or a key of ours, whose id stands in its reports; the key itself is not here."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="names")
    kind = models.CharField(max_length=20)  # workspace api_key
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    parent = models.CharField(max_length=200, blank=True)  # the workspace of a key
    state = models.CharField(max_length=40, blank=True)  # the vendor's own word
    hint = models.CharField(max_length=60, blank=True)
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "kind", "external_id"], name="one_name_of_a_thing")]
