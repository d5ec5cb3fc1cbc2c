"""The price book, and what we know of models besides."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Count, Q, Value
from django.db.models.functions import Concat
from django.utils.translation import gettext as _

from lib.dates import BEGINNING
from lib.formats import when
from providers.models.fields import usd


def valid_from(starts_at: datetime) -> str:
    """From which day a price holds, for every page that shows one."""
    return when(starts_at.astimezone(UTC).date()) if starts_at > BEGINNING else _("no start date known")


class TokenPriceQuerySet(models.QuerySet["TokenPrice"]):
    def in_force(self, now: datetime) -> TokenPriceQuerySet:
        """Of each model the version that holds now, in the order of the book: `pricing.rules.in_force` as a query."""
        newest = self.filter(starts_at__lte=now).order_by("provider", "model", "-starts_at")
        return newest.distinct("provider", "model")

    def matching(self, text: str) -> TokenPriceQuerySet:
        """Whose provider and model hold every word of a text."""
        prices = self
        for word in text.split():
            prices = prices.filter(Q(model__icontains=word) | Q(provider__icontains=word))
        return prices

    def behind(self, provider: str, model: str) -> TokenPriceQuerySet:
        """What comes after a model in the order of the book."""
        return self.filter(Q(provider__gt=provider) | Q(provider=provider, model__gt=model))

    def of(self, provider: str, model: str) -> TokenPriceQuerySet:
        """Every version of one model, the newest first."""
        return self.filter(provider=provider, model=model).order_by("-starts_at")

    def counts(self) -> dict[str, int]:
        """Models, versions, and versions that a person entered."""
        return self.order_by().aggregate(
            models=Count(Concat("provider", Value("/"), "model"), distinct=True),
            versions=Count("pk"),
            entered=Count("pk", filter=Q(entered_by__isnull=False)),
        )


class TokenPrice(models.Model):
    """One version of a model's list price: USD per million tokens of each class, from a moment on.

    `over_tokens` is the length of the whole prompt (input of all classes) past which the `over_*` rates hold for the
    request. A rate of NULL is unknown, which is not zero.
    """

    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    starts_at = models.DateTimeField()
    uncached_input = usd()
    cache_read = usd(null=True)
    cache_write_5m = usd(null=True)
    cache_write_1h = usd(null=True)
    output = usd()
    over_tokens = models.PositiveIntegerField(null=True, blank=True)
    over_uncached_input = usd(null=True, blank=True)
    over_cache_read = usd(null=True, blank=True)
    over_cache_write_5m = usd(null=True, blank=True)
    over_cache_write_1h = usd(null=True, blank=True)
    over_output = usd(null=True, blank=True)
    batch_factor = models.DecimalField(max_digits=6, decimal_places=4, null=True, blank=True)  # of every rate
    source = models.CharField(max_length=200)
    seen_at = models.DateTimeField()
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    objects = TokenPriceQuerySet.as_manager()

    class Meta:
        ordering = ["provider", "model", "-starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["provider", "model", "starts_at"], name="one_price_from_a_moment_on")
        ]

    def __str__(self) -> str:
        return f"{self.model} from {self.starts_at:%Y-%m-%d}"

    @property
    def valid_from(self) -> str:
        return valid_from(self.starts_at)


class Model(models.Model):
    """What we know of a vendor's model besides its price: context, retirement, other names."""

    provider = models.CharField(max_length=40)
    name = models.CharField(max_length=200)
    context_tokens = models.PositiveIntegerField(null=True)
    retires_on = models.DateField(null=True)
    aliases = ArrayField(models.CharField(max_length=200), default=list, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "name"], name="one_model_of_a_name")]

    def __str__(self) -> str:
        return self.name
