"""Where the ledger is exported to by itself."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from costs.querysets import ExportTargetQuerySet
from lib.encryption import EncryptedTextField
from lib.validators import web_address


class ExportTarget(models.Model):
    """A folder or a bucket that takes the month's FOCUS files every day or month, and how that goes."""

    class Kind(models.TextChoices):
        FOLDER = "folder", _("folder")
        S3 = "s3", _("S3-compatible store")

    class Every(models.TextChoices):
        DAY = "day", _("every day")
        MONTH = "month", _("every month")

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        PARQUET = "parquet", "Parquet"

    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    every = models.CharField(max_length=5, choices=Every.choices, default=Every.DAY)
    format = models.CharField(max_length=7, choices=Format.choices, default=Format.CSV)
    since = models.DateField()  # first day of the first month that is written
    folder = models.CharField(
        max_length=200, blank=True
    )  # below the operator's folder of exports; empty is that itself
    endpoint = models.CharField(max_length=200, blank=True, validators=[web_address])
    region = models.CharField(max_length=40, blank=True)
    bucket = models.CharField(max_length=63, blank=True)
    prefix = models.CharField(max_length=200, blank=True)  # before each file's name, as a path
    access_key = models.CharField(max_length=200, blank=True)
    secret = EncryptedTextField(blank=True)  # write-only in the UI
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    enabled = models.BooleanField(default=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    written_until = models.DateField(null=True, blank=True)  # the last month that was written once it was over
    tried_at = models.DateTimeField(null=True, blank=True)
    succeeded_at = models.DateTimeField(null=True, blank=True)
    files = models.PositiveIntegerField(default=0)  # of the last run that succeeded
    error = models.TextField(blank=True)  # of the last run, in a sentence; empty where it succeeded
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ExportTargetQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("costs:export", args=[self.pk])

    @property
    def place(self) -> str:
        """Where its files go, for people."""
        if self.kind == self.Kind.FOLDER:
            return self.folder or "."
        return "/".join(part for part in (self.endpoint.rstrip("/"), self.bucket, self.prefix.strip("/")) if part)

    def result(self) -> str:
        """What the last run brought, or why it failed; empty where none ran."""
        if self.error or not self.succeeded_at:
            return self.error
        return ngettext("%(n)s file", "%(n)s files", self.files) % {"n": self.files}

    @property
    def mark(self) -> str:
        """Its state as the pages draw it."""
        if not self.enabled:
            return "unknown"
        return "bad" if self.error else "ok" if self.succeeded_at else "info"

    @property
    def word(self) -> str:
        if not self.enabled:
            return str(_("off"))
        return str(_("failed") if self.error else _("written") if self.succeeded_at else _("not run yet"))
