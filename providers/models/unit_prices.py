"""The price book besides tokens: what a unit of anything else costs, and by what a tier changes the tokens' price."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from providers.models.fields import OfferKind, usd
from providers.models.names import provider_name
from providers.models.prices import valid_from


class Priced(models.TextChoices):
    """What is priced, with the unit of its amount; a tier's amount is a factor of every token rate."""

    GPU = "gpu", _("GPU, USD an hour")
    VM = "vm", _("VM, USD an hour")
    STORAGE = "storage", _("storage, USD per GB and month")
    EGRESS = "egress", _("egress, USD per GB")
    WEB_SEARCH = "web_search", _("web search, USD each")
    CODE_EXECUTION = "code_execution", _("code execution, USD per container hour")
    TIER = "tier", _("service tier or region, factor of token prices")


class UnitPriceQuerySet(models.QuerySet["UnitPrice"]):
    def in_force(self, now: datetime) -> UnitPriceQuerySet:
        """Of each thing the version that holds now."""
        newest = self.filter(starts_at__lte=now).order_by("kind", "provider", "name", "variant", "-starts_at")
        return newest.distinct("kind", "provider", "name", "variant")

    def of(self, price: UnitPrice) -> UnitPriceQuerySet:
        """Every version of the same thing, the newest first."""
        same = {name: getattr(price, name) for name in ("kind", "provider", "name", "variant")}
        return self.filter(**same).order_by("-starts_at")

    def matching(self, text: str) -> UnitPriceQuerySet:
        """Whose provider, name and variant hold every word of a text."""
        prices = self
        for word in text.split():
            prices = prices.filter(Q(name__icontains=word) | Q(provider__icontains=word) | Q(variant__icontains=word))
        return prices


class UnitPrice(models.Model):
    """One version of a price, from a moment on; never edited, a later one follows it.

    `name` is the GPU, the machine type, the kind of storage, or the tier as `traffic.ingest.tiers` names it.
    `variant` narrows it: the kind of rent, a region, or the model that a tier's factor is for; empty is any.
    """

    provider = models.CharField(max_length=40)
    kind = models.CharField(max_length=20, choices=Priced.choices)
    name = models.CharField(max_length=200, blank=True)
    variant = models.CharField(max_length=200, blank=True)
    starts_at = models.DateTimeField()
    amount = usd()
    source = models.CharField(max_length=200)
    seen_at = models.DateTimeField()
    entered_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    objects = UnitPriceQuerySet.as_manager()

    class Meta:
        ordering = ["kind", "provider", "name", "variant", "-starts_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "provider", "name", "variant", "starts_at"], name="one_unit_price_from_a_moment_on"
            )
        ]

    def __str__(self) -> str:
        called = " ".join(part for part in (self.name, self.variant) if part)
        return f"{self.provider} {called or self.kind} from {self.starts_at:%Y-%m-%d}"

    @property
    def valid_from(self) -> str:
        return valid_from(self.starts_at)

    @property
    def plain(self) -> str:
        """The amount without the zeros that its column adds."""
        return f"{self.amount.normalize():f}"

    @property
    def variant_label(self) -> str:
        kinds: dict[str, Any] = dict(OfferKind.choices) if self.kind == Priced.GPU else {}
        return str(kinds.get(self.variant, self.variant))

    @property
    def provider_name(self) -> str:
        return provider_name(self.provider)
