"""What a contract takes off the list price."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.db import models
from django.db.models import Q

from providers.models.accounts import Account
from providers.models.fields import usd


class DiscountQuerySet(models.QuerySet["Discount"]):
    def standing(self) -> DiscountQuerySet:
        """Those that nobody has taken back."""
        return self.filter(withdrawn_at=None)

    def overlapping(self, provider: str, model: str, starts_on: date, ends_on: date | None) -> DiscountQuerySet:
        """Standing ones of the same provider and model that hold on a day of this period; no end is for ever."""
        discounts = self.standing().filter(account__kind=provider, model=model)
        discounts = discounts.filter(Q(ends_on=None) | Q(ends_on__gte=starts_on))
        return discounts if ends_on is None else discounts.filter(starts_on__lte=ends_on)


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
