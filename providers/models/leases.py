"""What we rent and rented."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import F, Func, Q, Sum
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from providers.models.accounts import Account
from providers.models.fields import OfferKind, usd

IDLE_BELOW = 0.05  # of the GPU's time; a served model is above it as soon as anybody asks


class LeaseState(models.TextChoices):
    PENDING = "pending", _("starting")
    RUNNING = "running", _("running")
    STOPPED = "stopped", _("stopped, still billed")
    ENDED = "ended", _("ended")
    UNKNOWN = "unknown", _("unknown")


class Seconds(Func):
    """Length of an interval in seconds, exact to the microsecond."""

    template = "EXTRACT(EPOCH FROM %(expressions)s)"
    output_field = models.DecimalField(max_digits=30, decimal_places=6)


def _added(amounts: Any) -> Coalesce:
    field: models.DecimalField[Any, Any] = models.DecimalField(max_digits=40, decimal_places=20)
    return Coalesce(Sum(amounts, output_field=field), Decimal(0), output_field=field)


class LeaseQuerySet(models.QuerySet["Lease"]):
    def active(self) -> LeaseQuerySet:
        return self.filter(ended_at=None)

    def reported(self) -> LeaseQuerySet:
        """Active ones that their account still tells of: of a switched-off account nobody knows whether they run."""
        return self.filter(ended_at=None, account__enabled=True, account__new_identity=[])

    def with_spans(self, month_start: datetime) -> LeaseQuerySet:
        """Annotated with what their spans add up to: `observed_s` (seconds), `spent` and `spent_this_month` (USD
        seconds an hour: divide by 3600)."""
        whole = Seconds(F("spans__ends_at") - F("spans__starts_at"))
        inside = Seconds(F("spans__ends_at") - Greatest(F("spans__starts_at"), month_start))
        return self.annotate(
            observed_s=Coalesce(Sum(whole), Decimal(0)),
            spent=_added(whole * F("spans__price_per_hour")),
            spent_this_month=_added(Greatest(inside, Decimal(0)) * F("spans__price_per_hour")),
        )

    def newest_first(self) -> LeaseQuerySet:
        return self.order_by("-started_at", "-pk")

    def before(self, started_at: datetime, pk: int) -> LeaseQuerySet:
        """What stands behind a lease in that order."""
        return self.filter(Q(started_at__lt=started_at) | Q(started_at=started_at, pk__lt=pk))


class Lease(models.Model):
    """A GPU machine or serverless endpoint that we rent now or rented before."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="leases")
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    gpu = models.CharField(max_length=100)
    gpu_count = models.PositiveIntegerField(default=1)
    memory_gb = models.DecimalField(max_digits=8, decimal_places=2, null=True)
    kind = models.CharField(max_length=20, choices=OfferKind.choices, default=OfferKind.ON_DEMAND)
    region = models.CharField(max_length=100, blank=True)
    price_per_hour = usd()  # of the whole lease, all its GPUs, in the state that it is in
    disk_per_hour = usd(null=True)  # of that the disk, which a stopped lease goes on paying; None: not known
    worker_per_hour = usd(null=True)  # of a serverless endpoint: one worker while it is busy
    state = models.CharField(max_length=10, choices=LeaseState.choices, default=LeaseState.UNKNOWN)
    raw_state = models.CharField(max_length=40, blank=True)  # the vendor's own word
    handle = models.CharField(max_length=300, blank=True)  # how the vendor addresses it, where the id is not enough
    idle_minutes = models.PositiveIntegerField(null=True, blank=True)  # unused before it is told; None: the rule's
    utilisation = models.FloatField(null=True)  # 0..1 where the vendor or the engine says
    used_at = models.DateTimeField(null=True)  # when the vendor last said that its GPU does something
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    stop_requested_at = models.DateTimeField(null=True)  # when a person had the vendor called from here
    origin = models.CharField(max_length=240, blank=True)  # whose it is at the vendor, see `polling.refusals`

    objects = LeaseQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(fields=["account", "external_id"], name="one_lease_of_an_account"),
            models.UniqueConstraint(
                fields=["origin", "external_id"], condition=~Q(origin=""), name="one_account_of_a_lease"
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id

    @property
    def reported(self) -> bool:
        """Whether its account is read, so that what is stored is how it stands now."""
        return self.account.enabled and not self.account.new_identity

    @property
    def stopping(self) -> bool:
        """Whether the vendor was called within the last hour and has not reported the lease as stopped or gone."""
        if self.stop_requested_at is None or self.ended_at is not None or self.state == LeaseState.STOPPED:
            return False
        return timezone.now() - self.stop_requested_at < timedelta(hours=1)


class LeaseSpan(models.Model):
    """A stretch of time in which a lease had one state and one price; a poll makes the newest one longer."""

    lease = models.ForeignKey(Lease, on_delete=models.CASCADE, related_name="spans")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()  # observed so far
    state = models.CharField(max_length=10, choices=LeaseState.choices)
    price_per_hour = usd()  # what the state costs: a stopped lease's disk, a running one's all
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["starts_at"]
        constraints = [models.UniqueConstraint(fields=["lease", "starts_at"], name="one_span_at_a_time")]
