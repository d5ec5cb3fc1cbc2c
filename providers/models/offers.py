"""What can be rented."""

from __future__ import annotations

from django.db import models

from providers.models.fields import OfferKind, usd
from providers.models.names import provider_name
from providers.querysets import OfferQuerySet


class Offer(models.Model):
    """A GPU that can be rented; the newest sight of it."""

    provider = models.CharField(max_length=40)
    external_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    region = models.CharField(max_length=100, blank=True)
    gpu = models.CharField(max_length=100)
    gpu_count = models.PositiveIntegerField(default=1)
    memory_gb = models.DecimalField(max_digits=8, decimal_places=2, null=True)  # of one GPU
    price_per_gpu_hour = usd()
    reliability = models.FloatField(null=True)  # 0..1 where the vendor says
    available = models.BooleanField(default=True)
    seen_at = models.DateTimeField()

    objects = OfferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "external_id", "kind", "region"], name="one_sight_of_an_offer")
        ]
        indexes = [
            models.Index(fields=["gpu", "kind", "price_per_gpu_hour"]),
            # The explorer's own order, and the cheapest of each GPU, among what is to be had.
            models.Index(
                fields=["price_per_gpu_hour", "id"],
                name="offers_to_be_had_by_price",
                condition=models.Q(available=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.gpu} {self.kind}"

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)


class OfferDay(models.Model):
    """Lowest, median and highest price of a GPU and kind at a provider on one day."""

    provider = models.CharField(max_length=40)
    gpu = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    day = models.DateField()
    low = usd()
    median = usd()
    high = usd()
    offers = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "gpu", "kind", "day"], name="one_day_of_offers")]
        indexes = [models.Index(fields=["gpu", "kind", "day"])]
