"""Requests added up by hour and by day, kept exact by ingest."""

from __future__ import annotations

from django.db import models

from providers.models import Deployment, usd_sum
from traffic.models.applications import Application
from traffic.models.choices import Metric


class UsageKey(models.Model):
    """What usage is added up by. 0 stands for no application and no deployment, so that the key has no NULL."""

    application = models.ForeignKey(Application, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False)
    provider = models.TextField()
    model = models.TextField()
    task = models.TextField()

    class Meta:
        abstract = True


class Usage(UsageKey):
    """Sums over requests; kept exact by ingest in the transaction that writes the rows."""

    requests = models.BigIntegerField()
    errors = models.BigIntegerField()
    unpriced = models.BigIntegerField()  # their model has no price, or one of their token classes has none
    unknown_usage = models.BigIntegerField()
    leased = models.BigIntegerField()
    batched = models.BigIntegerField()
    uncached_input = models.BigIntegerField()
    cache_read = models.BigIntegerField()
    cache_write_5m = models.BigIntegerField()
    cache_write_1h = models.BigIntegerField()
    output = models.BigIntegerField()
    reasoning = models.BigIntegerField()
    cost = usd_sum()
    latency_us = models.BigIntegerField()  # whole microseconds, so that sums are exact; over requests with a latency
    timed = models.BigIntegerField()  # how many those are
    generated = models.BigIntegerField()  # output tokens of requests whose generation time is known
    generating_us = models.BigIntegerField()  # and that time
    cost_reports = models.BigIntegerField(default=0)  # requests whose cost is known to us and to who reported them
    cost_mismatches = models.BigIntegerField(default=0)  # of those, how many differ by more than a percent
    reported_cost = usd_sum(default=0)  # their cost as it was reported
    computed_cost = usd_sum(default=0)  # and by our price book

    class Meta:
        abstract = True


class UsageQuerySet(models.QuerySet["UsageHour | UsageDay"]):  # one class reads both tables
    pass


class UsageHour(Usage):
    pk = models.CompositePrimaryKey("hour", "application", "deployment", "provider", "model", "task")
    hour = models.DateTimeField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_usage_hour"


class UsageDay(Usage):
    pk = models.CompositePrimaryKey("day", "application", "deployment", "provider", "model", "task")
    day = models.DateField()

    objects = UsageQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_usage_day"


class LatencyHour(UsageKey):
    """Requests of one hour whose latency or TTFT fell into one log bucket (gamma 1.02)."""

    pk = models.CompositePrimaryKey(
        "hour", "application", "deployment", "provider", "model", "task", "metric", "bucket"
    )
    hour = models.DateTimeField()
    metric = models.SmallIntegerField(choices=Metric.choices)
    bucket = models.SmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_latency_hour"


class LatencyDay(UsageKey):
    """The same by day, for long windows."""

    pk = models.CompositePrimaryKey("day", "application", "deployment", "provider", "model", "task", "metric", "bucket")
    day = models.DateField()
    metric = models.SmallIntegerField(choices=Metric.choices)
    bucket = models.SmallIntegerField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_latency_day"


class ErrorHour(UsageKey):
    """Failed requests of one hour by what went wrong: the reporter's word, else the status, else the outcome."""

    pk = models.CompositePrimaryKey("hour", "application", "deployment", "provider", "model", "task", "kind")
    hour = models.DateTimeField()
    kind = models.TextField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_error_hour"


class ErrorDay(UsageKey):
    """The same by day, for long windows."""

    pk = models.CompositePrimaryKey("day", "application", "deployment", "provider", "model", "task", "kind")
    day = models.DateField()
    kind = models.TextField()
    n = models.BigIntegerField()

    class Meta:
        managed = False
        db_table = "traffic_error_day"


class SealedDay(models.Model):
    """Totals of a day whose requests were dropped by retention; the audit compares with these."""

    day = models.DateField(primary_key=True)
    sealed_at = models.DateTimeField(auto_now_add=True)
    totals = models.JSONField()
