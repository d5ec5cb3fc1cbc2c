"""Models that can be reached, and how their checks go."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from lib.encryption import EncryptedTextField
from lib.reach import hides_key
from lib.time_spans import Span
from lib.validators import web_address
from providers.models.leases import Lease
from providers.models.recurring import Recurring, may_hold


def engine_choices() -> list[tuple[str, str]]:
    """Kinds of the engines' registry; a callable so that a new engine needs no migration."""
    from providers.engines import ENGINES

    return [(kind, kind) for kind in ENGINES]


class DeploymentState(models.TextChoices):
    UNKNOWN = "unknown", _("unknown")
    UP = "up", _("up")
    DOWN = "down", _("down")
    STARTING = "starting", _("starting")
    MAINTENANCE = "maintenance", _("maintenance")


PLANNED_SHOWN = 10


# Before a certificate ends; authorities renew theirs a month ahead, so by then a renewal has failed.
TLS_WARNS = timedelta(days=21)


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def enabled(self) -> DeploymentQuerySet:
        return self.filter(enabled=True)

    def due(self, now: datetime) -> DeploymentQuerySet:
        """Deployments whose check is due and under way nowhere, the longest due first."""
        unclaimed = Q(check_claimed_until=None) | Q(check_claimed_until__lte=now)
        due = Q(check_due_at=None) | Q(check_due_at__lte=now)
        return self.filter(due, unclaimed, enabled=True, checked=True).order_by(F("check_due_at").asc(nulls_first=True))


class Deployment(models.Model):
    """One model reachable at one URL through one engine, and how its checks go."""

    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)  # `self` where the engine runs on our own lease or machine
    engine = models.CharField(max_length=30, choices=engine_choices)
    url = models.CharField(max_length=200, validators=[web_address])
    local = models.BooleanField(default=False)  # may be on a private or loopback address
    model = models.CharField(max_length=200)  # as the engine calls it
    api_key = EncryptedTextField(blank=True)
    context_tokens = models.PositiveIntegerField(null=True)
    max_concurrency = models.PositiveIntegerField(null=True)  # calls that it serves at once; NULL: as the engine tells
    # Seconds of a call through the gateway; NULL: as its settings say, and no limit in all.
    connect_timeout_s = models.FloatField(null=True, blank=True)
    first_byte_timeout_s = models.FloatField(null=True, blank=True)
    idle_timeout_s = models.FloatField(null=True, blank=True)
    total_timeout_s = models.FloatField(null=True, blank=True)
    lease = models.ForeignKey(Lease, null=True, blank=True, on_delete=models.SET_NULL, related_name="deployments")
    tokens_per_second = models.FloatField(null=True, blank=True)  # one GPU's aggregate output, from trial or catalogue
    enabled = models.BooleanField(default=True)

    checked = models.BooleanField(default=True)
    check_every_s = models.PositiveIntegerField(default=30)
    timeout_s = models.FloatField(default=10)
    failures_to_confirm = models.PositiveSmallIntegerField(default=3)
    successes_to_recover = models.PositiveSmallIntegerField(default=2)
    probe_completion = models.BooleanField(default=False)

    state = models.CharField(max_length=12, choices=DeploymentState.choices, default=DeploymentState.UNKNOWN)
    state_since = models.DateTimeField(null=True)
    streak_ok = models.BooleanField(default=True)  # whether the latest checks in a row went well
    streak = models.PositiveIntegerField(default=0)  # how many of them
    streak_since = models.DateTimeField(null=True)  # the first of them
    check_due_at = models.DateTimeField(null=True)
    check_claimed_until = models.DateTimeField(null=True)
    last_check_at = models.DateTimeField(null=True)
    last_latency_ms = models.FloatField(null=True)
    last_cause = models.TextField(blank=True)
    tls_expires_at = models.DateTimeField(null=True)
    served_model = models.CharField(
        max_length=200, blank=True, db_default=""
    )  # the expected one as the engine lists it
    engine_slots = models.PositiveIntegerField(null=True)  # calls that the engine says it serves at once
    # Rate limits as the vendor's last answer reported them: {"tokens": {"limit": 40000, "remaining": 39000}}.
    vendor_limits = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    vendor_limits_at = models.DateTimeField(null=True)
    cooling_until = models.DateTimeField(null=True)  # calls failed in a row: gateways ask it last until then
    takes_media = models.BooleanField(null=True)  # images or sound, as the engine says; NULL: it does not

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        indexes = [models.Index(fields=["check_due_at"])]

    def __str__(self) -> str:
        return self.slug

    @property
    def exposes_key(self) -> bool:
        """Whether its key would go over the network in the clear; it is not sent then."""
        return bool(self.api_key) and not hides_key(self.url, local=self.local)

    @property
    def engine_label(self) -> str:
        """The engine's name for people; a kind that is no longer known stands for itself."""
        from providers.engines import ENGINES, engine_of

        return engine_of(self.engine).label if self.engine in ENGINES else self.engine


class Check(models.Model):
    """One health probe. Partitioned by day; kept 30 days, its hours for good."""

    pk = models.CompositePrimaryKey("day", "deployment", "at")
    day = models.DateField()
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, db_constraint=False, related_name="checks")
    at = models.DateTimeField()
    ok = models.BooleanField()
    step = models.CharField(max_length=20)  # where the ladder ended: connect, liveness, models, completion
    latency_ms = models.FloatField(null=True)
    ttft_ms = models.FloatField(null=True)
    cause = models.TextField(blank=True)

    class Meta:
        managed = False
        db_table = "providers_check"


class CheckHour(models.Model):
    """Checks of one deployment in one hour, added up."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE)
    hour = models.DateTimeField()
    checks = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    observed_s = models.FloatField(default=0)  # how much of the hour was under watch, maintenance excluded
    latency_sum_ms = models.FloatField(default=0)
    maintenance_s = models.FloatField(default=0, db_default=0)  # watched inside planned windows
    maintenance_down_s = models.FloatField(default=0, db_default=0)  # and how much of that went to failed checks

    class Meta:
        constraints = [models.UniqueConstraint(fields=["deployment", "hour"], name="one_hour_of_checks")]


class OutageQuerySet(models.QuerySet["Outage"]):
    def open(self) -> OutageQuerySet:
        return self.filter(ended_at=None)


class Outage(models.Model):
    """A confirmed span of failure, from its first failed check to the first good one after it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="outages")
    started_at = models.DateTimeField()
    confirmed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    cause = models.TextField()
    # What it cost in requests, written by `traffic`; NULL where nobody has counted yet.
    requests_failed = models.PositiveIntegerField(null=True)
    requests_rerouted = models.PositiveIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, db_default="")  # for us
    public_note = models.CharField(max_length=500, blank=True, db_default="")  # for status pages
    post_mortem = models.TextField(blank=True, db_default="")

    objects = OutageQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["deployment"], condition=models.Q(ended_at=None), name="one_open_outage_of_a_deployment"
            )
        ]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.started_at:%Y-%m-%d %H:%M}"

    def lasted(self, now: datetime) -> timedelta:
        return (self.ended_at or now) - self.started_at


class MaintenanceQuerySet(models.QuerySet["Maintenance"]):
    def spans(self, ids: Iterable[int], start: datetime, end: datetime) -> dict[int, list[Span]]:
        """Windows that touch the time between two moments, by deployment."""
        by_deployment: dict[int, list[Span]] = {}
        ids = list(ids)
        for row in self.filter(self._may_hold(start), deployment__in=ids, starts_at__lt=end) if ids else ():
            if spans := list(row.recurring_window.spans(start, end)):
                by_deployment.setdefault(row.deployment_id, []).extend(spans)
        return by_deployment

    def planned(self, ids: Iterable[int] | None, now: datetime) -> list[tuple[Maintenance, Span]]:
        """With their deployments, each with the window of now or its next, those under way first.

        Of these deployments; None: of all that are switched on."""
        wanted = Q(deployment__enabled=True) if ids is None else Q(deployment__in=list(ids))
        rows = self.filter(self._may_hold(now), wanted).select_related("deployment")
        ahead = [(row, span) for row in rows if (span := row.recurring_window.ahead(now))]
        return sorted(ahead, key=lambda pair: pair[1].start)[:PLANNED_SHOWN]

    def over(self, now: datetime) -> MaintenanceQuerySet:
        """Those of which nothing comes any more, the last first."""
        return self.exclude(self._may_hold(now)).order_by("-starts_at")

    def _may_hold(self, since: datetime) -> Q:
        return may_hold("ends_at", since)


class Maintenance(Recurring):
    """A planned window in which failures of a deployment do not count; of one that comes again the first."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="maintenance")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)

    objects = MaintenanceQuerySet.as_manager()

    @property
    def first(self) -> Span:
        return Span(self.starts_at, self.ends_at)
