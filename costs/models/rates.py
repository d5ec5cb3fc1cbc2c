"""What other currencies are worth."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from costs.querysets import ExchangeRateQuerySet


class ExchangeRate(models.Model):
    """USD for one unit of a currency from a day on, with its source; it holds until the next one."""

    currency = models.CharField(max_length=3)
    day = models.DateField()
    usd = models.DecimalField(max_digits=20, decimal_places=10)
    source = models.CharField(max_length=200)
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ExchangeRateQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["currency", "day"], name="one_rate_of_a_currency_and_day")]

    def __str__(self) -> str:
        return f"{self.currency} {self.day} {self.usd}"
