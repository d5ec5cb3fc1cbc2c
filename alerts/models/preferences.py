"""How one person wants to be told."""

from __future__ import annotations

from datetime import time

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from alerts.models.rules import Severity


class Digest(models.TextChoices):
    NEVER = "", _("none: one mail for each alert")
    INFO = "info", _("information")
    WARNING = "warning", _("information and warnings")


class Preference(models.Model):
    """One person's wishes about mails of alerts; whoever has no row gets each at once, in English and UTC."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="alert_preference")
    least = models.CharField(max_length=10, choices=Severity.choices, default=Severity.INFO)
    quiet_from = models.TimeField(null=True, blank=True)  # in their zone; both or none
    quiet_until = models.TimeField(null=True, blank=True)
    digest = models.CharField(max_length=10, choices=Digest.choices, blank=True)  # up to this severity: once a day
    digest_at = models.TimeField(default=time(8))
    reports = ArrayField(models.CharField(max_length=10), null=True, blank=True)  # NULL: those of their role
    language = models.CharField(max_length=10, default="en")
    timezone = models.CharField(max_length=60, default="UTC")  # IANA name

    def __str__(self) -> str:
        return f"preferences of {self.person_id}"
