"""Data deleted on request: of an application, or of one user of whatever applications."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ErasureKind(models.TextChoices):
    APPLICATION = "application", _("an application")
    USER = "user", _("a user")


class Erasure(models.Model):
    """A deletion and how far it is. It stays, so that what arrives late of the same is stripped too.

    `user_hash` is there only while it is at work; afterwards `mark`, a hash of it, is enough to know the user by.
    """

    kind = models.CharField(max_length=12, choices=ErasureKind.choices)
    name = models.CharField(max_length=100, blank=True)  # an application's slug; of a user nothing is written down
    application_id = models.BigIntegerField(null=True)  # no foreign key: the application goes
    user_hash = models.UUIDField(null=True)
    mark = models.UUIDField(null=True)
    expected = models.BigIntegerField(default=0)  # requests, when it was asked for
    erased = models.BigIntegerField(default=0)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name or str(_("a user"))

    @property
    def percent(self) -> int:
        return 100 if self.finished_at else min(99, int(100 * self.erased / max(self.expected, 1)))
