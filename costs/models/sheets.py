"""Dated sheets of reference prices."""

from __future__ import annotations

from django.db import models


class PriceSheet(models.Model):
    """A dated, cited sheet of reference prices and figures, editable; the first is the research's `2026-01`."""

    slug = models.SlugField(unique=True)
    title = models.CharField(max_length=200)
    dated = models.DateField()
    source = models.TextField()
    figures = models.JSONField()

    def __str__(self) -> str:
        return self.slug
