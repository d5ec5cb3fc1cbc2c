"""How the cost of a machine is shared."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from costs.querysets import SharingQuerySet


class Sharing(models.Model):
    """By what a lease is divided among who used it, from a day on until the next one; without any, by tokens."""

    class By(models.TextChoices):
        TOKENS = "tokens", _("tokens")
        TIME = "time", _("time")

    starts_on = models.DateField(unique=True)
    by = models.CharField(max_length=6, choices=By.choices)
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SharingQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_on"]

    def __str__(self) -> str:
        return f"{self.starts_on} {self.by}"
