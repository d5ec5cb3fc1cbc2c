"""Papers behind what people entered."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class Receipt(models.Model):
    """A file that proves an entered charge, kept in the database so that it is backed up with it."""

    name = models.CharField(max_length=120)
    content_type = models.CharField(max_length=60)  # found from the content, never taken from the browser
    content = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes
    sha256 = models.CharField(max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
