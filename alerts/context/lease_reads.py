"""What the evaluators read of leases: those that are paid for now, and since when each has been idle."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property

from django.db.models import Max

from alerts.context.known_names import KnownNames
from providers.leases.queries import busiest
from providers.models import Deployment, Lease, LeaseSpan, LeaseState
from providers.models.leases import IDLE_BELOW
from traffic.models import UsageHour
from traffic.usage.lease_use import last_requests

LONGEST_LOOK = timedelta(days=7)  # for the last request through a lease


class LeaseReads(KnownNames):
    """Leases as of `now`, each read once and only on demand."""

    now: datetime

    @cached_property
    def deployments(self) -> dict[str, Deployment]:
        """Every deployment by its slug."""
        return {deployment.slug: deployment for deployment in Deployment.objects.all()}

    @cached_property
    def leases(self) -> list[Lease]:
        """Machines that we pay for now, with their account."""
        return list(Lease.objects.reported().select_related("account").order_by("pk"))

    @cached_property
    def last_span(self) -> dict[int, LeaseSpan]:
        """The newest span of each running lease: since when it has had its state."""
        spans = LeaseSpan.objects.filter(lease__in=self.leases).order_by("lease_id", "-starts_at").distinct("lease_id")
        return {span.lease_id: span for span in spans}

    @cached_property
    def ran_since(self) -> dict[int, datetime]:
        """By lease that was once seen not to run, when that ended; a price that moves ends nothing."""
        spans = LeaseSpan.objects.filter(lease__in=self.leases).exclude(state=LeaseState.RUNNING).order_by()
        return {row["lease_id"]: row["last"] for row in spans.values("lease_id").annotate(last=Max("ends_at"))}

    @cached_property
    def tokens_since(self) -> dict[int, datetime]:
        """By deployment, the last hour of the last week in which it answered anything."""
        rows = UsageHour.objects.filter(hour__gte=self.now - timedelta(days=7), requests__gt=0)
        return {row["deployment_id"]: row["last"] for row in rows.values("deployment_id").annotate(last=Max("hour"))}

    @cached_property
    def last_requests(self) -> dict[int, datetime]:
        """By deployment of a lease, when the last request of the last week came."""
        served = {deployment.pk for deployment in self.deployments.values() if deployment.lease_id is not None}
        return last_requests({pk: hour for pk, hour in self.tokens_since.items() if pk in served})

    @cached_property
    def engines_busy(self) -> dict[int, float]:
        """By lease, the share of the last hour in which the busiest engine on it had a request."""
        on = {
            deployment.pk: deployment.lease_id
            for deployment in self.deployments.values()
            if deployment.lease_id is not None
        }
        return busiest(on, self.now)

    def unused_since(self, lease: Lease) -> datetime | None:
        """Since when a lease has been idle; None while it is used, or where nothing says so."""
        if lease.state == LeaseState.STOPPED:
            span = self.last_span.get(lease.pk)
            return span.starts_at if span else lease.seen_at
        if lease.state != LeaseState.RUNNING:
            return None
        served = self.served_by(lease)
        if not served:
            return self._unserved_since(lease)
        last = [self.last_requests[pk] for pk in served if pk in self.last_requests]
        return max(last) if last else max(lease.started_at, self.now - LONGEST_LOOK)

    def served_by(self, lease: Lease) -> list[int]:
        """The deployments on a lease."""
        return [deployment.pk for deployment in self.deployments.values() if deployment.lease_id == lease.pk]

    def _unserved_since(self, lease: Lease) -> datetime | None:
        """Of a running machine that no deployment is on: since when its vendor last saw its GPU at work, else since it
        runs. It may train a model, so one that is at work is in use; an endpoint costs nothing while it is not."""
        at_work = lease.utilisation is not None and lease.utilisation >= IDLE_BELOW
        if at_work or lease.worker_per_hour is not None or not lease.price_per_hour:
            return None
        moments = [lease.started_at, self.ran_since.get(lease.pk), lease.used_at, self.now - LONGEST_LOOK]
        return max(at for at in moments if at is not None)

    @cached_property
    def rented_per_hour(self) -> dict[int, Decimal]:
        """By account, what its leases cost an hour now."""
        totals: dict[int, Decimal] = {}
        for lease in self.leases:
            totals[lease.account_id] = totals.get(lease.account_id, Decimal(0)) + lease.price_per_hour
        return totals
