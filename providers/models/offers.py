"""What can be rented."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _

from lib.soft_delete import SoftDeleted, SoftDeletedQuerySet
from providers.models.fields import OfferKind, usd
from providers.models.names import provider_name

# A sort of all offers costs ten times the lowest prices and one look at the index for each of them.
CHEAPEST = """
SELECT offer.* FROM (
    SELECT gpu, kind, min(whole_per_gpu_hour) AS low FROM providers_offer WHERE available GROUP BY gpu, kind
) AS lowest
CROSS JOIN LATERAL (
    SELECT * FROM providers_offer AS o
    WHERE o.available AND o.gpu = lowest.gpu AND o.kind = lowest.kind AND o.whole_per_gpu_hour = lowest.low
    ORDER BY o.id LIMIT 1
) AS offer
ORDER BY offer.gpu, offer.kind
"""


class OfferQuerySet(models.QuerySet["Offer"]):
    def available(self) -> OfferQuerySet:
        return self.filter(available=True)

    def cheapest(self) -> models.query.RawQuerySet[Offer]:
        """Of each GPU and kind the available offer with the lowest price, whatever else was filtered."""
        return self.model._default_manager.raw(CHEAPEST)

    def like(self, watch: OfferWatch) -> OfferQuerySet:
        """Those to be had that somebody waits for, whatever they cost."""
        offers = self.filter(available=True, gpu=watch.gpu)
        for column, value in (
            ("kind", watch.kind),
            ("provider", watch.provider),
            ("region__icontains", watch.region),
            ("reliability__gte", watch.min_reliability),
        ):
            if value not in ("", None):
                offers = offers.filter(**{column: value})
        return offers


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
    machine_per_gpu_hour = usd(null=True)  # what the machine around it costs besides; None: it is in the price
    # What is paid in the end, and the only price that one vendor's GPU may be compared with another's by.
    whole_per_gpu_hour = models.GeneratedField(
        expression=F("price_per_gpu_hour") + Coalesce("machine_per_gpu_hour", Value(Decimal(0))),
        output_field=usd(),
        db_persist=True,
    )
    disk_per_gb_month = usd(null=True)
    available = models.BooleanField(default=True)
    seen_at = models.DateTimeField()

    objects = OfferQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "external_id", "kind", "region"], name="one_sight_of_an_offer")
        ]
        indexes = [
            models.Index(fields=["gpu", "kind", "whole_per_gpu_hour"]),
            # The explorer's own order, and the cheapest of each GPU, among what is to be had.
            models.Index(
                fields=["whole_per_gpu_hour", "id"],
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
    """Lowest, median and highest price of a GPU, its machine included, and kind at a provider on one day."""

    provider = models.CharField(max_length=40)
    gpu = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=OfferKind.choices)
    day = models.DateField()
    low = usd()
    median = usd()
    high = usd()
    offers = models.PositiveIntegerField()
    estimated = models.BooleanField(
        default=False
    )  # a day of before machines were stored: today's price of one is in it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "gpu", "kind", "day"], name="one_day_of_offers")]
        indexes = [models.Index(fields=["gpu", "kind", "day"])]


class OfferWatch(SoftDeleted):
    """What somebody waits for: an offer like this below a price. An empty condition is none."""

    gpu = models.CharField(max_length=100)
    kind = models.CharField(max_length=20, choices=OfferKind.choices, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    region = models.CharField(max_length=100, blank=True)  # a part of its name
    min_reliability = models.FloatField(null=True, blank=True)  # 0..1
    price = usd()  # USD per GPU hour, the machine included; a lower one is news
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SoftDeletedQuerySet["OfferWatch"].as_manager()

    class Meta:
        ordering = ["gpu", "price", "pk"]

    def __str__(self) -> str:
        """`RTX 4090, spot, Vast.ai`: what it is, whatever its price."""
        where = provider_name(self.provider) if self.provider else ""
        return ", ".join(str(part) for part in (self.gpu, self.kind and self.get_kind_display(), where) if part)


class Throughput(models.Model):
    """Tokens a second that somebody measured of a model on GPUs; the app that keeps the price sheets fills it in."""

    class Basis(models.TextChoices):
        SINGLE_STREAM = "single_stream", _("one stream")  # a lower bound of what the GPUs can serve
        AGGREGATE = "aggregate", _("all streams")

    model = models.CharField(max_length=200)
    name = models.CharField(max_length=200)  # the model's, for people
    gpu = models.CharField(max_length=100)  # as offers call it
    gpu_count = models.PositiveIntegerField(default=1)
    engine = models.CharField(max_length=40)
    low = models.FloatField()  # output tokens a second of all the GPUs
    high = models.FloatField()
    basis = models.CharField(max_length=13, choices=Basis.choices)
    source = models.CharField(max_length=300)
    source_url = models.URLField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model", "gpu", "gpu_count", "engine"], name="one_throughput_of_a_model_and_gpu"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model} on {self.gpu_count} x {self.gpu}"
