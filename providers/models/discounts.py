"""What a contract takes off the list price."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models

from providers.models.accounts import Account
from providers.models.fields import usd
from providers.querysets import DiscountQuerySet


class Discount(models.Model):
    """A contract at one of our accounts: a percentage off the list price, or own rates in USD per million tokens.

    It holds for requests to the account's provider from `starts_on` to `ends_on` (UTC days, the last one included, NULL
    for open end), of one model or, with `model` empty, of all that have no discount of their own. A rate of NULL costs
    what the list says. It is never edited: requests were costed with it. `withdrawn_at` is a person's undo.
    """

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="discounts")
    model = models.CharField(max_length=200, blank=True)
    starts_on = models.DateField()
    ends_on = models.DateField(null=True, blank=True)
    percent = models.DecimalField(max_digits=7, decimal_places=4, null=True, blank=True)
    uncached_input = usd(null=True, blank=True)
    cache_read = usd(null=True, blank=True)
    cache_write_5m = usd(null=True, blank=True)
    cache_write_1h = usd(null=True, blank=True)
    output = usd(null=True, blank=True)
    source = models.CharField(max_length=200)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    entered_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)

    objects = DiscountQuerySet.as_manager()

    class Meta:
        ordering = ["account", "model", "-starts_on"]

    def __str__(self) -> str:
        return f"{self.account} {self.model or '*'} from {self.starts_on}"

    @property
    def provider(self) -> str:
        return self.account.kind

    @property
    def off(self) -> str:
        """The percentage without the zeros that its column adds; empty with own rates."""
        return "" if self.percent is None else f"{self.percent.normalize():f}"

    def holds_on(self, day: date) -> bool:
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)
