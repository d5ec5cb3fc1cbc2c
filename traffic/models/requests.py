"""The request log and the bodies that applications opted to keep."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

from django.db import models

from providers.models import Deployment, usd
from traffic.models.applications import Application
from traffic.models.choices import CostReason, Outcome, Task
from traffic.request_ids import day_of

# As the index `traffic_request_odd` has it.
ODD = (
    ~models.Q(outcome="ok")
    | models.Q(uncached_input=None)
    | models.Q(cost=None, cost_reason__in=("unknown_model", "unknown_rate"))
)


class NaiveTime(models.Field[datetime, datetime]):
    """A timestamp without a zone, in UTC: the key of an index, which Django's own field would give a zone."""

    def db_type(self, connection: object) -> str:
        return "timestamp"


def naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


class RequestQuerySet(models.QuerySet["Request"]):
    """The table is partitioned by day: every read starts with `in_days` or `by_id`."""

    def in_days(self, first: date, end: date) -> RequestQuerySet:
        """Requests of these UTC days, the last one exclusive."""
        return self.filter(day__gte=first, day__lt=end)

    def between(self, start: datetime, end: datetime, *, odd: bool) -> RequestQuerySet:
        """Those that began in a span of time, `end` exclusive, the newest first, by the index of all requests, or by
        that of those out of the ordinary: its key is the moment in UTC."""
        if not odd:
            return self.filter(started_at__gte=start, started_at__lt=end).newest_first()
        utc = models.Func(models.F("started_at"), template="(%(expressions)s AT TIME ZONE 'UTC')",
                          output_field=NaiveTime())  # fmt: skip
        within = {"utc__gte": naive(start), "utc__lt": naive(end)}
        return self.filter(ODD).alias(utc=utc).filter(**within).order_by("-utc", "-id")

    def by_id(self, identifier: uuid.UUID) -> Request | None:
        """The request of an id, found on the day that the id carries; None when there is none."""
        return self.filter(day=day_of(identifier), id=identifier).first()

    def newest_first(self) -> RequestQuerySet:
        return self.order_by("-started_at", "-id")


class Request(models.Model):
    """One call to a model. Partitioned by `day`, the UTC day of `started_at`; written by `traffic.ingest` alone.

    Token classes are disjoint; NULL is unknown. `cost` is USD at `price`, NULL with `cost_reason`.
    """

    pk = models.CompositePrimaryKey("day", "id")
    day = models.DateField()
    id = models.UUIDField()  # UUIDv8: the day, then a keyed hash of (application, external id)
    started_at = models.DateTimeField()
    received_at = models.DateTimeField()
    application = models.ForeignKey(Application, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    deployment = models.ForeignKey(Deployment, null=True, on_delete=models.DO_NOTHING, db_constraint=False)
    provider = models.TextField()
    model = models.TextField()
    task = models.TextField(choices=Task.choices)
    outcome = models.TextField(choices=Outcome.choices)
    http_status = models.SmallIntegerField(null=True)
    error_type = models.TextField(null=True)
    latency_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    streamed = models.BooleanField()
    batch = models.BooleanField()
    uncached_input = models.BigIntegerField(null=True)
    cache_read = models.BigIntegerField(null=True)
    cache_write_5m = models.BigIntegerField(null=True)
    cache_write_1h = models.BigIntegerField(null=True)
    output = models.BigIntegerField(null=True)
    reasoning = models.BigIntegerField(null=True)
    cost = usd(null=True)
    cost_reason = models.TextField(null=True, choices=CostReason.choices)
    reported_cost = usd(null=True)  # USD as who reported the call reckons it
    tier = models.TextField(null=True)  # of service or region, where it is not the standard: priority, geo:us
    price_id = models.BigIntegerField(null=True)  # the TokenPrice that it was costed with
    discount_id = models.BigIntegerField(null=True)  # and the Discount, where a contract had one
    response_id = models.TextField(null=True)
    response_hash = models.UUIDField(null=True)  # 16 bytes of hash, of a response id long enough to be one of a kind
    external_id = models.TextField()
    user_hash = models.UUIDField(null=True)  # 16 bytes of hash under the installation's salt
    source = models.TextField()
    route = models.TextField(null=True)
    raw = models.JSONField(null=True)
    import_id = models.BigIntegerField(null=True)  # the Import that brought it and nothing else since

    objects = RequestQuerySet.as_manager()

    class Meta:
        managed = False
        db_table = "traffic_request"
        permissions = [("view_bodies", "Can read prompts and answers")]


class RequestBody(models.Model):
    """Prompt and answer of a request whose application opted in. Partitioned by day; goes first."""

    pk = models.CompositePrimaryKey("day", "request_id")
    day = models.DateField()
    request_id = models.UUIDField()
    prompt = models.TextField(null=True)
    answer = models.TextField(null=True)
    marks = models.SmallIntegerField(null=True)  # bits of `traffic.marks.rules.Mark`; NULL: not looked at yet

    class Meta:
        managed = False
        db_table = "traffic_request_body"
