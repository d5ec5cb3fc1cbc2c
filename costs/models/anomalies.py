"""What was found to differ from its own history, and when anybody looked."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.querysets import AnomalyQuerySet
from providers.models import usd_sum


class Driver(models.TextChoices):
    """What changed."""

    CACHE = "cache", _("cache hits")
    SIZE = "size", _("tokens a request")
    ERRORS = "errors", _("error rate")
    LATENCY = "latency", _("latency")
    VOLUME = "volume", _("number of requests")
    MIX = "mix", _("which models they go to")
    REST = "rest", _("price of a request")


class Anomaly(models.Model):
    """One cause. Of an application, or of a model that several slow down or fail on; open while `ended_at` is NULL."""

    application_id = models.BigIntegerField()  # 0: none; no key, so that it outlives its application
    application = models.CharField(max_length=80, blank=True)  # its slug then
    model = models.TextField(blank=True)  # where it is the model's
    models_shown = models.JSONField(default=list)  # of an application's: the models that show it by themselves
    applications_shown = models.JSONField(default=list)  # of a model's: the slugs of those that feel it
    driver = models.CharField(max_length=10, choices=Driver.choices)
    before = models.FloatField()  # the driver's figure: a share, tokens, microseconds, requests or USD a request
    after = models.FloatField()
    costs = usd_sum(null=True)  # a day more; NULL where money is no part of it
    effects = models.JSONField(default=dict)  # USD a day by cause, as text; they add up to the day's difference
    since = models.DateTimeField()
    found_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    dismissed_at = models.DateTimeField(null=True)
    dismissed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    reason = models.TextField(blank=True)

    objects = AnomalyQuerySet.as_manager()

    class Meta:
        ordering = ["-since", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["application_id", "model", "driver"], condition=models.Q(ended_at=None),
                name="one_open_anomaly_of_a_cause",
            )
        ]  # fmt: skip
        permissions = [("dismiss_anomaly", "Can say that an anomaly is expected")]

    def __str__(self) -> str:
        return f"{self.subject} {self.driver}"

    @property
    def subject(self) -> str:
        """What it is of, as people named it; an application that is gone by its slug."""
        return self.model or getattr(self, "application_name", None) or self.application or "—"

    @property
    def difference(self) -> Decimal:
        """USD that its day differs from the usual, by all causes together."""
        return sum((Decimal(text) for text in self.effects.values()), Decimal(0))

    @property
    def by_cause(self) -> list[tuple[str, Decimal]]:
        """USD a day by cause, the largest first."""
        amounts = [(str(Driver(name).label), Decimal(text)) for name, text in self.effects.items()]
        return sorted(((label, amount) for label, amount in amounts if amount), key=lambda pair: -pair[1])


class AnomalyLook(models.Model):
    """One row: when it was last looked, at how many applications, which have too little history (slug, days), and what
    is new (slug, model or "" for all of it, ISO date of its first day, USD of the last day)."""

    at = models.DateTimeField()
    applications = models.PositiveIntegerField()
    too_little = models.JSONField(default=list)
    new = models.JSONField(default=list)
