"""Names that applications brought today, counted by all processes together; see `traffic.ingest.cardinality`."""

from __future__ import annotations

from django.db import models


class AdmittedName(models.Model):
    """A name that is kept as it is, on the UTC day of its arrival; yesterday's go with retention. Written by ingest."""

    pk = models.CompositePrimaryKey("day", "kind", "application_id", "digest")
    day = models.DateField()
    kind = models.TextField()  # provider, model, error
    application_id = models.BigIntegerField()  # 0 for none
    digest = models.UUIDField()  # 16 bytes of a hash of the name
