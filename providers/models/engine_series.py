"""What inference servers say of themselves: the latest scrape, and its history in buckets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import models

from providers.models.deployments import Deployment


class Resolution(models.IntegerChoices):
    """How long a bucket is, in seconds."""

    MINUTE = 60
    HOUR = 3_600
    DAY = 86_400

    @property
    def kept(self) -> timedelta:
        return KEPT[self]


KEPT = {
    Resolution.MINUTE: timedelta(hours=24),
    Resolution.HOUR: timedelta(days=30),
    Resolution.DAY: timedelta(days=366),
}


class EngineReading(models.Model):
    """The latest scrape of a deployment's engine, which the next one is compared with."""

    deployment = models.OneToOneField(Deployment, on_delete=models.CASCADE, primary_key=True, related_name="reading")
    at = models.DateTimeField(null=True)  # of the latest that went well
    sample: models.JSONField[dict[str, Any] | None, dict[str, Any] | None] = models.JSONField(null=True)
    tried_at = models.DateTimeField()
    cause = models.TextField(blank=True)  # why the latest try failed; empty: it went well


class EngineBucket(models.Model):
    """Scrapes of one deployment in one minute, hour or day, added up.

    Gauges are kept as how many, sum, least and most; counters as what they grew by, over the `counted_s` seconds that
    lie between two scrapes. NULL: the engine does not say. `busy` counts scrapes that found a request under way.
    """

    pk = models.CompositePrimaryKey("deployment", "resolution", "start")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="engine_buckets", db_index=False)
    resolution = models.IntegerField(choices=Resolution.choices)
    start = models.DateTimeField()
    samples = models.IntegerField()
    busy = models.IntegerField()
    restarts = models.IntegerField()
    counted_s = models.FloatField()
    running_n = models.IntegerField()
    running_sum = models.FloatField(null=True)
    running_min = models.FloatField(null=True)
    running_max = models.FloatField(null=True)
    waiting_n = models.IntegerField()
    waiting_sum = models.FloatField(null=True)
    waiting_min = models.FloatField(null=True)
    waiting_max = models.FloatField(null=True)
    kv_cache_n = models.IntegerField()
    kv_cache_sum = models.FloatField(null=True)  # shares 0..1
    kv_cache_min = models.FloatField(null=True)
    kv_cache_max = models.FloatField(null=True)
    prompt_tokens = models.FloatField(null=True)  # those from the prefix cache included
    cached_tokens = models.FloatField(null=True)
    output_tokens = models.FloatField(null=True)
    requests = models.FloatField(null=True)
    failed = models.FloatField(null=True)
    preemptions = models.FloatField(null=True)
    # Requests by the upper bound in seconds of the engine's own TTFT bucket that they fell into.
    ttft: models.JSONField[dict[str, float], dict[str, float]] = models.JSONField(default=dict)
