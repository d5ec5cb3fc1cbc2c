"""A month that an invoice closed, how its bills compare, how far they may be from ours, and whose the keys are."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from costs.models.receipts import Receipt
from providers.models import Account, provider_name, usd_sum
from traffic.models import Application


class Closing(models.Model):
    """One provider's month, closed by its invoice: what was measured, estimated and billed then, and why it differs.

    Its billed lines are not made again. What the vendor changes later is a correction on the day that we learn of it.
    """

    provider = models.CharField(max_length=40)
    month = models.DateField()  # its first day
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT)
    number = models.CharField(max_length=80, blank=True)  # of the invoice
    amount = usd_sum()
    original_amount = models.DecimalField(max_digits=24, decimal_places=12)
    currency = models.CharField(max_length=3, default="USD")
    lines = usd_sum()  # of `amount`, what the vendor's own bill lines came to
    places = models.JSONField(encoder=DjangoJSONEncoder)  # the comparison of that moment, by day and model
    receipt = models.ForeignKey(Receipt, null=True, blank=True, on_delete=models.SET_NULL, related_name="closings")
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-month", "provider"]
        constraints = [models.UniqueConstraint(fields=["provider", "month"], name="a_month_is_closed_once")]

    def __str__(self) -> str:
        return f"{self.provider} {self.month:%Y-%m}"

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)

    @property
    def prefix(self) -> str:
        """How the keys of its charges begin: those of its own day, and corrections after it."""
        return f"closing:{self.provider}:{self.month:%Y-%m}:"

    @property
    def revision_prefix(self) -> str:
        return f"revision:{self.provider}:{self.month:%Y-%m}:"


class BillStatus(models.Model):
    """What the comparison of one month's bills with our own figures came to, by provider, and of which data."""

    month = models.DateField(unique=True)  # its first day
    state = models.CharField(max_length=10)  # open, or closed: every day is billed
    providers = models.JSONField(encoder=DjangoJSONEncoder)  # sums, causes and how far the bill reaches, of each
    data_version = models.CharField(max_length=32)  # of what it was made from, see costs/reconciliation/bill_status.py
    computed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.state}"


class Tolerance(models.Model):
    """How far a provider's bill may be from ours before someone must know: by the larger of the two."""

    SHARE, AMOUNT = Decimal("0.05"), Decimal(5)  # where nobody said otherwise

    provider = models.CharField(max_length=40, unique=True)
    share = models.DecimalField(max_digits=6, decimal_places=5)  # of the bill, 0 to 1
    amount = models.DecimalField(max_digits=12, decimal_places=2)  # USD a month
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.provider} {self.share:.2%} or {self.amount} USD"


class KeyOwner(models.Model):
    """Whose a key of a vendor's account is: an application's, or (without one) another tool's that we do not log.

    Keys that nobody said anything of are taken for ours, of any application.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE)
    api_key = models.CharField(max_length=200)  # the vendor's id of it, never the key itself
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.CASCADE)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "api_key"], name="one_owner_of_a_key")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.api_key}"
