"""The ledger: one line for each cost of a provider in one UTC day."""

from __future__ import annotations

from datetime import UTC, date

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.finality import month_final_on
from costs.models.bill_imports import BillImport
from costs.models.closings import Closing
from costs.models.receipts import Receipt
from costs.models.recurrences import Recurrence
from costs.querysets import ChargeQuerySet
from providers.models import Account, Lease, provider_name, usd
from traffic.models import Application


class Provenance(models.TextChoices):
    """Where a figure comes from."""

    BILLED = "billed", _("billed")  # the vendor's own cost report or billing API
    MEASURED = "measured", _("measured")  # our request log x price book
    ESTIMATED = "estimated", _("estimated")  # observed lease hours x price
    ENTERED = "entered", _("entered")  # by a person


class Category(models.TextChoices):
    """What a charge is for."""

    TOKENS = "tokens", _("tokens")
    WEB_SEARCH = "web_search", _("web search")
    CODE_EXECUTION = "code_execution", _("code execution")
    SESSION = "session", _("agent sessions")
    GPU = "gpu", _("GPU hours")
    CPU = "cpu", _("CPU")
    VM = "vm", _("VM")
    DISK = "disk", _("disk")
    NETWORK = "network", _("egress and network")
    SUBSCRIPTION = "subscription", _("subscription")
    UPKEEP = "upkeep", _("upkeep")
    CREDIT = "credit", _("credit")
    TAX = "tax", _("tax")
    ADJUSTMENT = "adjustment", _("adjustment")
    INVOICE = "invoice", _("invoice")
    OTHER = "other", _("other")  # what its vendor bills under a name that we do not know


class Charge(models.Model):
    """One line of the ledger: a cost of a provider for a period inside one UTC day, with its provenance.

    Billed and estimated lines are made from the vendors' rows and the leases' spans by `costs.ledger.posting` and are
    made again whenever those change; a person makes entered ones. Measured costs stand in the usage days, not here.
    """

    key = models.CharField(max_length=400, unique=True)  # natural: provenance, account, the vendor's own id, hour
    provider = models.CharField(max_length=40)
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT)
    day = models.DateField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    category = models.CharField(max_length=20, choices=Category.choices)
    provenance = models.CharField(max_length=10, choices=Provenance.choices)
    amount = usd()
    original_amount = models.DecimalField(max_digits=24, decimal_places=12)
    currency = models.CharField(max_length=3, default="USD")
    rate = models.DecimalField(max_digits=20, decimal_places=10, null=True)  # USD for one unit; NULL for USD
    rate_source = models.CharField(max_length=200, blank=True)  # empty where the vendor's bill or the form said it
    model = models.CharField(max_length=200, blank=True)
    token_class = models.CharField(max_length=20, blank=True)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.PROTECT)
    resource = models.CharField(max_length=200, blank=True)  # as its vendor calls what was paid for: a machine, a disk
    # Whose an entered charge is; bills and leases are divided by use instead.
    application = models.ForeignKey(Application, null=True, blank=True, on_delete=models.SET_NULL)
    task = models.CharField(max_length=20, blank=True)
    description = models.TextField(blank=True)
    invoice_month = models.CharField(max_length=7, blank=True)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    recurrence = models.ForeignKey(Recurrence, null=True, blank=True, on_delete=models.SET_NULL, related_name="charges")
    receipt = models.ForeignKey(Receipt, null=True, blank=True, on_delete=models.SET_NULL, related_name="charges")
    # A month that is final is put right by a line of its own.
    corrects = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrections")
    # Of a month that its invoice closed, or what was put right of one later.
    closing = models.ForeignKey(Closing, null=True, blank=True, on_delete=models.PROTECT, related_name="charges")
    # Of a bill that came as a file; like an invoice it stands for what is not billed of its provider and month.
    bill_import = models.ForeignKey(BillImport, null=True, blank=True, on_delete=models.PROTECT, related_name="charges")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ChargeQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["day", "provider", "provenance"])]

    def __str__(self) -> str:
        return f"{self.provider} {self.day} {self.category} {self.amount}"

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)

    @property
    def of_a_month(self) -> bool:
        """Whether a person entered it for a month as a whole."""
        if self.bill_import_id is not None:
            return False  # it says its day
        return bool(self.invoice_month) and (self.category == Category.INVOICE or self.day.day == 1)

    @property
    def final_on(self) -> date:
        """When its month is final at its provider; from then on a correction is a line of its own."""
        if self.closing is not None:
            return self.closing.created_at.astimezone(UTC).date()
        return month_final_on(self.provider, self.day)

    def is_final(self, today: date) -> bool:
        return today >= self.final_on


class Posting(models.Model):
    """One row: when the made lines of the ledger were last brought up to date, and how far each bill reached then."""

    at = models.DateTimeField()
    complete = models.JSONField(default=dict)  # provider -> first day (YYYY-MM-DD) whose bill was not whole


IDLE = "idle_gpu"  # the category of GPU hours that no request used; made by division, stored nowhere
