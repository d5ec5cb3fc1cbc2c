"""How past forecasts did."""

from __future__ import annotations

from django.db import models


class ForecastLook(models.Model):
    """A month that is over as it is forecast from one of its days, with what was known before that day; USD.

    Of what depends on traffic, without leases, as the forecast's own past is told. `actual` is what the month came to.
    """

    day = models.DateField(unique=True)
    low = models.DecimalField(max_digits=20, decimal_places=2)
    median = models.DecimalField(max_digits=20, decimal_places=2)
    high = models.DecimalField(max_digits=20, decimal_places=2)
    actual = models.DecimalField(max_digits=20, decimal_places=2)

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day}"
